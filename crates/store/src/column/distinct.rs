//! Numbers the distinct texts of a column in the order in which they come. Short texts are compared as two numbers, so
//! that a text is read once; never written to disk.

use super::halves;

/// Keys that are made at once: their texts are read side by side, so that waiting for one covers the others.
const LOT: usize = 32;
/// Most places of an empty table.
const PLACES_START: usize = 1024;

/// What a text is known by: texts of at most 16 bytes are the same when their keys are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Key {
    head: u64,
    tail: u64,
    len: usize,
}

impl Key {
    #[inline]
    fn of(text: &[u8]) -> Self {
        let (head, tail) = halves(text).unwrap_or_else(|| (xxhash_rust::xxh3::xxh3_64(text), 0));
        Self { head, tail, len: text.len() }
    }

    /// The low bits choose a place.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only low bits are used")]
    fn hash(self) -> usize {
        let head = self.head ^ 0x9e37_79b9_7f4a_7c15;
        let (low, high) = head.carrying_mul(self.tail ^ self.len as u64 ^ 0xd1b5_4a32_d192_ed03, 0);
        (low ^ high) as usize
    }

    fn is_exact(self) -> bool {
        self.len <= 16
    }
}

/// Texts with their numbers.
#[derive(Debug)]
pub(super) struct Distinct<'a> {
    pub(super) texts: Vec<&'a [u8]>,
    keys: Vec<Key>,
    /// The number of a text and one more, where its hash or a place before it says; 0 for none.
    places: Vec<u32>,
}

impl<'a> Distinct<'a> {
    /// For about so many texts.
    pub(super) fn new(texts: usize) -> Self {
        let places = (texts * 2).min(PLACES_START).next_power_of_two();
        Self { texts: Vec::new(), keys: Vec::new(), places: vec![0; places] }
    }

    /// Gives the number of each of `texts` to `on_number`, which says whether to go on.
    pub(super) fn number(&mut self, texts: &[&'a [u8]], mut on_number: impl FnMut(u32) -> bool) -> bool {
        for lot in texts.chunks(LOT) {
            let mut keys = [Key::default(); LOT];
            keys.iter_mut().zip(lot).for_each(|(key, text)| *key = Key::of(text));
            for (text, key) in lot.iter().zip(keys) {
                if !on_number(self.number_of(text, key)) {
                    return false;
                }
            }
        }
        true
    }

    #[inline]
    fn number_of(&mut self, text: &'a [u8], key: Key) -> u32 {
        let mask = self.places.len() - 1;
        let mut at = key.hash() & mask;
        loop {
            let known = self.places[at].wrapping_sub(1);
            let Some(other) = self.keys.get(known as usize) else { break };
            if *other == key && (key.is_exact() || self.texts[known as usize] == text) {
                return known;
            }
            at = (at + 1) & mask;
        }
        let new = u32::try_from(self.texts.len()).unwrap_or(u32::MAX - 1);
        self.places[at] = new + 1;
        self.texts.push(text);
        self.keys.push(key);
        if self.texts.len() * 2 > self.places.len() {
            self.grow();
        }
        new
    }

    fn grow(&mut self) {
        let mut places = vec![0; self.places.len() * 4];
        let mask = places.len() - 1;
        for (number, key) in (1..).zip(&self.keys) {
            let mut at = key.hash() & mask;
            while places[at] != 0 {
                at = (at + 1) & mask;
            }
            places[at] = number;
        }
        self.places = places;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbered_as_they_come() {
        let mut texts: Vec<Vec<u8>> = (0..40).map(|len| vec![b'a'; len]).collect();
        texts.extend((0..5000).map(|at| format!("{at}").into_bytes()));
        texts.extend((0..5000).map(|at| format!("a text that is longer than a key {at}").into_bytes()));
        let twice: Vec<&[u8]> = texts.iter().chain(texts.iter().rev()).map(Vec::as_slice).collect();
        let (mut distinct, mut numbers) = (Distinct::new(1), Vec::new());
        assert!(distinct.number(&twice, |number| {
            numbers.push(number);
            true
        }));
        let count = u32::try_from(texts.len()).expect("few");
        assert_eq!(numbers, (0..count).chain((0..count).rev()).collect::<Vec<_>>());
        assert!(distinct.texts.iter().zip(&texts).all(|(text, expected)| text == expected));
        assert!(!distinct.number(&[b"b", b"b"], |_| false));
    }
}
