//! `info(v, {selector})`: adds labels of info series (`target_info` unless the selector says otherwise) to the series
//! that share `instance` and `job` with them.

use super::super::answer::PromError;
use super::super::eval::{Context, DUPLICATE_LABELS, Result, merge_rows};
use super::super::select::{Latest, scan};
use super::super::value::{Cell, Grid, Row, braces};
use super::argument;
use language::promql::ast::{Call, Expr, Subquery};
use model::labels::METRIC_NAME;
use model::{Labels, MatchOp, Matcher};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Labels that say which series an info series belongs to.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// When the info series are looked at: at the step's time or a fixed one, minus an offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct When {
    at: Option<i64>,
    offset: i64,
}

impl When {
    fn of(self, step: i64) -> i64 {
        self.at.unwrap_or(step).saturating_sub(self.offset)
    }

    fn same(self, other: Self) -> bool {
        match (self.at, other.at) {
            (Some(a), Some(b)) => a - self.offset == b - other.offset,
            _ => self == other,
        }
    }
}

/// An info series and its latest sample's time at each step.
struct InfoSeries {
    labels: Labels,
    seen: Vec<Option<i64>>,
}

pub(crate) fn eval(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let base = argument(call, 0)?;
    let when = reference(context, base)?;
    let rows = context.rows(base, grid)?;
    let matchers: &[Matcher] = match call.args.get(1).map(Expr::unparen) {
        Some(Expr::Vector(selector)) => &selector.matchers,
        _ => &[],
    };
    let (names, data): (Vec<_>, Vec<_>) =
        matchers.iter().cloned().partition(|matcher| matcher.name == METRIC_NAME);
    let names = effective_names(names)?;
    let is_info = |row: &Row| names.iter().all(|matcher| matcher.matches(row.labels.metric_name()));
    let mut infos = Vec::new();
    for identity in identities(rows.iter().filter(|row| !is_info(row)))? {
        let all: Vec<Matcher> = identity.into_iter().chain(data.clone()).chain(names.clone()).collect();
        infos.extend(fetch(context, &all, when, grid)?);
    }
    let mut out = Vec::new();
    let (info_rows, base_rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_info(row));
    out.extend(info_rows);
    for at in 0..grid.len() {
        check_conflicts(&infos, at)?;
    }
    let by_identity = index(&infos);
    for row in base_rows {
        enrich(&row, &infos, &by_identity, &data, &mut out)?;
    }
    merge_rows(out)
}

/// Only negative conditions, or none, start from the usual names.
fn effective_names(names: Vec<Matcher>) -> Result<Vec<Matcher>> {
    if names.is_empty() {
        return Ok(vec![Matcher::equal(METRIC_NAME, "target_info")]);
    }
    if names.iter().any(|matcher| matches!(matcher.op, MatchOp::Equal | MatchOp::Regex)) {
        return Ok(names);
    }
    let mut all = vec![regex(METRIC_NAME, ".+_info")?];
    all.extend(names);
    Ok(all)
}

fn regex(name: &str, pattern: &str) -> Result<Matcher> {
    Matcher::new(name, MatchOp::Regex, pattern).map_err(|error| PromError::execution(error.to_string()))
}

/// Conditions on the identifying labels, one set per combination of labels that the rows have.
fn identities<'r>(rows: impl Iterator<Item = &'r Row>) -> Result<Vec<Vec<Matcher>>> {
    let mut groups: BTreeMap<[bool; 2], [BTreeSet<String>; 2]> = BTreeMap::new();
    for row in rows {
        let values = IDENTIFYING.map(|name| row.labels.get(name));
        if values.iter().all(Option::is_none) {
            continue;
        }
        let group = groups.entry(values.map(|value| value.is_some())).or_default();
        for (set, value) in group.iter_mut().zip(values) {
            set.extend(value.map(str::to_owned));
        }
    }
    groups
        .into_values()
        .map(|sets| {
            IDENTIFYING
                .iter()
                .zip(sets)
                .map(|(name, values)| {
                    if values.is_empty() {
                        return Ok(Matcher::equal(*name, ""));
                    }
                    let escaped: Vec<String> = values.iter().map(|value| regex::escape(value)).collect();
                    regex(name, &escaped.join("|"))
                })
                .collect()
        })
        .collect()
}

fn fetch(context: &Context<'_>, matchers: &[Matcher], when: When, grid: Grid) -> Result<Vec<InfoSeries>> {
    let lookback = context.options.lookback_ms;
    let last = grid.time(grid.len().saturating_sub(1));
    let range = (when.of(grid.start).saturating_sub(lookback).saturating_add(1), when.of(last));
    let mut out = Vec::new();
    scan(context, matchers, range, &mut |labels, columns| {
        let mut latest = Latest::new(columns);
        let mut seen = Vec::with_capacity(grid.len());
        for step in grid.times() {
            let found = latest.at(when.of(step), lookback);
            if matches!(found, Some(super::super::select::Found { cell: Cell::Histogram(_), .. })) {
                let message =
                    format!("this should be an info metric, with float samples: {}", braces(&labels));
                return Err(PromError::execution(message));
            }
            seen.push(found.map(|found| found.ts));
        }
        out.push(InfoSeries { labels, seen });
        Ok(())
    })?;
    Ok(out)
}

/// (metric name, identifying labels).
type Identity = (String, Labels);

fn identity(name: &str, labels: &Labels) -> Identity {
    (name.to_owned(), labels.retain(|label| IDENTIFYING.contains(&label)))
}

