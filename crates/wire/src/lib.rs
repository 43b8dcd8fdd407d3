//! Bytes to nouns and back: every protocol the ecosystem's clients speak.
