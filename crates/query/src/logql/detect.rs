//! `detected_labels` and `detected_fields`: what a user may filter by, found in streams and in a sample of lines.

use super::answer::{
    DetectedField, DetectedLabel, ENTRIES_LIMIT_MAX, LogError, LogParams, LogValue, OutEntry,
};
use super::json;
use super::labels::LabelSet;
use super::logfmt::{self, Item};
use super::meta::MetaRange;
use super::record::sanitize;
use super::run::{compile, query};
use language::logql::{Expr, LogExpr, Stage, units};
use model::LogSource;
use model::scan::{Budget, Direction};
use model::tenant::Tenant;
use std::collections::{BTreeMap, BTreeSet};

/// Labels that are shown whatever their values.
const ALWAYS: &[&str] = &["cluster", "namespace", "instance", "pod", "service_name"];
/// A label of more values is no filter worth offering.
const LABEL_VALUES_MAX: usize = 50;
/// Distinct values of a field that are counted.
const FIELD_VALUES_MAX: usize = 10_000;

/// Stream labels worth showing: those with a bounded set of values, numbers and ids left out.
///
/// # Errors
/// When the selector does not parse or the scan stops.
pub fn detected_labels(
    source: &dyn LogSource,
    tenant: &Tenant,
    selector: Option<&str>,
    range: MetaRange,
    budget: &Budget,
) -> Result<Vec<DetectedLabel>, LogError> {
    super::meta::selector(selector)?;
    let selectors: Vec<String> =
        selector.filter(|text| !text.trim().is_empty()).map(str::to_owned).into_iter().collect();
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for label in super::meta::series(source, tenant, &selectors, range, budget)?.iter().flatten() {
        values.entry(label.name.to_string()).or_default().insert(label.value.to_string());
    }
    let useful = |name: &str, values: &BTreeSet<String>| {
        ALWAYS.contains(&name)
            || (values.len() <= LABEL_VALUES_MAX && !values.iter().all(|value| is_id(value)))
    };
    values.retain(|name, values| useful(name, values));
    let rows =
        values.into_iter().map(|(label, values)| DetectedLabel { label, cardinality: values.len() as u64 });
    Ok(rows.collect())
}

/// A number or a UUID.
fn is_id(value: &str) -> bool {
    let uuid = value.len() == 36
        && value
            .bytes()
            .enumerate()
            .all(|(at, b)| if [8, 13, 18, 23].contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() });
    uuid || value.parse::<f64>().is_ok()
}

#[derive(Default)]
struct Field {
    kind: Option<&'static str>,
    values: BTreeSet<String>,
    parsers: BTreeSet<&'static str>,
    json_path: Vec<String>,
}

type Fields = BTreeMap<String, Field>;

/// Fields of the newest lines that `text` keeps: structured metadata, JSON and logfmt. `limits` are the most lines
/// to read and the most rows to answer.
///
/// # Errors
/// As [`query`].
pub fn detected_fields(
    source: &dyn LogSource,
    tenant: &Tenant,
    text: &str,
    range: MetaRange,
    limits: (usize, usize),
    budget: &Budget,
) -> Result<Vec<DetectedField>, LogError> {
    let fields = fields(source, tenant, text, range, limits.0, budget)?;
    let row = |(label, field): (String, Field)| DetectedField {
        label,
        kind: field.kind.unwrap_or("string"),
        cardinality: field.values.len() as u64,
        parsers: field.parsers.into_iter().collect(),
        json_path: field.json_path,
    };
    Ok(fields.into_iter().take(limits.1).map(row).collect())
}

/// Distinct values of field `name` among the lines [`detected_fields`] would read, sorted.
///
/// # Errors
/// As [`query`].
pub fn detected_field_values(
    source: &dyn LogSource,
    tenant: &Tenant,
    name: &str,
    text: &str,
    range: MetaRange,
    limits: (usize, usize),
    budget: &Budget,
) -> Result<Vec<String>, LogError> {
    let mut fields = fields(source, tenant, text, range, limits.0, budget)?;
    let values = fields.remove(name).map(|field| field.values).unwrap_or_default();
    Ok(values.into_iter().take(limits.1).collect())
}

