//! What decoders share when they fill a batch's arena.

use model::Text;

/// Appends text to an arena; invalid UTF-8 is replaced.
pub(crate) fn push_text(arena: &mut Vec<u8>, bytes: &[u8]) -> Text {
    // Most texts are ASCII, which is told in wide steps.
    if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
        return Text::push(arena, bytes);
    }
    Text::push(arena, String::from_utf8_lossy(bytes).as_bytes())
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
        if let Some(text) = self.seen.get(at).filter(|text| text.bytes(arena) == key) {
            return *text;
        }
        let text = push_text(arena, key);
        if at == self.seen.len() && at < KEYS_MAX {
            self.seen.push(text);
        } else if let Some(slot) = self.seen.get_mut(at) {
            *slot = text;
        }
        text
    }
}
