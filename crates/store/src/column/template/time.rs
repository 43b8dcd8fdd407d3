//! Times as lines write them. Most lines begin with the time of their record; what a template stores of it is how far
//! the two are apart, which is mostly nothing. Pure functions: no clock, no zone but UTC.

use super::super::number::{eight_digits, over_nine};
use super::tokens::is_run_byte;

/// A line's time may be so far from its record's, seconds: a day and a zone.
const APART_S_MAX: i64 = 26 * 3600;
const DAY_S: i64 = 86_400;
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// How a time is written, but for its fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// `2026-11-21T17:00:12` or with a space.
    Date,
    /// `21/Nov/2026:17:00:12`, as web servers do.
    Common,
    /// `1121 17:00:12`, as klog does behind a letter.
    Klog,
    /// `17:00:12`.
    Clock,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    layout: Layout,
    /// Between date and time, where the layout leaves a choice.
    between: u8,
    /// Before the fraction: a dot or a comma.
    point: u8,
    /// Digits of the fraction.
    digits: u8,
}

/// Bytes that name a [`Stamp`] behind its marker.
pub(super) const STAMP_BYTES: usize = 4;

/// A time found at the start of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) stamp: Stamp,
    /// Bytes that it takes.
    pub(super) len: usize,
    /// The line's time less the record's, in units of the line's last digit.
    pub(super) apart: i64,
}

/// The number that two digits write, when it is at most `max`.
fn two(text: &[u8], at: usize, max: i64) -> Option<i64> {
    let digit = |at: usize| text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10);
    let value = i64::from(digit(at)? * 10 + digit(at + 1)?);
    (value <= max).then_some(value)
}

fn is(text: &[u8], at: usize, byte: u8) -> bool {
    text.get(at) == Some(&byte)
}

/// Seconds since midnight of `17:00:12` at `at`.
fn clock(text: &[u8], at: usize) -> Option<i64> {
    const COLONS: u64 = 0x0000_ff00_00ff_0000;
    let digits = u64::from_le_bytes(*text.get(at..)?.first_chunk()?) ^ u64::from_le_bytes(*b"00:00:00");
    if over_nine(digits) | digits & COLONS != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)).to_le_bytes();
    let [hour, minute, second] = [pairs[0], pairs[3], pairs[6]].map(i64::from);
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 60 + minute) * 60 + second)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date, by counting from a March: months from then on have 153 days in every five.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of [`days`].
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + i64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1)
}

/// Seconds since 1970 of a date, when there is such a date.
fn seconds(year: i64, month: i64, day: i64) -> Option<i64> {
    let valid = month >= 1 && day >= 1 && day <= days_of_month(year, month);
    valid.then(|| days(year, month, day) * DAY_S)
}

/// `digits` as a power of ten.
fn units(digits: u8) -> i64 {
    const UNITS: [i64; 10] =
        [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
    UNITS[usize::from(digits.min(9))]
}

/// The record's time in units of a fraction of `digits`.
fn record_units(ts_ns: i64, digits: u8) -> i64 {
    ts_ns.div_euclid(units(9 - digits.min(9)))
}

/// The year of a record.
pub(super) fn year_of(ts_ns: i64) -> i64 {
    date(ts_ns.div_euclid(DAY_S * 1_000_000_000)).0
}

/// Reads times; remembers the last date, for that of the next line is mostly the same.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// `2026-11-21`, and its seconds since 1970.
    date: ([u8; 10], i64),
    /// `21/Nov/2026`.
    common: ([u8; 11], i64),
    /// The seconds at which a record's day begins, and its year.
    record: (i64, i64),
}

/// The seconds of the date at the start of `text`; `last` has the last one that was there.
fn date_at<const N: usize>(
    text: &[u8],
    last: &mut ([u8; N], i64),
    read: impl Fn(&[u8; N]) -> Option<i64>,
) -> Option<i64> {
    let text = text.first_chunk()?;
    if last.0 != *text {
        *last = (*text, read(text)?);
    }
    Some(last.1)
}

/// The year that four digits write.
fn year(text: &[u8], at: usize) -> Option<i64> {
    Some(two(text, at, 99)? * 100 + two(text, at + 2, 99)?)
}

