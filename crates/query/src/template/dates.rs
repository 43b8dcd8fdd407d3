//! Go's time layouts: text made of pieces of `Mon Jan 2 15:04:05 MST 2006`.

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

/// Pieces of a layout, longest first where one begins another.
const PIECES: &[&str] = &[
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "-07:00:00",
    "-07:00",
    "-0700",
    "-07",
    "Z07:00",
    "Z0700",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "15",
    "PM",
    "pm",
    "_2",
    "1",
    "2",
    "3",
    "4",
    "5",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The next piece of `layout`: its text, and how many bytes; literals are single characters.
fn piece(layout: &str) -> (Option<&str>, usize) {
    if let Some(rest) = layout.strip_prefix(['.', ',']) {
        let digit = if rest.starts_with('0') { '0' } else { '9' };
        let digits = rest.len() - rest.trim_start_matches(digit).len();
        let ends = !rest.get(digits..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if digits > 0 && digits <= 9 && ends {
            return (layout.get(..=digits), digits + 1);
        }
    }
    match PIECES.iter().find(|piece| layout.starts_with(**piece)) {
        Some(piece) => (Some(piece), piece.len()),
        None => (None, layout.chars().next().map_or(1, char::len_utf8)),
    }
}

/// Nanoseconds since the epoch as an instant in UTC.
pub(super) fn utc(ns: i64) -> Zoned {
    Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default().to_zoned(TimeZone::UTC)
}

/// Go's zero time: the first instant of year 1.
pub(super) fn zero() -> Zoned {
    jiff::civil::date(1, 1, 1).to_zoned(TimeZone::UTC).unwrap_or_else(|_| utc(0))
}

/// Writes the instant as `layout` says.
pub(super) fn format(layout: &str, local: &Zoned) -> String {
    let mut out = String::new();
    let mut rest = layout;
    while !rest.is_empty() {
        let (found, length) = piece(rest);
        match found {
            Some(piece) => out.push_str(&piece_text(piece, local)),
            None => out.push_str(rest.get(..length).unwrap_or_default()),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// One piece of a layout for this instant.
fn piece_text(piece: &str, local: &Zoned) -> String {
    let offset = local.offset().seconds();
    let hour12 = (local.hour() + 11) % 12 + 1;
    let name = |names: &[&'static str], at: i8| {
        usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default()
    };
    let month = name(&MONTHS, local.month() - 1);
    let day = name(&DAYS, local.weekday().to_monday_zero_offset());
    let half = if local.hour() >= 12 { "PM" } else { "AM" };
    match piece {
        "January" => month.to_owned(),
        "Jan" => month.chars().take(3).collect(),
        "Monday" => day.to_owned(),
        "Mon" => day.chars().take(3).collect(),
        "MST" => abbreviation(local),
        "2006" => format!("{:04}", local.year()),
        "06" => format!("{:02}", local.year().rem_euclid(100)),
        "002" => format!("{:03}", local.day_of_year()),
        "01" => format!("{:02}", local.month()),
        "1" => local.month().to_string(),
        "02" => format!("{:02}", local.day()),
        "_2" => format!("{:2}", local.day()),
        "2" => local.day().to_string(),
        "15" => format!("{:02}", local.hour()),
        "03" => format!("{hour12:02}"),
        "3" => hour12.to_string(),
        "04" => format!("{:02}", local.minute()),
        "4" => local.minute().to_string(),
        "05" => format!("{:02}", local.second()),
        "5" => local.second().to_string(),
        "PM" => half.to_owned(),
        "pm" => half.to_lowercase(),
        zone if zone.starts_with(['-', 'Z']) => zone_text(offset, zone),
        fraction => fraction_text(fraction, local.subsec_nanosecond()),
    }
}

/// The zone's short name; an offset without a name is written out.
fn abbreviation(local: &Zoned) -> String {
    let info = local.time_zone().to_offset_info(local.timestamp());
    let name = info.abbreviation();
    if name.starts_with(['+', '-']) { zone_text(local.offset().seconds(), "-0700") } else { name.to_owned() }
}

fn zone_text(offset: i32, piece: &str) -> String {
    if piece.starts_with('Z') && offset == 0 {
        return "Z".to_owned();
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    match piece {
        "-07" => format!("{sign}{hours:02}"),
        "-0700" | "Z0700" => format!("{sign}{hours:02}{minutes:02}"),
        "-07:00:00" => format!("{sign}{hours:02}:{minutes:02}:{:02}", offset.abs() % 60),
        _ => format!("{sign}{hours:02}:{minutes:02}"),
    }
}

fn fraction_text(piece: &str, ns: i32) -> String {
    let digits = format!("{ns:09}");
    let kept = digits.get(..piece.len() - 1).unwrap_or_default();
    let mark = piece.get(..1).unwrap_or_default();
    if piece.ends_with('0') {
        return format!("{mark}{kept}");
    }
    match kept.trim_end_matches('0') {
        "" => String::new(),
        kept => format!("{mark}{kept}"),
    }
}

/// What a parsed text said.
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    ns: i32,
    pm: Option<bool>,
    offset: Option<i32>,
}

/// Reads `text` as `layout` says; a text without a zone is in `zone`. `None` when it does not fit.
pub(super) fn parse(layout: &str, text: &str, zone: &TimeZone) -> Option<Zoned> {
    let mut parts =
        Parts { year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0, ns: 0, pm: None, offset: None };
    let (mut rest, mut input) = (layout, text);
    while !rest.is_empty() {
        let (found, length) = piece(rest);
        let literal = rest.get(..length)?;
        input = match found {
            None => input.strip_prefix(literal)?,
            Some(piece) => take(&mut parts, piece, input)?,
        };
        rest = rest.get(length..)?;
        if found.is_some_and(|piece| piece == "05" || piece == "5")
            && !matches!(piece(rest), (Some(p), _) if p.starts_with(['.', ',']))
            && input.starts_with('.')
        {
            input = take(&mut parts, ".9", input)?;
        }
    }
    if !input.is_empty() {
        return None;
    }
    if let Some(pm) = parts.pm {
        parts.hour = parts.hour % 12 + if pm { 12 } else { 0 };
    }
    let civil = jiff::civil::DateTime::new(
        parts.year,
        parts.month,
        parts.day,
        parts.hour,
        parts.minute,
        parts.second,
        parts.ns,
    );
    let zone = parts
        .offset
        .map_or_else(|| zone.clone(), |s| TimeZone::fixed(Offset::from_seconds(s).unwrap_or(Offset::UTC)));
    civil.ok()?.to_zoned(zone).ok()
}

/// Reads one piece off `input`.
fn take<'a>(parts: &mut Parts, piece: &str, input: &'a str) -> Option<&'a str> {
    let digits = |least: usize, most: usize| {
        let found = input.bytes().take(most).take_while(u8::is_ascii_digit).count();
        (found >= least).then(|| input.split_at(found))
    };
    let name = |names: &[&str], short: bool| {
        names.iter().zip(1_i8..).find_map(|(name, at)| {
            let name = if short { name.get(..3)? } else { name };
            let head = input.get(..name.len())?;
            head.eq_ignore_ascii_case(name).then(|| (at, input.get(name.len()..).unwrap_or_default()))
        })
    };
    let mut number = |slot: fn(&mut Parts) -> &mut i8, least: usize| {
        let (text, rest) = digits(least, 2)?;
        *slot(parts) = text.parse().ok()?;
        Some(rest)
    };
    match piece {
        "01" => number(|p| &mut p.month, 2),
        "1" => number(|p| &mut p.month, 1),
        "02" => number(|p| &mut p.day, 2),
        "2" => number(|p| &mut p.day, 1),
        "15" | "03" => number(|p| &mut p.hour, 2),
        "3" => number(|p| &mut p.hour, 1),
        "04" => number(|p| &mut p.minute, 2),
        "4" => number(|p| &mut p.minute, 1),
        "05" => number(|p| &mut p.second, 2),
        "5" => number(|p| &mut p.second, 1),
        "_2" => take(parts, "2", input.trim_start_matches(' ')),
        "2006" => digits(4, 4).and_then(|(text, rest)| {
            parts.year = text.parse().ok()?;
            Some(rest)
        }),
        "06" => digits(2, 2).and_then(|(text, rest)| {
            let short: i16 = text.parse().ok()?;
            parts.year = if short >= 69 { 1900 + short } else { 2000 + short };
            Some(rest)
        }),
        "January" => name(&MONTHS, false).map(|(at, rest)| {
            parts.month = at;
            rest
        }),
        "Jan" => name(&MONTHS, true).map(|(at, rest)| {
            parts.month = at;
            rest
        }),
        "Monday" => name(&DAYS, false).map(|(_, rest)| rest),
        "Mon" => name(&DAYS, true).map(|(_, rest)| rest),
        "PM" | "pm" => {
            let head = input.get(..2)?;
            parts.pm = Some(head.eq_ignore_ascii_case("pm"));
            head.to_ascii_lowercase().ends_with('m').then(|| input.get(2..).unwrap_or_default())
        }
        "MST" => {
            let end = input.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(input.len());
            parts.offset = Some(0);
            (end > 0).then(|| input.get(end..).unwrap_or_default())
        }
        zone if zone.starts_with(['-', 'Z']) => offset(parts, input),
        fraction if fraction.starts_with(['.', ',']) => {
            let Some(body) = input.strip_prefix(['.', ',']) else {
                return fraction.ends_with('9').then_some(input);
            };
            let found = body.bytes().take_while(u8::is_ascii_digit).count();
            let (text, rest) = body.split_at(found);
            parts.ns = format!("{text:0<9}").get(..9)?.parse().ok()?;
            Some(rest)
        }
        _ => None,
    }
}

fn offset<'a>(parts: &mut Parts, input: &'a str) -> Option<&'a str> {
    if let Some(rest) = input.strip_prefix('Z') {
        parts.offset = Some(0);
        return Some(rest);
    }
    let sign = if input.starts_with('-') { -1 } else { 1 };
    let body = input.strip_prefix(['+', '-'])?;
    let hours: i32 = body.get(..2)?.parse().ok()?;
    let rest = body.get(2..)?;
    let colon = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = match colon.get(..2).and_then(|text| text.parse::<i32>().ok()) {
        Some(minutes) => (minutes, colon.get(2..)?),
        None => (0, rest),
    };
    parts.offset = Some(sign * (hours * 3600 + minutes * 60));
    Some(rest)
}
