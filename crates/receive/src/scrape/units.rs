//! Durations and sizes as Prometheus' configuration writes them: `1h30m`, `15MB`.

use serde::{Deserialize, Deserializer};
use std::fmt;
use std::str::FromStr;

/// A duration in milliseconds; `1h30m` is 5,400,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PromDuration {
    /// Milliseconds.
    pub ms: u64,
}

/// Unit, milliseconds in it, and whether it is printed only when nothing would be left over.
const DURATION_UNITS: [(&str, u64, bool); 7] = [
    ("y", 365 * 24 * 3_600_000, true),
    ("w", 7 * 24 * 3_600_000, true),
    ("d", 24 * 3_600_000, false),
    ("h", 3_600_000, false),
    ("m", 60_000, false),
    ("s", 1_000, false),
    ("ms", 1, false),
];

impl FromStr for PromDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("not a valid duration string: {text:?}: write it as 15s, 1m30s or 2h");
        if text.is_empty() {
            return Err("empty duration string: write it as 15s, 1m30s or 2h".into());
        }
        if text == "0" {
            return Ok(Self::default());
        }
        let (mut rest, mut ms, mut units) = (text, 0_u64, DURATION_UNITS.iter());
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0).ok_or_else(bad)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
            let (unit, after) = tail.split_at(letters);
            let (_, scale, _) = units.find(|(name, _, _)| *name == unit).ok_or_else(bad)?;
            let amount = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*scale));
            ms = amount.and_then(|amount| ms.checked_add(amount)).ok_or("duration out of range")?;
            rest = after;
        }
        Ok(Self { ms })
    }
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ms == 0 {
            return f.write_str("0s");
        }
        let mut left = self.ms;
        for (unit, scale, exact) in DURATION_UNITS {
            if left < scale || (exact && !left.is_multiple_of(scale)) {
                continue;
            }
            write!(f, "{}{unit}", left / scale)?;
            left %= scale;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for PromDuration {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A size in bytes; units are powers of 1024 (`KB` and `KiB` alike), as Prometheus reads them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromBytes {
    /// Bytes; 0 is no limit.
    pub bytes: u64,
}

impl FromStr for PromBytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("not a valid size: {text:?}: write it as 512KB, 15MB or 1GB");
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: u64 = number.parse().map_err(|_| bad())?;
        let power = match unit {
            "B" => 0,
            "KB" | "KiB" => 1,
            "MB" | "MiB" => 2,
            "GB" | "GiB" => 3,
            "TB" | "TiB" => 4,
            "" if number == 0 => 0,
            _ => return Err(bad()),
        };
        Ok(Self { bytes: number.checked_mul(1 << (10 * power)).ok_or_else(bad)? })
    }
}

impl<'de> Deserialize<'de> for PromBytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_prometheus_does() {
        for (text, ms, printed) in [
            ("0", 0, "0s"),
            ("15s", 15_000, "15s"),
            ("1m30s", 90_000, "1m30s"),
            ("90s", 90_000, "1m30s"),
            ("1h", 3_600_000, "1h"),
            ("7d", 604_800_000, "1w"),
            ("8d", 691_200_000, "8d"),
            ("1y", 31_536_000_000, "1y"),
            ("1500ms", 1_500, "1s500ms"),
        ] {
            let duration: PromDuration = text.parse().expect(text);
            assert_eq!((duration.ms, duration.to_string().as_str()), (ms, printed));
        }
        for bad in ["", "15", "s", "1m1h", "1.5s", "-1s", "1s1s", "99999999999999y"] {
            assert!(bad.parse::<PromDuration>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("0", 0), ("10B", 10), ("1KB", 1024), ("2MiB", 2 << 20), ("3GB", 3 << 30)] {
            assert_eq!(text.parse::<PromBytes>().map(|size| size.bytes), Ok(bytes));
        }
        for bad in ["", "10", "MB", "1.5MB", "99999999999TB"] {
            assert!(bad.parse::<PromBytes>().is_err(), "{bad}");
        }
    }
}
