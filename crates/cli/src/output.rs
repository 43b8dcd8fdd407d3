//! What a command prints: a table for people, JSON or YAML for programs. Readable without colour.

use crate::Failure;
use clap::ValueEnum;
use serde_json::Value;
use std::io::{ErrorKind, Write};

/// `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    Table,
    /// More columns.
    Wide,
    /// The answer as JSON.
    Json,
    /// The answer as YAML.
    Yaml,
}

/// Where and how to print.
pub(crate) struct Output {
    pub(crate) format: Format,
}

/// A column: its head, whether only `-o wide` shows it, whether it is a number.
#[derive(Clone, Copy)]
pub(crate) struct Column(pub(crate) &'static str, pub(crate) Show, pub(crate) Align);

/// When a column is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Always.
    Always,
    /// With `-o wide`.
    Wide,
}

/// Side of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether the raw answer is wanted.
    pub(crate) fn is_data(&self) -> bool {
        matches!(self.format, Format::Json | Format::Yaml)
    }

    /// Prints `data`, or the rows when a table is wanted; no rows print a sentence to standard error.
    pub(crate) fn print(
        &self,
        data: &Value,
        columns: &[Column],
        rows: &[Vec<String>],
        none: &str,
    ) -> Result<(), Failure> {
        if self.is_data() {
            return self.data(data);
        }
        if rows.is_empty() {
            eprintln!("{none}");
            return Ok(());
        }
        write(&table(columns, rows, self.format == Format::Wide))
    }

    /// Prints `data` as JSON or YAML.
    pub(crate) fn data(&self, data: &Value) -> Result<(), Failure> {
        let text = match self.format {
            Format::Yaml => serde_saphyr::to_string(data).map_err(|error| Failure::new(error.to_string()))?,
            _ => serde_json::to_string_pretty(data).map_err(|error| Failure::new(error.to_string()))?,
        };
        write(&format!("{}\n", text.trim_end()))
    }
}

/// Writes to standard output; a reader that has seen enough (`| head`) is no error.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Columns two spaces apart, heads in capitals as kubectl prints them.
pub(crate) fn table(columns: &[Column], rows: &[Vec<String>], wide: bool) -> String {
    let shown: Vec<usize> = (0..columns.len()).filter(|at| wide || columns[*at].1 == Show::Always).collect();
    let cell = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
    let width = |at: usize| {
        let cells = rows.iter().map(|row| cell(row, at).chars().count());
        cells.chain([columns[at].0.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = shown.iter().map(|at| width(*at)).collect();
    let heads: Vec<String> = columns.iter().map(|column| column.0.to_uppercase()).collect();
    let mut out = String::new();
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (at, width) in shown.iter().zip(&widths) {
            let text = cell(row, *at);
            let pad = " ".repeat(width.saturating_sub(text.chars().count()));
            let (before, after) = if columns[*at].2 == Align::Right { (&*pad, "") } else { ("", &*pad) };
            for part in [before, &text, after, "  "] {
                line.push_str(part);
            }
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// Three significant digits.
#[expect(clippy::cast_possible_truncation, reason = "an exponent of ten of a finite float is small")]
pub(crate) fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { "-".to_owned() };
    }
    let places = (2 - value.abs().log10().floor() as i32).clamp(0, 9);
    let text = format!("{value:.*}", usize::try_from(places).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A duration in seconds with its unit.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => "-".to_owned(),
        s if s >= 1.0 => format!("{}s", digits(s)),
        s if s >= 1e-3 => format!("{}ms", digits(s * 1e3)),
        s => format!("{}µs", digits(s * 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits() {
        for (value, text) in
            [(0.0, "0"), (18.234, "18.2"), (0.019_22, "0.0192"), (12_345.0, "12345"), (2.0, "2")]
        {
            assert_eq!(digits(value), text);
        }
        assert_eq!(duration(1.4849), "1.48s");
        assert_eq!(duration(0.2124), "212ms");
        assert_eq!(duration(0.000_012), "12µs");
        assert_eq!(duration(f64::NAN), "-");
    }

    #[test]
    fn a_table_aligns_and_hides_wide_columns() {
        let columns = [
            Column("name", Show::Always, Align::Left),
            Column("rate", Show::Always, Align::Right),
            Column("pod", Show::Wide, Align::Left),
        ];
        let rows = [
            vec!["payments".into(), "1".into(), "p-1".into()],
            vec!["a".into(), "18.2".into(), "p-2".into()],
        ];
        assert_eq!(table(&columns, &rows, false), "NAME      RATE\npayments     1\na         18.2\n");
        assert_eq!(table(&columns, &rows, true).lines().next(), Some("NAME      RATE  POD"));
    }
}
