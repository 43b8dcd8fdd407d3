//! Prometheus' `promqltest` scripts: `load`, `clear`, and `eval` with what it must give.
//!
//! An instant query is also run as a range around its time, as Prometheus' own runner does.

mod expect;
mod script;
mod series;

use super::{FileResult, Report, read};
use expect::check;
use model::scan::Budget;
use model::{Labels, Tenant};
use query::memory::MemoryMetrics;
use query::promql::{Engine, PromAnswer, PromError, PromValue, QueryOptions, Sample, SampleValue, Series};
use script::{Command, Eval, When};
use std::path::Path;

/// Distance of the range query around an instant one, milliseconds.
const AROUND_MS: i64 = 60_000;

/// Runs every `*.test` below `data`.
#[must_use]
pub fn run(data: &Path) -> Report {
    let names = match scripts(data) {
        Ok(names) => names,
        Err(error) => return Report::failed("promql", format!("{}: {error}", data.display())),
    };
    let files = names
        .into_iter()
        .map(|name| match read(&data.join(&name)) {
            Ok(bytes) => run_script(&name, &String::from_utf8_lossy(&bytes)),
            Err(error) => FileResult { name, passed: 0, failures: vec![error] },
        })
        .collect();
    Report { files }
}

/// Names of the scripts in `data`, sorted.
#[expect(clippy::disallowed_methods, reason = "a runner reads other people's cases, not our data directory")]
fn scripts(data: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(data)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "test"));
    names.sort();
    Ok(names)
}

/// Runs one script.
fn run_script(name: &str, text: &str) -> FileResult {
    let mut result = FileResult { name: name.to_owned(), ..FileResult::default() };
    let mut source = MemoryMetrics::default();
    for (line, command) in script::parse(text) {
        let outcome = match command {
            Ok(Command::Clear) => {
                source = MemoryMetrics::default();
                continue;
            }
            Ok(Command::Load(load)) => match load.apply(&mut source) {
                Ok(()) => continue,
                Err(error) => Err(error),
            },
            Ok(Command::Eval(eval)) => run_eval(&source, &eval).map_err(|e| format!("{}: {e}", eval.query)),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => result.passed += 1,
            Err(error) => result.failures.push(format!("{name}:{line}: {error}")),
        }
    }
    result
}

fn run_eval(source: &MemoryMetrics, eval: &Eval) -> Result<(), String> {
    check(eval, evaluate(source, eval, eval.when))?;
    let When::Instant(at) = eval.when else { return Ok(()) };
    if eval.instant_only() {
        return Ok(());
    }
    let around = When::Range(at - AROUND_MS, at + AROUND_MS, AROUND_MS);
    let answer = evaluate(source, eval, around);
    let answer = answer.map(|answer| PromAnswer { value: at_time(answer.value, eval, at), ..answer });
    expect::check_value(eval, answer).map_err(|error| format!("as a range: {error}"))
}

fn evaluate(source: &MemoryMetrics, eval: &Eval, when: When) -> Result<PromAnswer, PromError> {
    let options =
        QueryOptions { delayed_name_removal: true, start_timestamps: true, ..QueryOptions::default() };
    let (tenant, budget) = (Tenant::default(), Budget::default());
    match when {
        When::Instant(at) => Engine.instant(source, &tenant, &eval.query, at, &options, &budget),
        When::Range(start, end, step) => {
            Engine.range(source, &tenant, &eval.query, start, end, step, &options, &budget)
        }
    }
}

/// What a range answer says of one time, in the shape of an instant answer.
fn at_time(value: PromValue, eval: &Eval, at: i64) -> PromValue {
    let PromValue::Matrix(series) = value else { return value };
    if eval.expects_scalar() {
        let points = series.first().map(|series| series.floats.as_slice()).unwrap_or_default();
        let value = points.iter().find(|(ts, _)| *ts == at).map_or(f64::NAN, |(_, value)| *value);
        return PromValue::Scalar(at, value);
    }
    PromValue::Vector(series.iter().filter_map(|series| sample_at(series, at)).collect())
}

fn sample_at(series: &Series, at: i64) -> Option<Sample> {
    let labels: Labels = series.labels.clone();
    let float = series.floats.iter().find(|(ts, _)| *ts == at).map(|(_, value)| SampleValue::Float(*value));
    let histogram = series.histograms.iter().find(|(ts, _)| *ts == at);
    let value = float.or_else(|| histogram.map(|(_, h)| SampleValue::Histogram(h.clone())))?;
    Some(Sample { labels, ts_ms: at, value })
}
