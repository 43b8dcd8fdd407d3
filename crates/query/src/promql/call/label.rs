//! Functions of labels: `label_replace`, `label_join`, and the sorts.

use super::super::annotation::Note;
use super::super::answer::PromError;
use super::super::eval::{Context, Result, merge_rows};
use super::super::value::{Cell, Grid, Row};
use super::{argument, text_argument};
use language::promql::ast::Call;
use model::labels::METRIC_NAME;
use model::matcher::anchored_regex;
use regex::{Captures, Regex};
use std::cmp::Ordering;

fn set_label(row: &mut Row, name: &str, value: &str) {
    let mut builder = row.labels.builder();
    builder.set(name, value);
    row.labels = builder.build();
    if name == METRIC_NAME {
        row.drop_name = false;
    }
}

/// Whether `name` can name a label: any text. Bytes of a literal that are no UTF-8 became replacement characters.
pub(crate) fn is_label_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::REPLACEMENT_CHARACTER)
}

fn check_name(name: &str, role: &str, function: &str) -> Result<()> {
    if !is_label_name(name) {
        return Err(PromError::execution(format!("invalid {role} label name in {function}(): {name}")));
    }
    Ok(())
}

pub(crate) fn replace(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let text = |at| text_argument(call, at);
    let (target, template, source, pattern) = (text(1)?, text(2)?, text(3)?, text(4)?);
    let regex = anchored_regex(pattern).map_err(|_| {
        PromError::execution(format!("invalid regular expression in label_replace(): {pattern}"))
    })?;
    check_name(target, "destination", "label_replace")?;
    let mut rows = context.rows(argument(call, 0)?, grid)?;
    for row in &mut rows {
        let value = row.labels.get(source).unwrap_or_default();
        if let Some(value) = regex.captures(value).map(|captures| expand(template, &regex, &captures)) {
            set_label(row, target, &value);
        }
    }
    merge_rows(rows)
}

/// Go's template expansion: `$1`, `$name`, `${name}`, `$$`; the longest run of word characters names the group, an
/// unknown group is empty, and a `$` that names nothing stays.
fn expand(template: &str, regex: &Regex, captures: &Captures<'_>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (name, after) = group_name(rest);
        if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_alphanumeric()) {
            out.push('$');
            continue;
        }
        let group = match name.parse::<usize>() {
            Ok(number) => captures.get(number),
            Err(_) if regex.capture_names().flatten().any(|known| known == name) => captures.name(name),
            Err(_) => None,
        };
        out.push_str(group.map_or("", |found| found.as_str()));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The name of a group right after a `$`, and what follows it.
fn group_name(rest: &str) -> (&str, &str) {
    if let Some(found) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return found;
    }
    let word = |c: char| c == '_' || c.is_alphanumeric();
    rest.split_at(rest.find(|c| !word(c)).unwrap_or(rest.len()))
}

pub(crate) fn join(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let (target, separator) = (text_argument(call, 1)?, text_argument(call, 2)?);
    let sources: Vec<&str> = (3..call.args.len()).map(|at| text_argument(call, at)).collect::<Result<_>>()?;
    for source in &sources {
        check_name(source, "source", "label_join")?;
    }
    check_name(target, "destination", "label_join")?;
    let mut rows = context.rows(argument(call, 0)?, grid)?;
    for row in &mut rows {
        let values: Vec<&str> =
            sources.iter().map(|source| row.labels.get(source).unwrap_or_default()).collect();
        let value = values.join(separator);
        set_label(row, target, &value);
    }
    merge_rows(rows)
}

pub(crate) fn sort(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let mut rows = context.rows(argument(call, 0)?, grid)?;
    if !grid.is_instant() {
        context.note(Note::SortInRange, call.span);
    }
    let descending = call.function.name.ends_with("_desc");
    if call.function.name.starts_with("sort_by_label") {
        let labels: Vec<&str> =
            (1..call.args.len()).map(|at| text_argument(call, at)).collect::<Result<_>>()?;
        rows.sort_by(|a, b| {
            let order = by_labels(a, b, &labels);
            if descending { order.reverse() } else { order }
        });
        return Ok(rows);
    }
    for cell in rows.iter_mut().flat_map(|row| &mut row.cells) {
        if matches!(cell, Cell::Histogram(_)) {
            *cell = Cell::Empty;
        }
    }
    rows.retain(Row::has_cells);
    if grid.is_instant() {
        let value = |row: &Row| row.cells.first().and_then(Cell::float).unwrap_or(f64::NAN);
        rows.sort_by(|a, b| {
            let (a, b) = (value(a), value(b));
            // NaN comes last in both directions.
            a.is_nan().cmp(&b.is_nan()).then_with(|| {
                let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
                if descending { order.reverse() } else { order }
            })
        });
    }
    Ok(rows)
}

fn by_labels(a: &Row, b: &Row, labels: &[&str]) -> Ordering {
    let value = |row: &'_ Row, name: &str| row.labels.get(name).unwrap_or_default().to_owned();
    labels
        .iter()
        .map(|name| natural(&value(a, name), &value(b, name)))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.labels.cmp(&b.labels))
}

/// Runs of digits compare as numbers, other runs as text.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a_runs, mut b_runs) = (runs(a), runs(b));
    loop {
        let order = match (a_runs.next(), b_runs.next()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match (x.parse::<u64>(), y.parse::<u64>()) {
                (Ok(x), Ok(y)) => x.cmp(&y),
                _ => x.cmp(y),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn runs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digit = rest.chars().next()?.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_sort_as_numbers() {
        let mut names = ["a10", "a2", "a", "b1", "a2b"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a2", "a2b", "a10", "b1"]);
    }

    #[test]
    fn templates_expand_as_in_go() {
        let regex = Regex::new("(?P<word>[a-z]+)-([0-9]+)").unwrap();
        let captures = regex.captures("ab-12").unwrap();
        for (template, expected) in [
            ("$1x", ""),
            ("${1}x", "abx"),
            ("$word $2", "ab 12"),
            ("$$1", "$1"),
            ("a$", "a$"),
            ("${none}", ""),
        ] {
            assert_eq!(expand(template, &regex, &captures), expected, "{template}");
        }
    }
}
