//! The script language: lines to blocks, and the pieces of a line.

use model::Labels;

/// A command and the indented lines below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// Line number of the command, from 1.
    pub(super) line: usize,
    /// The command.
    pub(super) head: String,
    /// What stands below it, comments left out.
    pub(super) body: Vec<String>,
}

/// Splits a script into its blocks.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        match blocks.last_mut() {
            Some(block) if line.starts_with([' ', '\t']) => block.body.push(trimmed.to_owned()),
            _ => blocks.push(Block { line: number + 1, head: trimmed.to_owned(), body: Vec::new() }),
        }
    }
    blocks
}

/// One `load` line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) labels: Labels,
    pub(super) line: String,
    pub(super) at_ns: i64,
    pub(super) every_ns: i64,
    pub(super) times: i64,
    pub(super) metadata: Vec<(String, String)>,
}

/// Reads a `load` line: `{a="b"} "line" @ 10s [repeat every 10s for 3] [metadata k="v"]`.
pub(super) fn entry(text: &str) -> Option<Entry> {
    let (pairs, rest) = label_set(text)?;
    let (line, rest) = quoted(rest.trim_start())?;
    let rest = rest.trim_start().strip_prefix('@')?.trim_start();
    let (at, mut rest) = word(rest);
    let mut entry = Entry {
        labels: Labels::from_pairs(pairs),
        line,
        at_ns: duration(at)?,
        every_ns: 0,
        times: 1,
        metadata: Vec::new(),
    };
    loop {
        rest = rest.trim_start();
        if let Some(repeat) = rest.strip_prefix("[repeat every ") {
            let (inside, after) = repeat.split_once(']')?;
            let (every, times) = inside.split_once(" for ")?;
            (entry.every_ns, entry.times) = (duration(every.trim())?, times.trim().parse().ok()?);
            rest = after;
        } else if let Some(mut metadata) = rest.strip_prefix("[metadata ") {
            while !metadata.trim_start().starts_with(']') {
                let (name, after) = metadata.trim_start().split_once('=')?;
                let (value, after) = quoted(after)?;
                entry.metadata.push((name.to_owned(), value));
                metadata = after;
            }
            rest = metadata.trim_start().strip_prefix(']')?;
        } else {
            return (rest.is_empty() || rest.starts_with('#')).then_some(entry);
        }
    }
}

/// Up to the next space.
pub(super) fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// `{a="b", c="d"}` and what follows.
pub(super) fn label_set(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut rest = text.strip_prefix('{')?;
    let mut pairs = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((pairs, after));
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = quoted(after.trim_start())?;
        pairs.push((name.trim().to_owned(), value));
        rest = after;
    }
}

/// A Go string literal and what follows.
pub(super) fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| *c == '"' || *c == '`')?;
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let closes = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped && quote == '"';
        closes
    });
    let (literal, rest) = text.split_at(end?.0 + 1);
    Some((language::logql::units::unquote(literal)?, rest))
}

/// `90s`, `500ms`, in nanoseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    language::logql::units::parse_duration(text).ok()
}
