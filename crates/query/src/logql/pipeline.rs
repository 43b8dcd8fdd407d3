//! A compiled pipeline: a line and its labels go in, a line and other labels come out, or nothing.

use super::filters::Condition;
use super::json::{self, Step};
use super::lines::LineMatcher;
use super::logfmt;
use super::pattern::Pattern;
use super::record::{ERROR, ERROR_DETAILS, Name, Names, Origin, Record, sanitize};
use crate::template::{LineTemplate, TemplateContext};
use language::logql::{
    Assign, FieldFilter, LabelFilter, LabelFormat, LineOp, LogExpr, Operand, ParseError, Stage, search_regex,
};
use model::TraceId;
use model::matcher::{MatchOp, Matcher};
use regex::{CaptureLocations, Regex};
use std::borrow::Cow;

/// Error label of a template that cannot be executed.
const TEMPLATE_ERROR: &str = "TemplateFormatErr";

/// A compiled pipeline; one per query, it keeps its scratch space.
pub(super) struct Pipeline {
    /// Line filters that stand before any stage that changes lines or labels.
    first: Vec<LineMatcher>,
    stages: Vec<Compiled>,
    /// Byte strings that every kept line holds as stored.
    pub(super) contains: Vec<Vec<u8>>,
    /// The trace that every kept line belongs to, when the query names one.
    pub(super) trace_id: Option<TraceId>,
}

enum Compiled {
    Line(LineMatcher),
    Json,
    JsonPaths(Vec<(Name, Vec<Step>)>),
    Logfmt { strict: bool, keep_empty: bool },
    LogfmtFields { strict: bool, fields: Vec<(Name, String)> },
    Regexp(Regex, CaptureLocations, Vec<(usize, Name)>),
    Pattern(Pattern, Vec<Name>),
    Unpack,
    Filter(Condition),
    LineFormat(LineTemplate),
    LabelFormat(Vec<Format>),
    Decolorize(Regex),
    Drop(Vec<Field>),
    Keep(Vec<Field>),
}

enum Format {
    Rename(Name, Name),
    Template(Name, LineTemplate),
}

struct Field {
    name: Name,
    matcher: Option<Matcher>,
}

impl Pipeline {
    /// Compiles the stages of `log`. `reads_line` is false when nobody looks at the resulting line, so that a
    /// trailing `line_format` need not run.
    pub(super) fn new(log: &LogExpr, names: &mut Names, reads_line: bool) -> Result<Self, ParseError> {
        let simple = log.stages.iter().take_while(|stage| matches!(stage, Stage::Line(_))).count();
        let used = if reads_line { log.stages.len() } else { used_stages(&log.stages) };
        let trace_id = wanted_trace(&log.stages);
        let mut pipeline = Self { first: Vec::new(), stages: Vec::new(), contains: Vec::new(), trace_id };
        for (at, stage) in log.stages.iter().enumerate() {
            let fail = |message: String| ParseError::stage(stage, &message);
            match stage {
                Stage::Line(filter) if at < simple => {
                    pipeline.first.push(LineMatcher::new(filter).map_err(fail)?);
                    pipeline.contains.extend(needles(filter));
                }
                Stage::LineFormat(_) if at >= used => {}
                _ => pipeline.stages.push(compile(stage, names).map_err(fail)?),
            }
        }
        Ok(pipeline)
    }

    /// Whether `line`, as stored, may be kept; needs no labels.
    pub(super) fn accepts(&self, line: &str) -> bool {
        self.first.iter().all(|filter| filter.keeps(line))
    }

    /// Runs the stages; `None` drops the line.
    pub(super) fn run<'a>(&mut self, record: &mut Record, line: &'a str) -> Option<Cow<'a, str>> {
        let mut line = Cow::Borrowed(line);
        for stage in &mut self.stages {
            if let Some(changed) = stage.apply(record, &line)? {
                line = Cow::Owned(changed);
            }
        }
        Some(line)
    }
}

