//! Undoes compression, with a bound on what comes out: a small body must not unpack into all of memory.
//!
//! Output grows as it is produced, never by what a header claims.

use crate::WireError;
use std::io::Read;

/// An HTTP `Content-Encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950 (zlib), which HTTP calls deflate.
    Deflate,
    /// RFC 8878.
    Zstd,
    /// Snappy block format.
    Snappy,
}

impl Encoding {
    /// From the header's value; an absent or empty header is [`Encoding::Identity`].
    ///
    /// # Errors
    /// [`WireError::Unsupported`] for any other name.
    pub fn from_header(value: &str) -> Result<Self, WireError> {
        match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            "zstd" => Ok(Self::Zstd),
            "snappy" => Ok(Self::Snappy),
            other => Err(WireError::Unsupported(format!(
                "Content-Encoding {other:?}: send gzip, zstd, deflate or snappy"
            ))),
        }
    }

    /// Unpacks `bytes` into at most `bytes_max` bytes; `None` when they are not packed.
    ///
    /// # Errors
    /// As [`gunzip`].
    pub fn unpack(self, bytes: &[u8], bytes_max: usize) -> Result<Option<Vec<u8>>, WireError> {
        match self {
            Self::Identity => Ok(None),
            Self::Gzip => gunzip(bytes, bytes_max).map(Some),
            Self::Deflate => inflate(bytes, bytes_max).map(Some),
            Self::Zstd => zstd(bytes, bytes_max).map(Some),
            Self::Snappy => snappy(bytes, bytes_max).map(Some),
        }
    }
}

/// Unpacks gzip, all members of it.
///
/// # Errors
/// [`WireError::TooLarge`] above `bytes_max` bytes of output, [`WireError::Malformed`] when the data is damaged or cut off.
pub fn gunzip(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, WireError> {
    read_bounded(flate2::bufread::MultiGzDecoder::new(bytes), "gzip", bytes_max)
}

/// Unpacks zlib, HTTP's `deflate`.
///
/// # Errors
/// As [`gunzip`].
pub fn inflate(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, WireError> {
    read_bounded(flate2::bufread::ZlibDecoder::new(bytes), "deflate", bytes_max)
}

/// Largest window a zstd frame may ask for, as a power of two: 8 MiB, what RFC 9659 tells HTTP clients to stay under.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Unpacks zstd, all frames of it.
///
/// # Errors
/// As [`gunzip`]; a frame that wants a window above 2^[`ZSTD_WINDOW_LOG_MAX`] bytes is malformed too.
pub fn zstd(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, WireError> {
    let broken = |error: std::io::Error| WireError::malformed(format!("zstd: {error}"));
    let mut decoder = ::zstd::stream::read::Decoder::with_buffer(bytes).map_err(broken)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
    read_bounded(decoder, "zstd", bytes_max)
}

/// Unpacks snappy's block format, whose first bytes say how long the result is; a claim that the input is too short to
/// fulfil is refused before anything is allocated, and so is one above `bytes_max`.
///
/// # Errors
/// As [`gunzip`].
pub fn snappy(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, WireError> {
    snappy_with_room(bytes, bytes_max, 0)
}

/// [`snappy`] with room for `room` bytes more behind what it unpacks.
///
/// # Errors
/// As [`gunzip`].
pub fn snappy_with_room(bytes: &[u8], bytes_max: usize, room: usize) -> Result<Vec<u8>, WireError> {
    let len = snappy_len(bytes, bytes_max)?;
    let mut out = vec![0; len.saturating_add(room)];
    let len = snap::raw::Decoder::new().decompress(bytes, &mut out).map_err(|error| snappy_broken(&error))?;
    out.truncate(len);
    Ok(out)
}

fn snappy_broken(error: &snap::Error) -> WireError {
    WireError::malformed(format!("snappy: {error}"))
}

/// How long the result says it is.
fn snappy_len(bytes: &[u8], bytes_max: usize) -> Result<usize, WireError> {
    let claimed = snap::raw::decompress_len(bytes).map_err(|error| snappy_broken(&error))?;
    if claimed / SNAPPY_RATIO_MAX > bytes.len() {
        return Err(WireError::malformed(format!(
            "snappy: {} bytes cannot hold the {claimed} they claim",
            bytes.len()
        )));
    }
    if claimed > bytes_max {
        return Err(too_large(bytes_max));
    }
    Ok(claimed)
}

/// The most output that one byte of snappy can stand for: a copy element of 3 bytes yields at most 64.
const SNAPPY_RATIO_MAX: usize = 22;

fn too_large(bytes_max: usize) -> WireError {
    WireError::TooLarge { what: "decompressed body in bytes", limit: bytes_max }
}

fn read_bounded(reader: impl Read, format: &str, bytes_max: usize) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::new();
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    reader
        .take(bound)
        .read_to_end(&mut out)
        .map_err(|error| WireError::malformed(format!("{format}: {error}")))?;
    if out.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const MAX: usize = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_packed_comes_back() {
        let text = b"hello hello hello hello".repeat(100);
        assert_eq!(gunzip(&gzip(&text), MAX).unwrap(), text);
        let mut members = gzip(b"a");
        members.extend(gzip(b"b"));
        assert_eq!(gunzip(&members, MAX).unwrap(), b"ab");
        assert_eq!(zstd(&::zstd::encode_all(&text[..], 1).unwrap(), MAX).unwrap(), text);
        for text in [&text[..], b"short", b"", &text] {
            let packed = snap::raw::Encoder::new().compress_vec(text).unwrap();
            assert_eq!(snappy(&packed, MAX).unwrap(), text);
            assert_eq!(snappy_with_room(&packed, MAX, 9).unwrap(), text);
        }
        assert_eq!(Encoding::from_header("GZIP").unwrap().unpack(&gzip(b"x"), 1), Ok(Some(b"x".to_vec())));
        assert!(matches!(Encoding::from_header("br"), Err(WireError::Unsupported(_))));
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let zeros = vec![0; 64 << 20];
        let too_large = Err(too_large(MAX));
        assert_eq!(gunzip(&gzip(&zeros), MAX), too_large);
        assert_eq!(zstd(&::zstd::encode_all(&zeros[..], 1).unwrap(), MAX), too_large);
        assert_eq!(snappy(&snap::raw::Encoder::new().compress_vec(&zeros).unwrap(), MAX), too_large);
    }

    #[test]
    fn a_claim_of_four_gigabytes_allocates_nothing() {
        let claim = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x00];
        assert!(matches!(snappy(&claim, MAX), Err(WireError::Malformed(_))));
        assert!(matches!(snappy(&claim, usize::MAX), Err(WireError::Malformed(_))));
    }

    #[test]
    fn damaged_input_is_an_error() {
        for bytes in [&b""[..], b"\x1f\x8b", b"garbage", &gzip(b"abc")[..10]] {
            assert!(gunzip(bytes, MAX).is_err(), "{bytes:?}");
        }
        assert!(zstd(b"garbage", MAX).is_err());
        assert!(snappy(b"\x05abc", MAX).is_err());
    }
}
