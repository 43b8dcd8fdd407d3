//! The script language: lines to commands.

use super::series::{Item, parse_series, parse_starts};
use language::promql::{duration, unquote};
use model::metric::stale_nan;
use model::{FloatHistogram, Labels};
use query::memory::MemoryMetrics;
use regex::Regex;
use std::collections::BTreeMap;

/// One thing a script does.
#[derive(Debug)]
pub(super) enum Command {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// When a query is evaluated, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Instant(i64),
    /// Start, end, step.
    Range(i64, i64, i64),
}

/// A message that must or must not come.
#[derive(Debug)]
pub(super) enum Pattern {
    Any,
    Message(String),
    Regex(Regex),
}

impl Pattern {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Message(message) => message == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// A query and what it must give.
#[derive(Debug)]
pub(super) struct Eval {
    pub(super) query: String,
    pub(super) when: When,
    pub(super) ordered: bool,
    pub(super) fail: Option<Pattern>,
    pub(super) warn: Vec<Pattern>,
    pub(super) info: Vec<Pattern>,
    pub(super) no_warn: bool,
    pub(super) no_info: bool,
    pub(super) text: Option<String>,
    pub(super) scalar: Option<f64>,
    /// Times of the expected points of a range vector: start, end, step.
    pub(super) range_vector: Option<(i64, i64, i64)>,
    pub(super) series: Vec<(Labels, Vec<Item>)>,
}

impl Eval {
    /// Whether the query makes no sense as a range query.
    pub(super) fn instant_only(&self) -> bool {
        let of_the_query = ["start()", "end()", "range()", "step()"];
        self.ordered
            || self.text.is_some()
            || self.range_vector.is_some()
            || of_the_query.iter().any(|function| self.query.contains(function))
    }

    pub(super) fn expects_scalar(&self) -> bool {
        self.scalar.is_some()
    }
}

/// Start timestamps relative to the samples, milliseconds; `None` when a series has none.
type Starts = Option<Vec<Option<i64>>>;

/// Series to store.
#[derive(Debug)]
pub(super) struct Load {
    step: i64,
    with_nhcb: bool,
    series: Vec<(Labels, Vec<Item>, Starts)>,
}

impl Load {
    pub(super) fn apply(self, source: &mut MemoryMetrics) -> Result<(), String> {
        for (labels, items, starts) in &self.series {
            let mut ts = 0;
            for (at, item) in items.iter().enumerate() {
                let offset = starts.as_ref().and_then(|starts| starts.get(at).copied().flatten());
                let start = offset.map_or(0, |offset| ts + offset);
                match item {
                    Item::None => {}
                    Item::Float(value) => source.push_started(labels, ts, start, *value),
                    Item::Stale => source.push_started(labels, ts, start, stale_nan()),
                    Item::Histogram(h, _) => source.push_histogram(labels, ts, start, h.clone()),
                }
                ts += self.step;
            }
        }
        if self.with_nhcb { self.push_custom(source) } else { Ok(()) }
    }

    /// Stores classic histograms as native ones with custom buckets, too.
    fn push_custom(&self, source: &mut MemoryMetrics) -> Result<(), String> {
        let mut found: BTreeMap<(Labels, i64), Classic> = BTreeMap::new();
        for (labels, items, _) in &self.series {
            let name = labels.metric_name();
            let part = ["_bucket", "_count", "_sum"].into_iter().find(|suffix| name.ends_with(suffix));
            let Some(suffix) = part else { continue };
            let mut builder = labels.builder();
            builder.set("__name__", name.strip_suffix(suffix).unwrap_or(name));
            builder.remove("le");
            let base = builder.build();
            let bound: Option<f64> = labels.get("le").and_then(|le| le.parse().ok());
            for (at, item) in (0_i64..).zip(items) {
                let Item::Float(value) = item else { continue };
                let classic = found.entry((base.clone(), at * self.step)).or_default();
                match (suffix, bound) {
                    ("_bucket", Some(bound)) => classic.buckets.push((bound, *value)),
                    ("_count", _) => classic.count = Some(*value),
                    ("_sum", _) => classic.sum = *value,
                    _ => {}
                }
            }
        }
        for ((labels, ts), classic) in found {
            source.push_histogram(&labels, ts, 0, classic.convert()?);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Classic {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

impl Classic {
    fn convert(mut self) -> Result<FloatHistogram, String> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let highest = self.buckets.last().map_or(0.0, |(_, count)| *count);
        let count = self.count.unwrap_or(highest);
        if self.buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut below = 0.0;
        let mut counts = Vec::new();
        for (_, cumulative) in &self.buckets {
            if *cumulative < below {
                return Err("classic buckets decrease".to_owned());
            }
            counts.push(cumulative - below);
            below = *cumulative;
        }
        let bounds = self.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect();
        let length = u32::try_from(counts.len()).map_err(|error| error.to_string())?;
        Ok(query::promql::compact_histogram(FloatHistogram {
            schema: model::histogram::CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive_spans: vec![model::histogram::BucketSpan { offset: 0, length }],
            positive_buckets: counts,
            custom_values: bounds,
            ..FloatHistogram::default()
        }))
    }
}

type Parsed = (usize, Result<Command, String>);

/// Commands with the line (from 1) they start at.
pub(super) fn parse(text: &str) -> Vec<Parsed> {
    let clean =
        |line: &'_ str| if line.trim().starts_with('#') { String::new() } else { line.trim().to_owned() };
    let lines: Vec<String> = text.lines().map(clean).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let start = at;
        at += 1;
        let word = line.split_whitespace().next().unwrap_or_default().to_lowercase();
        if word.is_empty() {
            continue;
        }
        let body_end = lines.iter().skip(at).position(String::is_empty).map_or(lines.len(), |more| at + more);
        let body = lines.get(at..body_end).unwrap_or_default();
        let command = if word == "clear" {
            Ok(Command::Clear)
        } else if word.starts_with("load") {
            at = body_end;
            parse_load(line, body).map(Command::Load)
        } else if word.starts_with("eval") {
            at = body_end;
            parse_eval(line, body).map(|eval| Command::Eval(Box::new(eval)))
        } else {
            Err(format!("invalid command {line:?}"))
        };
        out.push((start + 1, command));
    }
    out
}

fn parse_load(line: &str, body: &[String]) -> Result<Load, String> {
    let (command, step) = line.split_once(char::is_whitespace).ok_or("load without a step")?;
    let step = duration::parse(step.trim())?;
    let mut load = Load { step, with_nhcb: command.ends_with("_with_nhcb"), series: Vec::new() };
    let mut starts = None;
    for line in body {
        let marker = line.split_whitespace().next().and_then(|word| word.strip_suffix("@st"));
        if let Some(metric) = marker {
            let rest = line.get(metric.len() + "@st".len()..).unwrap_or_default();
            starts = Some(parse_starts(rest)?);
            continue;
        }
        let (labels, items) = parse_series(line)?;
        load.series.push((labels, items, starts.take()));
    }
    Ok(load)
}

/// Takes a duration off the front of `rest`.
fn take_duration<'l>(rest: &'l str, keyword: &str) -> Result<(i64, &'l str), String> {
    let rest = rest.trim_start().strip_prefix(keyword).ok_or_else(|| format!("expected {keyword}"))?;
    let (word, rest) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim_start(), ""));
    Ok((duration::parse(word)?, rest.trim_start()))
}

