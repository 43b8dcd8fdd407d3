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

/// How to print.
pub(crate) struct Output {
    format: Format,
}

/// A column: its head, whether only `-o wide` shows it, whether it is a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column(pub(crate) &'static str, pub(crate) Show, pub(crate) Align);

/// When a column is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Always.
    Always,
    /// With `-o wide`.
    Wide,
}

/// Side of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Whether a table shows all its columns.
    pub(crate) fn is_wide(&self) -> bool {
        self.format == Format::Wide
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
        write(&table(columns, rows, self.is_wide()))
    }

    /// Prints `data` as JSON or YAML.
    pub(crate) fn data(&self, data: &Value) -> Result<(), Failure> {
        let text = match self.format {
            Format::Yaml => serde_saphyr::to_string(data).map_err(|error| Failure::new(error.to_string()))?,
            _ => serde_json::to_string_pretty(data).map_err(|error| Failure::new(error.to_string()))?,
        };
        write(&format!("{}\n", text.trim_end()))
    }

    /// Prints one of many things that come one by one: a line of JSON, or a YAML document.
    pub(crate) fn record(&self, data: &Value) -> Result<(), Failure> {
        if self.format == Format::Yaml {
            write("---\n")?;
            return self.data(data);
        }
        write(&format!("{data}\n"))
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

/// A table as text.
pub(crate) fn table(columns: &[Column], rows: &[Vec<String>], wide: bool) -> String {
    let rows: Vec<&[String]> = rows.iter().map(Vec::as_slice).collect();
    let mut table = Table::new(columns, &rows, wide);
    rows.iter().map(|row| table.line(row)).collect()
}

/// A table that is printed line by line: columns two spaces apart, heads in capitals as kubectl prints them.
pub(crate) struct Table {
    heads: Vec<String>,
    /// Of the columns that are shown: place in a row, side, width.
    shown: Vec<(usize, Align, usize)>,
    has_head: bool,
}

impl Table {
    /// A table as wide as `rows` need it; rows that come later may be wider.
    pub(crate) fn new(columns: &[Column], rows: &[&[String]], wide: bool) -> Self {
        let shown = columns.iter().enumerate().filter(|(_, column)| wide || column.1 == Show::Always);
        let width = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain([columns[at].0.len()]).max().unwrap_or(0)
        };
        Self {
            heads: columns.iter().map(|column| column.0.to_uppercase()).collect(),
            shown: shown.map(|(at, column)| (at, column.2, width(at))).collect(),
            has_head: false,
        }
    }

    /// The cells of `row` that are shown.
    pub(crate) fn shown<'a>(&self, row: &'a [String]) -> Vec<&'a str> {
        self.shown.iter().map(|(at, ..)| row.get(*at).map_or("", String::as_str)).collect()
    }

    /// One line; below the head when it is the first.
    pub(crate) fn line(&mut self, row: &[String]) -> String {
        let head =
            if std::mem::replace(&mut self.has_head, true) { String::new() } else { self.drawn(&self.heads) };
        head + &self.drawn(row)
    }

    fn drawn(&self, row: &[String]) -> String {
        let mut line = String::new();
        for (text, (_, side, width)) in self.shown(row).into_iter().zip(&self.shown) {
            let pad = " ".repeat(width.saturating_sub(text.chars().count()));
            let (before, after) = if *side == Align::Right { (&*pad, "") } else { ("", &*pad) };
            for part in [before, text, after, "  "] {
                line.push_str(part);
            }
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

/// Three significant digits.
pub(crate) fn digits(value: f64) -> String {
    significant(value, 3)
}

/// So many significant digits; `-` for what is no number.
#[expect(clippy::cast_possible_truncation, reason = "an exponent of ten of a finite float is small")]
pub(crate) fn significant(value: f64, count: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { "-".to_owned() };
    }
    let places = (count - 1 - value.abs().log10().floor() as i32).clamp(0, 6 + count);
    let text = format!("{value:.*}", usize::try_from(places).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// [`digits`] of a number of an answer; `-` when there is none.
pub(crate) fn digits_of(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), digits)
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
        assert_eq!(significant(1_234.567_89, 6), "1234.57");
        assert_eq!((digits_of(&Value::Null), digits_of(&Value::from(0))), ("-".into(), "0".into()));
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
        let mut later = Table::new(&columns, &[&rows[0], &rows[1]], false);
        assert_eq!(later.line(&rows[1]), "NAME      RATE\na         18.2\n");
        assert_eq!(later.line(&["a long name".into(), "1".into()]), "a long name     1\n");
    }
}
