//! Template columns: lines that differ only in numbers, ids and a few words are stored as one template and columns of
//! what differs.
//!
//! A value is cut at every newline (real, or written `\n` as in JSON), so that stack traces share their frames. A
//! piece is tokenised; runs of letters stay in the template, runs with digits become slots. Rare templates are
//! tokenised again with words as slots too, and what is still rare is kept whole. Lossless for any bytes. Tokenising
//! is what costs, so a sample says first which runs never change, and pieces are compared with what it found.
//!
//! A template is its text with one marker byte per slot. Markers are bytes that UTF-8 never has; a piece that has one
//! is kept whole.

mod decode;
mod dotted;
mod encode;
mod learn;
mod masks;
mod sort;
mod time;
mod tokens;
mod trie;
mod words;

pub use decode::{Needle, TemplateColumn, Verdict};
pub(crate) use dotted::{Dotted, Found, read as read_dotted};
pub use encode::Templates;
pub use sort::Learned;
pub use tokens::RowIds;
pub(crate) use tokens::{Part, parts, runs};

/// A run of up to 19 digits.
pub(crate) const DIGITS: u8 = 0xFF;
/// Four or more lower-case hex digits, not all decimal.
pub(crate) const HEX: u8 = 0xFE;
/// Any text.
pub(crate) const WORD: u8 = 0xFD;
/// The row's trace id in hex: nothing is stored.
pub(crate) const TRACE: u8 = 0xFC;
/// The row's span id in hex: nothing is stored.
pub(crate) const SPAN: u8 = 0xFB;
/// The row's time, written as the [`STAMP_BYTES`](time::STAMP_BYTES) bytes behind it say: the difference is stored.
pub(crate) const TIME: u8 = 0xFA;
/// A decimal number; the digits behind its point stand behind it, as one ASCII digit.
pub(crate) const DECIMAL: u8 = 0xF9;
/// An IPv4 address.
pub(crate) const ADDRESS: u8 = 0xF8;
/// Bytes from here on are markers.
pub(crate) const MARKER_MIN: u8 = 0xF8;

#[cfg(test)]
mod tests;
