//! TraceQL: a lexer, a parser, a validator and a printer, as Grafana Tempo's documentation describes the language.
//!
//! Total functions over a query text: they return a tree or an error with a byte position and never panic. Nothing
//! here knows spans or storage.

/// Which stage refused a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text does not follow the grammar.
    Syntax,
    /// It parses, but types or arguments make no sense.
    Invalid,
    /// It makes sense, but no engine answers it.
    Unsupported,
}

/// Why a query was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Which stage refused it.
    pub kind: ErrorKind,
    /// For syntax errors `parse error at line 1, col 3: syntax error: ...`.
    pub message: String,
    /// Byte offset in the query.
    pub offset: usize,
}

/// `text` as a TraceQL string or quoted attribute name: in double quotes, `"` and `\` escaped.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// `ns` nanoseconds as a TraceQL duration: `1h2m3.5s`, `250ms`, `40ns`.
#[must_use]
pub fn duration(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let total = ns.unsigned_abs();
    let decimal = |value: u64, unit: u64| {
        let fraction = format!("{:09}", value % unit * (1_000_000_000 / unit));
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { (value / unit).to_string() } else { format!("{}.{fraction}", value / unit) }
    };
    match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{total}ns"),
        1_000..1_000_000 => format!("{sign}{}us", decimal(total, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(total, 1_000_000)),
        _ => {
            let (minutes, rest) = (total / 60_000_000_000, total % 60_000_000_000);
            let hours = if minutes >= 60 { format!("{}h", minutes / 60) } else { String::new() };
            let minutes = if minutes > 0 { format!("{}m", minutes % 60) } else { String::new() };
            format!("{sign}{hours}{minutes}{}s", decimal(rest, 1_000_000_000))
        }
    }
}
