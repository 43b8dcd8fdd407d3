//! What decoders share when they fill a batch's arena.

use model::Text;

/// Appends text to an arena; invalid UTF-8 is replaced.
pub(crate) fn push_text(arena: &mut Vec<u8>, bytes: &[u8]) -> Text {
    if is_utf8(bytes) {
        return Text::push(arena, bytes);
    }
    Text::push(arena, String::from_utf8_lossy(bytes).as_bytes())
}

/// Whether text is valid UTF-8.
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    // Most texts are ASCII, which is told in wide steps.
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

/// Where `part` stands in `whole`, if it is a piece of it and not merely equal to one.
pub(crate) fn place(whole: &[u8], part: &[u8]) -> Option<Text> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let inside = start.checked_add(part.len())? <= whole.len();
    let text = Text { start: u32::try_from(start).ok()?, len: u32::try_from(part.len()).ok()? };
    inside.then_some(text)
}

/// Keys as they came in the record before, by position: records of one kind carry the same keys in the same order, so
/// a key is stored once and compared after that.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    seen: Vec<Text>,
}

/// How many positions [`Keys`] remembers.
const KEYS_MAX: usize = 256;

impl Keys {
    /// The key's text; `at` is its position in the record.
    pub(crate) fn intern(&mut self, arena: &mut Vec<u8>, at: usize, key: &[u8]) -> Text {
        if let Some(text) = self.seen(at).filter(|text| text.bytes(arena) == key) {
            return text;
        }
        let text = push_text(arena, key);
        self.remember(at, text);
        text
    }

    /// The text that the key at position `at` had before.
    pub(crate) fn seen(&self, at: usize) -> Option<Text> {
        self.seen.get(at).copied()
    }

    /// Keeps the text of the key at position `at`.
    pub(crate) fn remember(&mut self, at: usize, text: Text) {
        if at == self.seen.len() && at < KEYS_MAX {
            self.seen.push(text);
        } else if let Some(slot) = self.seen.get_mut(at) {
            *slot = text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_that_of_the_piece_itself() {
        let whole = b"abcabc".to_vec();
        let text = |start, len| Some(Text { start, len });
        assert_eq!(place(&whole, &whole[3..5]), text(3, 2));
        assert_eq!(place(&whole, &whole[6..]), text(6, 0));
        assert_eq!(place(&whole[..4], &whole[3..5]), None);
        assert_eq!(place(&whole[1..], &whole[..1]), None);
        assert_eq!(place(&whole, &whole.clone()[..3]), None);
        assert_eq!(place(b"", &whole), None);
    }
}
