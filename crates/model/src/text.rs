//! A slice of a batch's arena: an offset and a length, both in bytes.
//!
//! A [`Text`] means nothing without the arena it was made for; batches hand out `&str` or `&[u8]`, not `Text`.

/// Half-open byte range `start..start + len` of a batch's arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text {
    /// Offset of the first byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Text {
    /// Appends `bytes` to `arena` and returns where they stand.
    ///
    /// An arena holds at most 4 GiB; doors refuse larger requests long before (`REQUEST_BYTES_MAX`), so a longer
    /// arena is a programming error and the text comes back empty rather than pointing at other bytes.
    pub fn push(arena: &mut Vec<u8>, bytes: &[u8]) -> Self {
        let (Ok(start), Ok(len)) = (u32::try_from(arena.len()), u32::try_from(bytes.len())) else {
            debug_assert!(false, "arena above 4 GiB");
            return Self::default();
        };
        arena.extend_from_slice(bytes);
        Self { start, len }
    }

    /// The bytes in `arena`; empty when the range does not lie inside it.
    #[must_use]
    pub fn bytes(self, arena: &[u8]) -> &[u8] {
        let start = self.start as usize;
        arena.get(start..start + self.len as usize).unwrap_or_default()
    }

    /// The bytes as UTF-8; `wire` makes no text of invalid sequences, so the fallback is empty.
    #[must_use]
    pub fn str(self, arena: &[u8]) -> &str {
        std::str::from_utf8(self.bytes(arena)).unwrap_or_default()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The same bytes after their arena was appended to another at `offset`.
    #[must_use]
    pub fn shifted(self, offset: u32) -> Self {
        Self { start: self.start + offset, len: self.len }
    }
}