impl Times {
    /// The time at the start of `text`, if one is there that is near `ts_ns`. It is a whole one: a delimiter or a `Z`
    /// follows.
    pub(super) fn read(&mut self, text: &[u8], ts_ns: i64) -> Option<Found> {
        let record_s = ts_ns.div_euclid(1_000_000_000);
        let (layout, between, len, line_s) = match text.get(4).zip(text.get(2)) {
            Some((b'-', _)) if is(text, 7, b'-') => {
                let between = *text.get(10).filter(|byte| matches!(byte, b'T' | b' '))?;
                let date_s = date_at(text, &mut self.date, |text| {
                    seconds(year(text, 0)?, two(text, 5, 12)?, two(text, 8, 31)?)
                })?;
                (Layout::Date, between, 19, date_s + clock(text, 11)?)
            }
            Some((_, b'/')) if is(text, 6, b'/') && is(text, 11, b':') => {
                let date_s = date_at(text, &mut self.common, |text| {
                    let month = (1..).zip(MONTHS).find(|(_, month)| **month == text[3..6])?.0;
                    seconds(year(text, 7)?, month, two(text, 0, 31)?)
                })?;
                (Layout::Common, 0, 20, date_s + clock(text, 12)?)
            }
            Some((b' ', _)) => {
                let (month, day) = (two(text, 0, 12)?, two(text, 2, 31)?);
                (Layout::Klog, 0, 13, seconds(self.year_of(record_s), month, day)? + clock(text, 5)?)
            }
            Some((_, b':')) => {
                let of_day = clock(text, 0)?;
                let apart = (of_day - record_s.rem_euclid(DAY_S) + DAY_S / 2).rem_euclid(DAY_S) - DAY_S / 2;
                (Layout::Clock, 0, 8, record_s + apart)
            }
            _ => return None,
        };
        let (point, digits, fraction) = fraction(text.get(len..)?)?;
        let len = len + if digits > 0 { 1 + usize::from(digits) } else { 0 };
        let whole = match text.get(len) {
            Some(b'Z') => text.get(len + 1).is_none_or(|byte| !is_run_byte(*byte)),
            Some(byte) => !is_run_byte(*byte),
            None => true,
        };
        if !whole || (line_s - record_s).abs() > APART_S_MAX {
            return None;
        }
        let line = line_s.checked_mul(units(digits))?.checked_add(fraction)?;
        let apart = line.checked_sub(record_units(ts_ns, digits))?;
        Some(Found { stamp: Stamp { layout, between, point, digits }, len, apart })
    }

    /// The year of a record.
    fn year_of(&mut self, record_s: i64) -> i64 {
        if !(0..DAY_S).contains(&(record_s - self.record.0)) || self.record.1 == 0 {
            let days = record_s.div_euclid(DAY_S);
            self.record = (days * DAY_S, date(days).0);
        }
        self.record.1
    }
}

/// The point, digits and value of a fraction of a second, if there is one; `None` when it has too many digits.
fn fraction(text: &[u8]) -> Option<(u8, u8, i64)> {
    let Some(point) = text.first().filter(|byte| matches!(byte, b'.' | b',')) else { return Some((0, 0, 0)) };
    let text = text.get(1..)?;
    if let Some(eight) = text.first_chunk::<8>() {
        let values = u64::from_le_bytes(*eight) ^ u64::from_le_bytes(*b"00000000");
        let len = over_nine(values).trailing_zeros() / 8;
        if let Ok(digits @ 1..8) = u8::try_from(len) {
            return Some((*point, digits, eight_digits(values << (64 - 8 * len)).cast_signed()));
        }
    }
    let (mut digits, mut value) = (0, 0);
    for byte in text {
        if !byte.is_ascii_digit() {
            break;
        }
        if digits == 9 {
            return None;
        }
        (digits, value) = (digits + 1, value * 10 + i64::from(byte - b'0'));
    }
    Some(if digits == 0 { (0, 0, 0) } else { (*point, digits, value) })
}

fn put(out: &mut Vec<u8>, value: i64, digits: usize) {
    let start = out.len();
    out.resize(start + digits, b'0');
    let mut rest = value.unsigned_abs();
    for byte in out.iter_mut().skip(start).rev() {
        *byte += (rest % 10) as u8;
        rest /= 10;
    }
}

impl Stamp {
    /// The bytes that stand behind the marker in a template; ASCII.
    pub(super) fn to_bytes(self) -> [u8; STAMP_BYTES] {
        let layout = match self.layout {
            Layout::Date => b'd',
            Layout::Common => b'c',
            Layout::Klog => b'k',
            Layout::Clock => b't',
        };
        [layout, self.between, self.point, b'0' + self.digits]
    }

    /// Reads [`to_bytes`](Self::to_bytes).
    pub(super) fn from_bytes([layout, between, point, digits]: [u8; STAMP_BYTES]) -> Option<Self> {
        let layout = match layout {
            b'd' => Layout::Date,
            b'c' => Layout::Common,
            b'k' => Layout::Klog,
            b't' => Layout::Clock,
            _ => return None,
        };
        let digits = digits.wrapping_sub(b'0');
        (digits <= 9).then_some(Self { layout, between, point, digits })
    }