/// The id that `| trace_id="..."` asks for while labels are as stored: records are indexed by the id that their label
/// `trace_id` reads, so that no other record has it.
fn wanted_trace(stages: &[Stage]) -> Option<TraceId> {
    fn of_filter(filter: &LabelFilter) -> Option<TraceId> {
        match filter {
            LabelFilter::And(a, b) => of_filter(a).or_else(|| of_filter(b)),
            LabelFilter::Text(matcher) if matcher.name == "trace_id" && matcher.op == MatchOp::Equal => {
                matcher.value.parse().ok()
            }
            _ => None,
        }
    }
    let mut as_stored = stages.iter().take_while(|stage| matches!(stage, Stage::Line(_) | Stage::Filter(_)));
    as_stored.find_map(|stage| match stage {
        Stage::Filter(filter) => of_filter(filter),
        _ => None,
    })
}

/// How many stages matter when nobody reads the line: a `line_format` counts only if a later stage looks at it.
fn used_stages(stages: &[Stage]) -> usize {
    let reads = |stage: &Stage| {
        matches!(
            stage,
            Stage::Line(_)
                | Stage::Json(_)
                | Stage::Logfmt { .. }
                | Stage::Regexp(_)
                | Stage::Pattern(_)
                | Stage::Unpack
                | Stage::LabelFormat(_)
        )
    };
    stages.iter().rposition(reads).map_or(0, |at| at + 1)
}

