//! Trace and span ids: fixed-size binary, printed as lower-case hex at full width.
//!
//! Clients drop leading zeros or send 64-bit trace ids; parsing pads on the left, so both forms find the same trace.

use std::fmt;
use std::str::FromStr;

/// 128-bit trace id; all zero means "none".
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// 64-bit span id; all zero means "none".
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// The text was not 1 to 32 (trace) or 1 to 16 (span) hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a hexadecimal id of the right length")]
pub struct IdError;

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
    let digits = text.as_bytes();
    if digits.is_empty() || digits.len() > 2 * N {
        return Err(IdError);
    }
    let mut id = [0; N];
    for (at, digit) in digits.iter().rev().enumerate() {
        let nibble = char::from(*digit).to_digit(16).ok_or(IdError)?;
        id[N - 1 - at / 2] |= u8::try_from(nibble).map_err(|_| IdError)? << (4 * (at % 2));
    }
    Ok(id)
}

macro_rules! id {
    ($name:ident, $bytes:literal) => {
        impl $name {
            /// Whether every byte is zero.
            #[must_use]
            pub fn is_none(self) -> bool {
                self.0 == [0; $bytes]
            }

            /// From a protocol's byte string: shorter is padded on the left, empty is "none", longer is refused.
            #[must_use]
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let pad = ($bytes as usize).checked_sub(bytes.len())?;
                let mut id = [0; $bytes];
                id[pad..].copy_from_slice(bytes);
                Some(Self(id))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(TraceId, 16);
id!(SpanId, 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_are_padded_on_the_left() {
        let id: TraceId = "abc".parse().expect("hex");
        assert_eq!(id.to_string(), "00000000000000000000000000000abc");
        assert_eq!(SpanId::from_bytes(&[1, 2]).expect("short").to_string(), "0000000000000102");
        assert_eq!("".parse::<SpanId>(), Err(IdError));
        assert_eq!("xyz".parse::<SpanId>(), Err(IdError));
        assert_eq!(SpanId::from_bytes(&[0; 9]), None);
    }
}
