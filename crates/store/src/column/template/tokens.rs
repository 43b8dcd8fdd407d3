//! Cuts a piece of text into what stays in the template and what goes into slots.

use super::{DIGITS, HEX, MARKER_MIN, SPAN, TRACE, WORD};
use model::{SpanId, TraceId};

/// Longest run of digits that a number column takes.
const DIGITS_MAX: usize = 19;
/// Shortest run of hex digits that is taken for an id.
const HEX_MIN: usize = 4;
/// A run of letters and digits that changes between the two more often is kept as one slot.
const TURNS_MAX: u32 = 3;

/// The ids of a row, as they may stand in its text.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowIds {
    /// Lower-case hex; `None` when the row has no trace id.
    pub trace: Option<[u8; 32]>,
    /// Lower-case hex; `None` when the row has no span id.
    pub span: Option<[u8; 16]>,
}

impl RowIds {
    /// Digits of a trace id.
    pub(super) const TRACE_DIGITS: usize = 32;

    /// The hex forms of the ids.
    #[must_use]
    pub fn new(trace: TraceId, span: SpanId) -> Self {
        Self { trace: (!trace.is_none()).then(|| hex(trace.0)), span: (!span.is_none()).then(|| hex(span.0)) }
    }
}

fn hex<const N: usize, const M: usize>(bytes: [u8; N]) -> [u8; M] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|at| {
        let byte = bytes.get(at / 2).copied().unwrap_or(0);
        DIGITS[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 15 })]
    })
}

const DELIMITER: u8 = 0;
const DIGIT: u8 = 1;
const HEX_LETTER: u8 = 2;
const LETTER: u8 = 4;
const FORBIDDEN: u8 = 8;

/// What a byte is; bytes of multi-byte characters count as letters.
static CLASS: [u8; 256] = {
    let mut class = [DELIMITER; 256];
    let mut byte: u8 = 0;
    loop {
        class[byte as usize] = match byte {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => HEX_LETTER,
            b'g'..=b'z' | b'A'..=b'Z' | 0x80..=0xF7 => LETTER,
            MARKER_MIN..=0xFF => FORBIDDEN,
            _ => DELIMITER,
        };
        if byte == u8::MAX {
            break class;
        }
        byte += 1;
    }
};

fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// Whether `byte` is a letter that no number and no lower-case hex id has.
pub(super) fn is_plain_letter(byte: u8) -> bool {
    class(byte) == LETTER
}

/// Whether `byte` can stand in a number or an id.
pub(super) fn is_id_byte(byte: u8) -> bool {
    class(byte) & (DIGIT | HEX_LETTER) != 0
}

/// Whether `byte` is a digit.
pub(super) fn is_digit(byte: u8) -> bool {
    class(byte) == DIGIT
}

/// Appends the template of `piece` to `key` and its slots' values to `vars`; with `wide`, words are slots too.
/// `false` when the piece has a marker byte.
pub(super) fn tokenize<'a>(
    piece: &'a [u8],
    wide: bool,
    ids: &RowIds,
    key: &mut Vec<u8>,
    vars: &mut Vec<&'a [u8]>,
) -> bool {
    let mut at = 0;
    // Where the text begins that is not in the key yet: it is copied in one go when a slot comes.
    let mut kept = 0;
    while let Some(byte) = piece.get(at) {
        let mut seen = class(*byte);
        let start = at;
        at += 1;
        if seen == DELIMITER {
            continue;
        }
        while let Some(byte) = piece.get(at) {
            let class = class(*byte);
            if class == DELIMITER {
                break;
            }
            seen |= class;
            at += 1;
        }
        if seen & FORBIDDEN != 0 {
            return false;
        }
        let is_word = seen & DIGIT == 0 && (seen & LETTER != 0 || at - start < HEX_MIN);
        if wide || !is_word {
            key.extend_from_slice(&piece[kept..start]);
            push_run(&piece[start..at], seen, wide, ids, key, vars);
            kept = at;
        }
    }
    key.extend_from_slice(&piece[kept..]);
    true
}

fn push_run<'a>(
    run: &'a [u8],
    seen: u8,
    wide: bool,
    ids: &RowIds,
    key: &mut Vec<u8>,
    vars: &mut Vec<&'a [u8]>,
) {
    if ids.trace.as_ref().is_some_and(|id| id == run) {
        key.push(TRACE);
    } else if ids.span.as_ref().is_some_and(|id| id == run) {
        key.push(SPAN);
    } else if seen == DIGIT {
        key.push(if run.len() <= DIGITS_MAX { DIGITS } else { WORD });
        vars.push(run);
    } else if seen & LETTER == 0 && run.len() >= HEX_MIN {
        key.push(HEX);
        vars.push(run);
    } else if seen & DIGIT == 0 {
        push_word(run, wide, key, vars);
    } else {
        push_mixed(run, wide, key, vars);
    }
}

fn push_word<'a>(word: &'a [u8], wide: bool, key: &mut Vec<u8>, vars: &mut Vec<&'a [u8]>) {
    if wide {
        key.push(WORD);
        vars.push(word);
    } else {
        key.extend_from_slice(word);
    }
}

fn push_mixed<'a>(run: &'a [u8], wide: bool, key: &mut Vec<u8>, vars: &mut Vec<&'a [u8]>) {
    let turns = run.windows(2).filter(|pair| is_digit(pair[0]) != is_digit(pair[1])).count();
    if turns > TURNS_MAX as usize {
        key.push(WORD);
        vars.push(run);
        return;
    }
    for part in run.chunk_by(|a, b| is_digit(*a) == is_digit(*b)) {
        if is_digit(part[0]) {
            key.push(if part.len() <= DIGITS_MAX { DIGITS } else { WORD });
            vars.push(part);
        } else {
            push_word(part, wide, key, vars);
        }
    }
}
