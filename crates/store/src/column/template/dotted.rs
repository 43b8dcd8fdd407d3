//! Digits joined by dots that are one value: decimal numbers and IPv4 addresses. One slot of a template costs what
//! another does, so these take one rather than two or four.

use super::super::number::{NUMBER_DIGITS_MAX, Number, over_nine, power};
use super::masks::digits;
use super::tokens::{is_digit, is_plain_letter, is_run_byte};

/// Most digits behind the point of a decimal number.
pub(super) const FRACTION_DIGITS_MAX: usize = 9;
/// Longest last run, so that it is cut into digits and letters wherever it is cut.
const RUN_BYTES_MAX: usize = 32;
/// Most digits of one of an address' four numbers.
const OCTET_DIGITS_MAX: u32 = 3;

/// A value found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dotted {
    /// The digits without the point, as a number, and how many stand behind the point.
    Decimal(u64, usize),
    /// Its four numbers, the first in the highest byte.
    Address(u32),
}

/// Whether the digits would come back from their value.
fn is_canonical(digits: &[u8]) -> bool {
    digits == b"0" || digits.first().is_some_and(|digit| *digit != b'0')
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) dotted: Dotted,
    pub(crate) end: usize,
    /// Where its last run ends: a unit may follow a decimal number.
    pub(crate) run_end: usize,
}

/// The value whose first digits are the run `start..end` of `text`.
pub(crate) fn read(text: &[u8], start: usize, end: usize) -> Option<Found> {
    let first = text.get(start..end)?;
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    if before == Some(&b'.') || text.get(end) != Some(&b'.') || !is_canonical(first) {
        return None;
    }
    let second = text.get(end + 1..)?;
    let len = digits(second);
    let after = second.get(len..)?;
    if len == 0 {
        return None;
    }
    if after.first() == Some(&b'.') && after.get(1).is_some_and(u8::is_ascii_digit) {
        return address(text, start);
    }
    if len > FRACTION_DIGITS_MAX || first.len() + len > NUMBER_DIGITS_MAX {
        return None;
    }
    let number_end = end + 1 + len;
    let value = |end, digits| Number::read(text, end, digits).value();
    let scaled = value(end, first.len()) * power(len) + value(number_end, len);
    let run_end = number_end + unit(after)?;
    (run_end - end <= RUN_BYTES_MAX).then_some(Found {
        dotted: Dotted::Decimal(scaled, len),
        end: number_end,
        run_end,
    })
}

/// Bytes of the letters that follow a number and are a unit, if letters that are none do not follow.
fn unit(after: &[u8]) -> Option<usize> {
    let len = after.iter().position(|byte| !is_run_byte(*byte)).unwrap_or(after.len());
    let letters = after.get(..len)?;
    let fits = letters.is_empty()
        || letters.iter().any(|byte| is_plain_letter(*byte)) && !letters.iter().any(|byte| is_digit(*byte));
    fits.then_some(len)
}

/// The number of an address that `text` begins with, in its canonical form, and its digits.
fn octet_of(text: [u8; 4]) -> Option<(u32, usize)> {
    let digits = u32::from_le_bytes(text) ^ 0x3030_3030;
    let len = over_nine(digits.into()).trailing_zeros() / 8;
    if !(1..=OCTET_DIGITS_MAX).contains(&len) || len > 1 && digits.to_le_bytes()[0] == 0 {
        return None;
    }
    // The last digit goes to the highest byte, zeros come before the first.
    let [_, hundreds, tens, ones] = (digits << (8 * (4 - len))).to_le_bytes().map(u32::from);
    let value = hundreds * 100 + tens * 10 + ones;
    (value < 256).then_some((value, len as usize))
}

/// The address at `start`; a dot with a digit or a letter behind it means that it is none.
fn address(text: &[u8], start: usize) -> Option<Found> {
    let (mut at, mut address) = (start, 0);
    for octet in 0..4 {
        let rest = text.get(at..)?;
        let rest = if octet == 0 { rest } else { rest.strip_prefix(b".")? };
        let (number, len) = match rest.first_chunk() {
            Some(four) => octet_of(*four)?,
            None => octet_of(std::array::from_fn(|at| rest.get(at).copied().unwrap_or(0)))?,
        };
        address = address << 8 | number;
        at += len + usize::from(octet > 0);
    }
    let ends = match text.get(at) {
        Some(b'.') => text.get(at + 1).is_none_or(|byte| !is_run_byte(*byte)),
        Some(byte) => !is_run_byte(*byte),
        None => true,
    };
    ends.then_some(Found { dotted: Dotted::Address(address), end: at, run_end: at })
}

fn put(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), value);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 || at == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

/// Appends a decimal number.
pub(super) fn write_decimal(scaled: u64, behind: usize, out: &mut Vec<u8>) {
    let unit = 10_u64.pow(u32::try_from(behind.min(FRACTION_DIGITS_MAX)).unwrap_or(0));
    put(out, scaled / unit);
    out.push(b'.');
    let start = out.len();
    out.resize(start + behind.min(FRACTION_DIGITS_MAX), b'0');
    let mut rest = scaled % unit;
    for digit in out.iter_mut().skip(start).rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
}

/// Appends an address.
pub(super) fn write_address(address: u64, out: &mut Vec<u8>) {
    for (at, octet) in u32::try_from(address).unwrap_or(u32::MAX).to_be_bytes().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        put(out, octet.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<(Dotted, usize)>) {
        let end = digits(text.as_bytes());
        let found = read(text.as_bytes(), 0, end).map(|found| (found.dotted, found.end));
        assert_eq!(found, expected, "{text}");
        let Some((dotted, len)) = found else { return };
        let mut out = Vec::new();
        match dotted {
            Dotted::Decimal(scaled, behind) => write_decimal(scaled, behind, &mut out),
            Dotted::Address(address) => write_address(address.into(), &mut out),
        }
        assert_eq!(out, text.as_bytes()[..len], "{text}");
    }

    #[test]
    fn dots_join_digits_to_one_value() {
        check("0.345", Some((Dotted::Decimal(345, 3), 5)));
        check("12.05ms", Some((Dotted::Decimal(1205, 2), 5)));
        check("5.0 (X11", Some((Dotted::Decimal(50, 1), 3)));
        check("1.5.", Some((Dotted::Decimal(15, 1), 3)));
        check("10.2.3.45", Some((Dotted::Address(0x0a02_032d), 9)));
        check("0.0.0.0:80", Some((Dotted::Address(0), 7)));
        check("255.255.255.255.", Some((Dotted::Address(u32::MAX), 15)));
    }

    #[test]
    fn what_would_not_come_back_is_left_alone() {
        for text in ["01.5", "1.", "1.x", "1.2.3", "1.2.3.4.5", "10.2.3.256", "10.02.3.4", "1.5ab", "1.5x7"] {
            check(text, None);
        }
        check("1.0123456789", None);
        assert_eq!(read(b"v1.2", 3, 4), None);
    }

    proptest! {
        #[test]
        fn what_is_found_comes_back(text in "[0-9]{1,12}(\\.[0-9]{1,10}){1,4}[ .a-z]{0,3}") {
            let end = digits(text.as_bytes());
            check(&text, read(text.as_bytes(), 0, end).map(|found| (found.dotted, found.end)));
        }
    }
}