    /// Appends the time that is `apart` units from the record's.
    pub(super) fn write(self, ts_ns: i64, apart: i64, out: &mut Vec<u8>) {
        let line = record_units(ts_ns, self.digits).wrapping_add(apart);
        let (line_s, fraction) = (line.div_euclid(units(self.digits)), line.rem_euclid(units(self.digits)));
        let (days, of_day) = (line_s.div_euclid(DAY_S), line_s.rem_euclid(DAY_S));
        let (year, month, day) = date(days);
        match self.layout {
            Layout::Date => {
                put(out, year, 4);
                out.push(b'-');
                put(out, month, 2);
                out.push(b'-');
                put(out, day, 2);
                out.push(self.between);
            }
            Layout::Common => {
                put(out, day, 2);
                out.push(b'/');
                let name = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month));
                out.extend_from_slice(name.map_or(b"Jan", |name| *name));
                out.push(b'/');
                put(out, year, 4);
                out.push(b':');
            }
            Layout::Klog => {
                put(out, month * 100 + day, 4);
                out.push(b' ');
            }
            Layout::Clock => {}
        }
        put(out, of_day / 3600, 2);
        out.push(b':');
        put(out, of_day / 60 % 60, 2);
        out.push(b':');
        put(out, of_day % 60, 2);
        if self.digits > 0 {
            out.push(self.point);
            put(out, fraction, self.digits.into());
        }
    }

    /// Whether `text`, which has no digit, can stand between two digits of such a time.
    pub(super) fn may_hold(self, text: &[u8]) -> bool {
        let holds = |between: &[u8]| memchr::memmem::find(between, text).is_some();
        let common = || MONTHS.iter().any(|name| holds(&[b"/", &name[..], b"/"].concat()));
        holds(b":")
            || self.digits > 0 && holds(&[self.point])
            || match self.layout {
                Layout::Date => holds(b"-") || holds(&[self.between]),
                Layout::Common => common(),
                Layout::Klog => holds(b" "),
                Layout::Clock => false,
            }
    }

    /// Digits of the fraction.
    pub(super) fn digits(self) -> usize {
        self.digits.into()
    }

    /// Words that may stand in such a time.
    pub(super) fn words(self) -> impl Iterator<Item = &'static [u8]> {
        let months = MONTHS.iter().map(|name| &name[..]).filter(move |_| self.layout == Layout::Common);
        months.chain((self.between == b'T').then_some(&b"T"[..]))
    }

    /// Whether a day of the year stands in it as one number of four digits.
    pub(super) fn has_day_of_year(self) -> bool {
        self.layout == Layout::Klog
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-21T17:00:12.345678901Z
    const TS_NS: i64 = 1_795_280_412_345_678_901;

    /// What each text begins with, read one after the other.
    fn check<'t>(cases: impl IntoIterator<Item = (&'t str, Option<(usize, i64)>)>) {
        let mut times = Times::default();
        for (text, expected) in cases {
            let found = times.read(text.as_bytes(), TS_NS);
            assert_eq!(found.map(|found| (found.len, found.apart)), expected, "{text}");
            if let Some(Found { stamp, len, apart }) = found {
                assert_eq!(Stamp::from_bytes(stamp.to_bytes()), Some(stamp));
                let mut out = Vec::new();
                stamp.write(TS_NS, apart, &mut out);
                assert_eq!(String::from_utf8_lossy(&out), text[..len], "{text}");
            }
        }
    }

    #[test]
    fn times_near_the_record_are_found() {
        let cases = [
            ("2026-11-21T17:00:12.345Z rest", (23, 0)),
            ("2026-11-21T17:00:12.345678901Z", (29, 0)),
            ("2026-11-21 17:00:11,344 INFO", (23, -1001)),
            ("2026-11-21T18:00:12+01:00", (19, 3600)),
            ("2026-11-22T00:00:00", (19, 25_188)),
            ("21/Nov/2026:17:00:12 +0000]", (20, 0)),
            ("1121 17:00:12.345670       1 x", (20, -8)),
            ("17:00:13.3", (10, 10)),
            ("02:00:00", (8, 32_388)),
            ("17:00:12.", (8, 0)),
        ];
        check(cases.map(|(text, found)| (text, Some(found))));
    }

    #[test]
    fn what_would_not_come_back_is_left_alone() {
        let texts = [
            "2025-11-21T17:00:12Z",
            "2026-11-31T17:00:12Z",
            "2026-02-29T17:00:12Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T17:00:60Z",
            "2026-11-21T17:00:12x",
            "2026-11-21T17:00:12Zulu",
            "2026-11-21T17:00:12.3456789012",
            "2026-11-21_17:00:12",
            "2026-11-21T17:00:1",
            "21/nov/2026:17:00:12",
            "17:00",
            "",
        ];
        check(texts.map(|text| (text, None)));
    }

    #[test]
    fn the_year_is_that_of_each_record() {
        let mut times = Times::default();
        // A record in 2026, one in 2025, and again; the texts name no year.
        for ts_ns in [TS_NS, TS_NS - 365 * DAY_S * 1_000_000_000, TS_NS] {
            let found = times.read(b"1121 17:00:12.345678 x", ts_ns).map(|found| found.apart);
            assert_eq!(found, Some(0), "{ts_ns}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_has_one_date() {
        let mut before = (1969, 12, 31);
        for day in 0..146_097 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
            assert!((1..=days_of_month(year, month)).contains(&of_month) && (year, month, of_month) > before);
            before = (year, month, of_month);
        }
        assert_eq!(before, (2369, 12, 31));
    }

    proptest! {
        #[test]
        fn any_difference_writes_without_a_panic(ts in any::<i64>(), apart in any::<i64>(), bytes in any::<[u8; 4]>()) {
            if let Some(stamp) = Stamp::from_bytes(bytes) {
                stamp.write(ts, apart, &mut Vec::new());
            }
        }
    }
}