fn fields(
    source: &dyn LogSource,
    tenant: &Tenant,
    text: &str,
    range: MetaRange,
    line_limit: usize,
    budget: &Budget,
) -> Result<Fields, LogError> {
    let Expr::Log(log) = compile(text)? else {
        return Err(LogError::BadQuery("only log selector is supported".to_owned()));
    };
    let parsers = parsers_of(&log);
    let params = LogParams {
        start_ns: range.start_ns,
        end_ns: range.end_ns,
        // A range query needs a step, a log query never uses it: one point keeps it within the limits.
        step_ms: Some((range.end_ns.saturating_sub(range.start_ns) / 1_000_000).max(1)),
        direction: Direction::Backward,
        limit: line_limit.clamp(1, ENTRIES_LIMIT_MAX),
        ..LogParams::default()
    };
    let answer = query(source, tenant, text, &params, budget)?;
    let mut fields = Fields::new();
    let LogValue::Streams(streams) = answer.value else { return Ok(fields) };
    for stream in &streams {
        for entry in &stream.entries {
            collect(&mut fields, &stream.labels, entry, &parsers);
        }
    }
    Ok(fields)
}

/// Parsers that the query itself names.
fn parsers_of(log: &LogExpr) -> Vec<&'static str> {
    let name = |stage: &Stage| match stage {
        Stage::Json(_) | Stage::Unpack => Some("json"),
        Stage::Logfmt { .. } => Some("logfmt"),
        Stage::Regexp(_) => Some("regexp"),
        Stage::Pattern(_) => Some("pattern"),
        _ => None,
    };
    log.stages.iter().filter_map(name).collect()
}

fn collect(fields: &mut Fields, stream: &LabelSet, entry: &OutEntry, parsers: &[&'static str]) {
    for label in &entry.metadata {
        add(fields, &label.name, &label.value, None);
    }
    let landing = |key: &str| {
        let name = sanitize(key);
        let taken = stream.get(&name).is_some() || entry.metadata.get(&name).is_some();
        if taken { format!("{name}_extracted") } else { name }
    };
    for label in entry.parsed.iter().filter(|label| !label.name.starts_with("__error")) {
        for parser in parsers {
            add(fields, &label.name, &label.value, Some(parser));
        }
    }
    if parsers.contains(&"json") {
        // A line that is no JSON object has no paths.
        let _ = json::flatten(&entry.line, &mut |path, _| {
            if let Some(field) = fields.get_mut(&landing(&path.join("_"))) {
                field.json_path = path.iter().map(|key| (*key).to_owned()).collect();
            }
        });
    }
    if !parsers.is_empty() {
        return;
    }
    let whole = json::flatten(&entry.line, &mut |path, value| {
        let field = add(fields, &landing(&path.join("_")), value, Some("json"));
        if let Some(field) = field {
            field.json_path = path.iter().map(|key| (*key).to_owned()).collect();
        }
    });
    if whole.is_ok() {
        return;
    }
    for item in logfmt::pairs(&entry.line) {
        if let Item::Pair(key, value) = item
            && !value.is_empty()
        {
            add(fields, &landing(key), &value, Some("logfmt"));
        }
    }
}

fn add<'f>(
    fields: &'f mut Fields,
    name: &str,
    value: &str,
    parser: Option<&'static str>,
) -> Option<&'f mut Field> {
    if name.is_empty() {
        return None;
    }
    let field = fields.entry(name.to_owned()).or_default();
    field.kind.get_or_insert_with(|| kind_of(value));
    field.parsers.extend(parser);
    if field.values.len() < FIELD_VALUES_MAX {
        field.values.insert(value.to_owned());
    }
    Some(field)
}

/// The narrowest type that reads `value`.
fn kind_of(value: &str) -> &'static str {
    if value.parse::<i64>().is_ok() {
        "int"
    } else if units::parse_float(value).is_ok() {
        "float"
    } else if value == "true" || value == "false" {
        "boolean"
    } else if units::parse_go_duration(value).is_ok() {
        "duration"
    } else if units::parse_bytes(value).is_ok() {
        "bytes"
    } else {
        "string"
    }
}
