//! Numbers as texts write them: the value and how many digits it takes.

/// Most digits of one.
pub(crate) const NUMBER_DIGITS_MAX: usize = 17;
/// Bits of the value: 10^17 is less than 2^57.
const VALUE_BITS: u32 = 59;

/// One to [`NUMBER_DIGITS_MAX`] digits; leading zeros count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(u64);

impl Number {
    /// The digits that end before byte `end` of `text`, `len` of them, at most [`NUMBER_DIGITS_MAX`].
    pub(crate) fn read(text: &[u8], end: usize, len: usize) -> Self {
        if len <= 8 {
            return Self::of(low_digits(text, end, len), len);
        }
        let (mut value, mut at, mut scale) = (0, end, 1);
        let mut left = len;
        while left > 0 {
            let take = left.min(8);
            value += scale * low_digits(text, at, take);
            scale = u64::wrapping_mul(scale, 100_000_000);
            at -= take;
            left -= take;
        }
        Self::of(value, len)
    }

    /// `value` in `digits` digits.
    pub(crate) fn of(value: u64, digits: usize) -> Self {
        Self((digits as u64) << VALUE_BITS | value & ((1 << VALUE_BITS) - 1))
    }

    /// As it was packed.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Packed.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn value(self) -> u64 {
        self.0 & ((1 << VALUE_BITS) - 1)
    }

    /// Digits.
    pub(crate) fn digits(self) -> usize {
        (self.0 >> VALUE_BITS) as usize
    }

    /// Whether it begins with a zero that says nothing.
    pub(crate) fn is_padded(self) -> bool {
        self.digits().checked_sub(1).filter(|more| *more > 0).is_some_and(|more| self.value() < power(more))
    }

    /// What filters on disk know it by.
    pub(crate) fn hash(self) -> u64 {
        let (low, high) = (self.0 ^ 0x9e37_79b9_7f4a_7c15).carrying_mul(0xd1b5_4a32_d192_ed03, 0);
        low ^ high
    }
}

/// Ten to the power of `digits`, at most [`NUMBER_DIGITS_MAX`].
pub(crate) fn power(digits: usize) -> u64 {
    const POWERS: [u64; NUMBER_DIGITS_MAX + 1] = {
        let mut powers = [1; NUMBER_DIGITS_MAX + 1];
        let mut at = 1;
        while at < powers.len() {
            powers[at] = powers[at - 1] * 10;
            at += 1;
        }
        powers
    };
    POWERS[digits.min(NUMBER_DIGITS_MAX)]
}

/// The value of the `len` digits that end before byte `end`, at most eight.
fn low_digits(text: &[u8], end: usize, len: usize) -> u64 {
    let head = end
        .checked_sub(8)
        .and_then(|start| text.get(start..end))
        .and_then(|digits| digits.first_chunk::<8>());
    let Some(eight) = head else {
        let digits = text.get(end.saturating_sub(len)..end).unwrap_or_default();
        return digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit & 15));
    };
    eight_digits(u64::from_le_bytes(*eight) & 0x0f0f_0f0f_0f0f_0f0f & (!0 << (64 - 8 * len)))
}

/// The bytes of `bytes` that are over 9 have their highest bit set here.
pub(crate) fn over_nine(bytes: u64) -> u64 {
    (((bytes & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | bytes) & 0x8080_8080_8080_8080
}

/// The value of eight digits, each 0 to 9, the first in the lowest byte.
pub(crate) fn eight_digits(digits: u64) -> u64 {
    // Neighbours are joined to pairs, those to fours, those to eight.
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_wherever_they_stand() {
        for digits in ["0", "7", "007", "12345678", "123456789", "99999999999999999", "00000000000000001"] {
            for before in ["", "x", "abc 9876 "] {
                let text = format!("{before}{digits} 55");
                let number = Number::read(text.as_bytes(), before.len() + digits.len(), digits.len());
                assert_eq!(
                    (number.value(), number.digits()),
                    (digits.parse().expect("number"), digits.len())
                );
                assert_eq!(number.is_padded(), digits.len() > 1 && digits.starts_with('0'), "{digits}");
                assert_eq!(Number::from_bits(number.bits()), number);
            }
        }
    }
}
