//! Little-endian numbers, varints and length-prefixed bytes, written to a `Vec<u8>` and read back with bounds checked.
//!
//! Nothing here panics on hostile input: every read says [`Damage`] instead.

use crate::error::Damage;

/// Longest varint of 64 bits, in bytes.
const VARINT_BYTES_MAX: u32 = 10;

/// Appends an LEB128 varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    if value < 1 << 56 {
        let (bytes, len) = spread(value);
        let end = out.len() + len;
        out.extend_from_slice(&bytes);
        return out.truncate(end);
    }
    let (mut bytes, mut len) = ([0; VARINT_BYTES_MAX as usize], 0);
    while value >= 0x80 {
        bytes[len] = value.to_le_bytes()[0] | 0x80;
        (value, len) = (value >> 7, len + 1);
    }
    bytes[len] = value.to_le_bytes()[0];
    out.extend_from_slice(&bytes[..=len]);
}

/// The varint of a value of up to 56 bits, and its length: without a branch, for nobody can guess lengths.
#[inline]
fn spread(value: u64) -> ([u8; 8], usize) {
    // Halves move apart, then quarters, then eighths, so that each byte has seven bits.
    let halves = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
    let quarters = halves & 0x0000_3fff_0000_3fff | (halves & 0x0fff_c000_0fff_c000) << 2;
    let sevens = quarters & 0x007f_007f_007f_007f | (quarters & 0x3f80_3f80_3f80_3f80) << 1;
    // A seventh of the highest bit's number, rounded down.
    let more = ((value | 1).ilog2() * 37) >> 8;
    let continued = 0x8080_8080_8080_8080 & ((1 << (8 * more)) - 1);
    ((sevens | continued).to_le_bytes(), more as usize + 1)
}

/// Appends a signed varint (zigzag).
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends a varint length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the `put_*` functions wrote, front to back.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Damage> {
        match self.rest.split_at_checked(len) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(Damage(format!("ends {} bytes early", len - self.rest.len()))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    /// One byte.
    ///
    /// # Errors
    /// At the end.
    pub fn u8(&mut self) -> Result<u8, Damage> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// At the end.
    pub fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// At the end.
    pub fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }

    /// Eight bytes as the bits of a float.
    ///
    /// # Errors
    /// At the end.
    pub fn f64(&mut self) -> Result<f64, Damage> {
        self.u64().map(f64::from_bits)
    }

    /// A varint.
    ///
    /// # Errors
    /// At the end, or when it is longer than 64 bits.
    pub fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0_u64;
        for at in 0..VARINT_BYTES_MAX {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damage::new("a varint is longer than 64 bits"))
    }

    /// A signed varint.
    ///
    /// # Errors
    /// As [`varint`](Self::varint).
    pub fn signed(&mut self) -> Result<i64, Damage> {
        let raw = self.varint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A varint that counts things each of at least `bytes_min` bytes in what is left; bounds allocations.
    ///
    /// # Errors
    /// When so many cannot follow.
    pub fn count(&mut self, bytes_min: usize) -> Result<usize, Damage> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if count.saturating_mul(bytes_min) > self.rest.len() {
            return Err(Damage(format!("claims {count} items in {} bytes", self.rest.len())));
        }
        Ok(count)
    }

    /// A varint as `u32`.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn varint32(&mut self) -> Result<u32, Damage> {
        u32::try_from(self.varint()?).map_err(|_| Damage::new("a number does not fit 32 bits"))
    }

    /// Length-prefixed bytes.
    ///
    /// # Errors
    /// When fewer are left than announced.
    pub fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let len = self.count(1)?;
        self.take(len)
    }

    /// Length-prefixed UTF-8.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn str(&mut self) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damage::new("a text is not UTF-8"))
    }
}

/// Decompresses a zstd frame that may not exceed `bytes_max`.
///
/// # Errors
/// When it is not zstd or larger than it may be.
pub fn unzstd(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, Damage> {
    use std::io::Read;
    let mut out = Vec::new();
    let decoder = zstd::Decoder::new(bytes).map_err(|error| Damage(format!("zstd: {error}")))?;
    decoder
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|error| Damage(format!("zstd: {error}")))?;
    if out.len() > bytes_max {
        return Err(Damage(format!("a block decompresses to more than {bytes_max} bytes")));
    }
    Ok(out)
}

/// Compresses with zstd; it can only fail for want of memory, and then the error says so.
///
/// # Errors
/// What the library says.
pub fn zstd(bytes: &[u8], level: i32) -> Result<Vec<u8>, Damage> {
    zstd::encode_all(bytes, level).map_err(|error| Damage(format!("zstd: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let mut out = Vec::new();
        for value in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            put_signed(&mut out, value);
        }
        put_varint(&mut out, u64::MAX);
        put_bytes(&mut out, b"abc");
        let mut reader = Reader::new(&out);
        for value in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            assert_eq!(reader.signed(), Ok(value));
        }
        assert_eq!(reader.varint(), Ok(u64::MAX));
        assert_eq!(reader.str(), Ok("abc"));
        assert!(reader.is_empty());
    }

    #[test]
    fn varints_are_as_short_as_they_can_be() {
        for bits in 0..64_u32 {
            for value in [1 << bits, (1 << bits) - 1, 0x5555_5555_5555_5555 >> (63 - bits)] {
                let mut out = vec![7];
                put_varint(&mut out, value);
                let len = (64 - (value | 1).leading_zeros()).div_ceil(7) as usize;
                assert_eq!((out.len(), Reader::new(&out[1..]).varint()), (1 + len, Ok(value)), "{value:x}");
            }
        }
    }

    #[test]
    fn hostile_bytes_are_damage_not_panic() {
        assert!(Reader::new(&[0x80; 11]).varint().is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0x7f]).bytes().is_err());
        assert!(Reader::new(&[]).u64().is_err());
        assert!(unzstd(&zstd(&[7; 1000], 1).expect("zstd"), 999).is_err());
    }
}