/// What every line that passes the filter contains.
fn needles(filter: &language::logql::LineFilter) -> Vec<Vec<u8>> {
    match (filter.op, filter.operands.as_slice()) {
        (LineOp::Contains, [Operand::Text(text)]) if !text.is_empty() => vec![text.clone().into_bytes()],
        (LineOp::Pattern, [Operand::Text(text)]) => {
            let literals =
                Pattern::filter(text).map(|p| p.literals().map(|l| l.as_bytes().to_vec()).collect());
            literals.unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn compile(stage: &Stage, names: &mut Names) -> Result<Compiled, String> {
    Ok(match stage {
        Stage::Line(filter) => Compiled::Line(LineMatcher::new(filter)?),
        Stage::Json(paths) if paths.is_empty() => Compiled::Json,
        Stage::Json(paths) => Compiled::JsonPaths(json_paths(paths, names)?),
        Stage::Logfmt { strict, keep_empty, fields } if fields.is_empty() => {
            Compiled::Logfmt { strict: *strict, keep_empty: *keep_empty }
        }
        Stage::Logfmt { strict, fields, .. } => {
            Compiled::LogfmtFields { strict: *strict, fields: logfmt_fields(fields, names)? }
        }
        Stage::Regexp(pattern) => regexp(pattern, names)?,
        Stage::Pattern(text) => {
            let pattern =
                Pattern::parser(text).map_err(|error| format!("invalid pattern parser: {error}"))?;
            let captures = pattern.names().map(|name| names.intern(name)).collect();
            Compiled::Pattern(pattern, captures)
        }
        Stage::Unpack => Compiled::Unpack,
        Stage::Filter(filter) => Compiled::Filter(Condition::new(filter, names)?),
        Stage::LineFormat(text) => Compiled::LineFormat(
            LineTemplate::new("line", text).map_err(|error| format!("invalid line template: {error}"))?,
        ),
        Stage::LabelFormat(formats) => Compiled::LabelFormat(label_formats(formats, names)?),
        Stage::Decolorize => Compiled::Decolorize(search_regex(ANSI)?),
        Stage::Drop(fields) => Compiled::Drop(field_filters(fields, names)),
        Stage::Keep(fields) => Compiled::Keep(field_filters(fields, names)),
    })
}

/// ANSI escape sequences: control sequences and operating-system commands.
const ANSI: &str = r"[\x{1b}\x{9b}][\[\]()#;?]*(?:(?:(?:[a-zA-Z\d]*(?:;[a-zA-Z\d]*)*)?\x{07})|(?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PRZcf-ntqry=><~]))";

fn json_paths(paths: &[Assign], names: &mut Names) -> Result<Vec<(Name, Vec<Step>)>, String> {
    let compile = |assign: &Assign| {
        let steps = json::parse_path(&assign.expression)
            .map_err(|error| format!("cannot parse expression [{}]: {error}", assign.expression))?;
        Ok((names.intern(&assign.name), steps))
    };
    paths.iter().map(compile).collect()
}

fn logfmt_fields(fields: &[Assign], names: &mut Names) -> Result<Vec<(Name, String)>, String> {
    let compile = |assign: &Assign| {
        let key = &assign.expression;
        let wrong = match key.split_whitespace().count() {
            0 => Some("unexpected $end, expecting STRING or KEY"),
            1 => None,
            _ => Some("unexpected KEY"),
        };
        if let Some(wrong) = wrong {
            return Err(format!("cannot parse expression [{key}]: syntax error: {wrong}"));
        }
        let key = key.trim().trim_matches('"').to_owned();
        Ok((names.intern(&assign.name), key))
    };
    fields.iter().map(compile).collect()
}

/// The parser rejects `| regexp` and `| pattern` with words of its own, before any stage is compiled.
pub(super) fn check_parsers(log: &LogExpr) -> Result<(), ParseError> {
    let mut names = Names::default();
    for stage in &log.stages {
        if matches!(stage, Stage::Regexp(_) | Stage::Pattern(_)) {
            compile(stage, &mut names).map_err(|message| ParseError { at: None, message })?;
        }
    }
    Ok(())
}

fn regexp(pattern: &str, names: &mut Names) -> Result<Compiled, String> {
    let groups_named = named_groups(pattern);
    if let Some((_, name)) =
        groups_named.iter().enumerate().find(|(at, name)| groups_named.iter().take(*at).any(|n| n == *name))
    {
        return Err(format!("invalid regexp parser: duplicate extracted label name '{name}'"));
    }
    let regex = search_regex(pattern).map_err(|error| format!("invalid regexp parser: {error}"))?;
    let mut groups = Vec::new();
    for (index, name) in regex.capture_names().enumerate() {
        let Some(name) = name else { continue };
        if sanitize(name) != name {
            return Err(format!("invalid regexp parser: invalid extracted label name '{name}'"));
        }
        groups.push((index, names.intern(name)));
    }
    if groups.is_empty() {
        return Err("invalid regexp parser: at least one named capture must be supplied".to_owned());
    }
    let locations = regex.capture_locations();
    Ok(Compiled::Regexp(regex, locations, groups))
}

/// Names of `(?P<name>` and `(?<name>` groups, read from the text: a duplicate keeps the pattern from compiling.
fn named_groups(pattern: &str) -> Vec<&str> {
    let starts = pattern.match_indices("(?").map(|(at, _)| pattern.get(at + 2..).unwrap_or_default());
    starts
        .filter_map(|rest| rest.strip_prefix("P<").or_else(|| rest.strip_prefix('<')))
        .filter_map(|rest| rest.split_once('>').map(|(name, _)| name))
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect()
}

fn label_formats(formats: &[LabelFormat], names: &mut Names) -> Result<Vec<Format>, String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut compiled = Vec::new();
    for format in formats {
        let (LabelFormat::Rename { dst, .. } | LabelFormat::Template { dst, .. }) = format;
        if dst == ERROR {
            return Err(format!("{ERROR} cannot be formatted"));
        }
        if seen.contains(&dst.as_str()) {
            return Err(format!("multiple label name '{dst}' not allowed in a single format operation"));
        }
        seen.push(dst);
        compiled.push(match format {
            LabelFormat::Rename { dst, src } => Format::Rename(names.intern(dst), names.intern(src)),
            LabelFormat::Template { dst, template } => {
                let template = LineTemplate::new("label", template)
                    .map_err(|error| format!("invalid template for label '{dst}': {error}"))?;
                Format::Template(names.intern(dst), template)
            }
        });
    }
    Ok(compiled)
}

fn field_filters(fields: &[FieldFilter], names: &mut Names) -> Vec<Field> {
    let compile = |field: &FieldFilter| match field {
        FieldFilter::Name(name) => Field { name: names.intern(name), matcher: None },
        FieldFilter::Match(matcher) => {
            Field { name: names.intern(&matcher.name), matcher: Some(matcher.clone()) }
        }
    };
    fields.iter().map(compile).collect()
}

impl Field {
    fn holds(&self, name: Name, value: &str) -> bool {
        self.name == name && self.matcher.as_ref().is_none_or(|matcher| matcher.matches(value))
    }
}

impl Compiled {
    /// `None` drops the line, `Some(Some(_))` replaces it.
    #[expect(clippy::option_option, reason = "dropping and keeping the line are two answers")]
    fn apply(&mut self, record: &mut Record, line: &str) -> Option<Option<String>> {
        match self {
            Self::Line(filter) => return filter.keeps(line).then_some(None),
            Self::Filter(condition) => return condition.keeps(record).then_some(None),
            Self::Json => json::extract_all(record, line),
            Self::JsonPaths(paths) => json::extract_paths(record, line, paths),
            Self::Logfmt { strict, keep_empty } => logfmt::extract_all(record, line, *strict, *keep_empty),
            Self::LogfmtFields { strict, fields } => logfmt::extract_fields(record, line, *strict, fields),
            Self::Regexp(regex, locations, groups) => {
                if regex.captures_read(locations, line).is_some() {
                    for (index, name) in groups {
                        let value = locations.get(*index).and_then(|(start, end)| line.get(start..end));
                        record.extract(*name, value.unwrap_or_default());
                    }
                }
            }
            Self::Pattern(pattern, names) => pattern.captures(line, |index, value| {
                if let Some(name) = names.get(index) {
                    record.extract(*name, value);
                }
            }),
            Self::Unpack => return Some(json::unpack(record, line)),
            Self::LineFormat(template) => return Some(format(record, line, template)),
            Self::LabelFormat(formats) => formats.iter().for_each(|part| relabel(record, line, part)),
            Self::Decolorize(ansi) => {
                if let Cow::Owned(plain) = ansi.replace_all(line, "") {
                    return Some(Some(plain));
                }
            }
            Self::Drop(fields) => drop_fields(record, fields),
            Self::Keep(fields) => {
                record.retain(|name, value| fields.iter().any(|field| field.holds(name, value)));
            }
        }
        Some(None)
    }
}

/// The line a template makes; a template that fails keeps the line and marks it.
fn format(record: &mut Record, line: &str, template: &LineTemplate) -> Option<String> {
    let now_ns = if record.now_ns == 0 { record.ts_ns } else { record.now_ns };
    let context = TemplateContext { line, ts_ns: record.ts_ns, now_ns, labels: record.pairs().collect() };
    match template.render(&context) {
        Ok(text) => Some(text),
        Err(details) => {
            record.fail(TEMPLATE_ERROR, details);
            None
        }
    }
}

fn relabel(record: &mut Record, line: &str, part: &Format) {
    match part {
        Format::Rename(dst, src) => {
            let Some(value) = record.get(*src).map(str::to_owned) else { return };
            record.remove(*src);
            record.set(*dst, Origin::Parsed, &value);
        }
        Format::Template(dst, template) => {
            if let Some(value) = format(record, line, template) {
                record.set(*dst, Origin::Parsed, &value);
            }
        }
    }
}

fn drop_fields(record: &mut Record, fields: &[Field]) {
    for field in fields {
        let matches = |value: Option<&str>| value.is_some_and(|value| field.holds(field.name, value));
        match &*record.names.text(field.name) {
            ERROR if matches(record.get(field.name)) => record.clear_error(),
            ERROR_DETAILS if matches(record.get(field.name)) => record.clear_details(),
            _ => {}
        }
    }
    record.retain(|name, value| !fields.iter().any(|field| field.holds(name, value)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use language::logql::{Expr, parse};

    #[test]
    fn a_trace_is_looked_up_while_labels_are_as_stored() {
        let check = |stages: &str, expected: Option<u8>| {
            let Ok(Expr::Log(log)) = parse(&format!(r#"{{app="a"}} {stages}"#)) else { panic!("{stages}") };
            let pipeline = Pipeline::new(&log, &mut Names::default(), true).expect("compiles");
            let id = |last| TraceId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
            assert_eq!(pipeline.trace_id, expected.map(id), "{stages}");
        };
        check(r#"| trace_id="000000000000000000000000000000ab""#, Some(0xab));
        check(r#"|= "x" | level="info" | a="b" and trace_id="ab" | json"#, Some(0xab));
        check(r#"| json | trace_id="ab""#, None);
        check(r#"| drop trace_id | trace_id="ab""#, None);
        check(r#"| trace_id="ab" or a="b""#, None);
        check(r#"| trace_id!="ab""#, None);
        check(r#"| trace_id="checkout""#, None);
        check(r#"| trace_id="""#, None);
    }
}
