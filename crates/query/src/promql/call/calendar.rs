//! The Gregorian calendar for any 64-bit time, as Go's `time` package has it: no leap seconds, UTC, proleptic.

/// Go counts years from here; earlier seconds wrap around 2^64.
const FIRST_YEAR: i128 = -292_277_022_399;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i128 = 719_468;

/// Days of 400 years.
const ERA_DAYS: i128 = 146_097;

/// A date; floats, because that is what queries want.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Date {
    pub(crate) year: f64,
    pub(crate) month: f64,
    pub(crate) day: f64,
}

/// The whole seconds of a float. What does not fit 64 bits, and NaN, is the least 64-bit number, as on the machines
/// Prometheus runs on; seconds before the first year wrap around.
pub(crate) fn whole_seconds(value: f64) -> i128 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked right here")]
    let seconds = if (-LIMIT..LIMIT).contains(&value) { value as i64 } else { i64::MIN };
    let first = days_from_year(FIRST_YEAR) * 86_400;
    let seconds = i128::from(seconds);
    if seconds < first { seconds + (1 << 64) } else { seconds }
}

/// (year, month, day) by the days-from-March algorithm: leap days come last in a year that starts in March.
fn civil(day: i128) -> (i128, i128, i128) {
    let day = day + EPOCH_DAYS;
    let (era, of_era) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i128::from(month <= 2), month, day)
}

/// Day number of January 1st.
fn days_from_year(year: i128) -> i128 {
    let before = year - 1;
    let leaps = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    before * 365 + leaps - 719_162
}

fn is_leap(year: i128) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[expect(clippy::cast_precision_loss, reason = "queries want floats")]
pub(crate) fn date(day: i128) -> Date {
    let (year, month, day) = civil(day);
    Date { year: year as f64, month: month as f64, day: day as f64 }
}

/// 0 is Sunday.
#[expect(clippy::cast_precision_loss, reason = "queries want floats")]
pub(crate) fn day_of_week(day: i128) -> f64 {
    (day + 4).rem_euclid(7) as f64
}

/// 1 is January 1st.
#[expect(clippy::cast_precision_loss, reason = "queries want floats")]
pub(crate) fn day_of_year(day: i128) -> f64 {
    (day - days_from_year(civil(day).0) + 1) as f64
}

pub(crate) fn days_in_month(day: i128) -> f64 {
    match civil(day) {
        (year, 2, _) => 28.0 + f64::from(u8::from(is_leap(year))),
        (_, 4 | 6 | 9 | 11, _) => 30.0,
        _ => 31.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(day: i128, expected: (i128, i128, i128), of_year: i128) {
        assert_eq!(civil(day), expected);
        assert_eq!(day - days_from_year(expected.0) + 1, of_year, "{expected:?}");
    }

    #[test]
    fn days_have_dates() {
        check(0, (1970, 1, 1), 1);
        check(11_016, (2000, 2, 29), 60);
        check(19_723, (2024, 1, 1), 1);
        check(-719_162, (1, 1, 1), 1);
        check(-25_567, (1900, 1, 1), 1);
    }

    #[test]
    fn what_is_no_time_wraps_as_in_go() {
        let day = whole_seconds(f64::NAN).div_euclid(86_400);
        assert_eq!(civil(day), (292_277_026_596, 12, 4));
        assert_eq!(whole_seconds(1e300), whole_seconds(f64::NAN));
        assert_eq!(whole_seconds(-1.9), -1);
    }
}