fn parse_when(line: &str) -> Result<(When, &str), String> {
    let (_, rest) = line.split_once(char::is_whitespace).ok_or("eval without a query")?;
    let rest = rest.trim_start();
    if let Some(rest) = rest.strip_prefix("instant") {
        if !rest.trim_start().starts_with("at ") {
            return Ok((When::Instant(0), rest.trim_start()));
        }
        let (at, query) = take_duration(rest, "at")?;
        return Ok((When::Instant(at), query));
    }
    let rest = rest.strip_prefix("range").ok_or("eval is neither instant nor range")?;
    let (start, rest) = take_duration(rest, "from")?;
    let (end, rest) = take_duration(rest, "to")?;
    let (step, query) = take_duration(rest, "step")?;
    Ok((When::Range(start, end, step), query))
}

fn parse_eval(line: &str, body: &[String]) -> Result<Eval, String> {
    let (when, query) = parse_when(line)?;
    let mut eval = Eval {
        query: query.to_owned(),
        when,
        ordered: line.starts_with("eval_ordered"),
        fail: line.starts_with("eval_fail").then_some(Pattern::Any),
        warn: Vec::new(),
        info: Vec::new(),
        no_warn: false,
        no_info: false,
        text: None,
        scalar: None,
        range_vector: None,
        series: Vec::new(),
    };
    if line.starts_with("eval_warn") {
        eval.warn.push(Pattern::Any);
    }
    if line.starts_with("eval_info") {
        eval.info.push(Pattern::Any);
    }
    for line in body {
        if let Some(message) = line.strip_prefix("expected_fail_message") {
            eval.fail = Some(Pattern::Message(message.trim().to_owned()));
        } else if let Some(regex) = line.strip_prefix("expected_fail_regexp") {
            eval.fail = Some(Pattern::Regex(compile(regex.trim())?));
        } else if let Some(rest) = line.strip_prefix("expect ") {
            parse_expect(&mut eval, rest.trim())?;
        } else if let Ok(number) = parse_number(line) {
            eval.scalar = Some(number);
        } else {
            eval.series.push(parse_series(line)?);
        }
    }
    Ok(eval)
}

fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| error.to_string())
}

fn parse_number(line: &str) -> Result<f64, ()> {
    match language::promql::parse(line) {
        Ok(expr) => match expr {
            language::promql::Expr::Number(number) => Ok(number.value),
            _ => Err(()),
        },
        Err(_) => Err(()),
    }
}

fn parse_expect(eval: &mut Eval, rest: &str) -> Result<(), String> {
    if let Some(range) = rest.strip_prefix("range vector") {
        let (start, range) = take_duration(range, "from")?;
        let (end, range) = take_duration(range, "to")?;
        let (step, _) = take_duration(range, "step")?;
        eval.range_vector = Some((start, end, step));
        return Ok(());
    }
    if let Some(text) = rest.strip_prefix("string") {
        eval.text = Some(unquote(text.trim())?);
        return Ok(());
    }
    let (kind, detail) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let pattern = match detail.trim().split_once(':') {
        Some(("msg", message)) => Pattern::Message(message.trim().to_owned()),
        Some(("regex", regex)) => Pattern::Regex(compile(regex.trim())?),
        _ => Pattern::Any,
    };
    match kind {
        "ordered" => eval.ordered = true,
        "fail" => eval.fail = Some(pattern),
        "warn" => eval.warn.push(pattern),
        "info" => eval.info.push(pattern),
        "no_warn" => eval.no_warn = true,
        "no_info" => eval.no_info = true,
        _ => return Err(format!("invalid expectation {rest:?}")),
    }
    Ok(())
}