fn index(infos: &[InfoSeries]) -> HashMap<Identity, Vec<usize>> {
    let mut out: HashMap<Identity, Vec<usize>> = HashMap::new();
    for (at, info) in infos.iter().enumerate() {
        out.entry(identity(info.labels.metric_name(), &info.labels)).or_default().push(at);
    }
    out
}

/// Two info series of one identity with samples of the same time contradict each other.
fn check_conflicts(infos: &[InfoSeries], at: usize) -> Result<()> {
    let mut newest: HashMap<Identity, (i64, &Labels)> = HashMap::new();
    for info in infos {
        let Some(ts) = info.seen.get(at).copied().flatten() else { continue };
        let key = identity(info.labels.metric_name(), &info.labels);
        match newest.get(&key) {
            Some((other, labels)) if *other == ts => {
                return Err(PromError::execution(format!(
                    "found duplicate series for info metric: existing {} @ {other}, new {} @ {ts}",
                    braces(labels),
                    braces(&info.labels)
                )));
            }
            Some((other, _)) if *other > ts => {}
            _ => {
                newest.insert(key, (ts, &info.labels));
            }
        }
    }
    Ok(())
}

/// Adds the row with the info series' labels, split where those change.
fn enrich(
    row: &Row,
    infos: &[InfoSeries],
    by_identity: &HashMap<Identity, Vec<usize>>,
    data: &[Matcher],
    out: &mut Vec<Row>,
) -> Result<()> {
    let names: BTreeSet<&str> = infos.iter().map(|info| info.labels.metric_name()).collect();
    let candidates: Vec<&Vec<usize>> =
        names.iter().filter_map(|name| by_identity.get(&identity(name, &row.labels))).collect();
    let must_match = data.iter().any(|matcher| !matcher.matches_empty());
    let mut split: Vec<Row> = Vec::new();
    for (at, cell) in row.cells.iter().enumerate() {
        if cell.is_empty() {
            continue;
        }
        let matched: Vec<&Labels> = candidates
            .iter()
            .filter_map(|series| {
                let found = series.iter().filter_map(|index| {
                    let info = infos.get(*index)?;
                    Some((info.seen.get(at).copied().flatten()?, &info.labels))
                });
                found.max_by_key(|(ts, _)| *ts).map(|(_, labels)| labels)
            })
            .collect();
        if matched.is_empty() && must_match {
            continue;
        }
        let labels = joined(&row.labels, &matched, data)?;
        let known = split.iter().position(|other| other.labels == labels);
        let place = known.unwrap_or_else(|| {
            let cells = vec![Cell::Empty; row.cells.len()];
            split.push(Row { labels, drop_name: row.drop_name, cells });
            split.len() - 1
        });
        let slot = split.get_mut(place).and_then(|row| row.cells.get_mut(at));
        *slot.ok_or_else(|| PromError::execution(DUPLICATE_LABELS))? = cell.clone();
    }
    out.extend(split);
    Ok(())
}

/// The base labels and the data labels of the info series; base labels win.
fn joined(base: &Labels, infos: &[&Labels], data: &[Matcher]) -> Result<Labels> {
    let mut added: BTreeMap<&str, &str> = BTreeMap::new();
    for label in infos.iter().flat_map(|labels| labels.iter()) {
        let name = &*label.name;
        let wanted = data.is_empty() || data.iter().any(|matcher| matcher.name == name);
        if name == METRIC_NAME || !wanted {
            continue;
        }
        if added.get(name).is_some_and(|value| *value != &*label.value) {
            return Err(PromError::execution(format!("conflicting label: {name}")));
        }
        if base.get(name).is_none() {
            added.insert(name, &label.value);
        }
    }
    let mut builder = base.builder();
    for (name, value) in added {
        builder.set(name, value);
    }
    Ok(builder.build())
}

/// The time that all selectors of `expr` look at, so that the info series are looked at then as well; the step's own
/// when they differ.
fn reference(context: &Context<'_>, expr: &Expr) -> Result<When> {
    let mut found = Vec::new();
    let mut free = false;
    collect(context, expr, &mut Vec::new(), &mut found, &mut free)?;
    Ok(match found.split_first() {
        Some((first, rest)) if !free && rest.iter().all(|other| first.same(*other)) => *first,
        _ => When::default(),
    })
}

/// Collects the times of the selectors below `expr`; `free` when some vector has no selector.
fn collect<'e>(
    context: &Context<'_>,
    expr: &'e Expr,
    path: &mut Vec<&'e Subquery>,
    found: &mut Vec<When>,
    free: &mut bool,
) -> Result<bool> {
    use language::promql::ast::ValueType;
    if matches!(expr.value_type(), ValueType::Scalar | ValueType::String) {
        return Ok(false);
    }
    let selector = match expr {
        Expr::Vector(selector) => Some(selector),
        Expr::Matrix(matrix) => Some(&matrix.selector),
        _ => None,
    };
    if let Some(selector) = selector {
        let mut when =
            When { at: context.at(selector.at), offset: context.offset(selector.offset.as_ref())? };
        for subquery in path.iter().rev() {
            if when.at.is_some() {
                break;
            }
            when.offset += context.offset(subquery.offset.as_ref())?;
            when.at = context.at(subquery.at);
        }
        found.push(when);
        return Ok(true);
    }
    if let Expr::Subquery(subquery) = expr {
        path.push(subquery);
    }
    let children = match expr {
        Expr::Call(call) if call.function.name == "info" => call.args.iter().take(1).collect(),
        _ => expr.children(),
    };
    let mut any = false;
    for child in children {
        any |= collect(context, child, path, found, free)?;
    }
    if matches!(expr, Expr::Subquery(_)) {
        path.pop();
    }
    *free |= !any;
    Ok(any)
}
