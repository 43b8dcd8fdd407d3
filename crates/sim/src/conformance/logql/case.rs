//! The lines loaded so far, and one case run against them.

use super::compare::{self, Expected};
use super::script::{Block, duration, entry, word};
use model::scan::{Budget, Direction};
use model::tenant::Tenant;
use model::{LogBatch, SpanId, TraceId};
use query::logql::{LogAnswer, LogError, LogParams, query};
use query::memory::MemoryLogs;

/// Entries a `logs` case may expect.
const ENTRIES_MAX: usize = 1_000;

/// What a script has loaded.
#[derive(Default)]
pub(super) struct World {
    logs: MemoryLogs,
}

impl World {
    /// Runs a block; whether it was a case.
    pub(super) fn run(&mut self, block: &Block) -> Result<bool, String> {
        match word(&block.head) {
            ("clear", _) => {
                self.logs = MemoryLogs::default();
                Ok(false)
            }
            ("load", _) => block.body.iter().try_for_each(|line| self.load(line)).map(|()| false),
            ("eval", rest) => self.eval(rest.trim(), &block.body).map(|()| true),
            _ => Err("unknown command".to_owned()),
        }
    }

    fn load(&mut self, line: &str) -> Result<(), String> {
        let entry = entry(line).ok_or_else(|| format!("cannot read {line:?}"))?;
        let mut batch = LogBatch::default();
        batch.push_stream(entry.labels);
        for n in 0..entry.times {
            let metadata = entry.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let ids = (TraceId::default(), SpanId::default());
            batch.push_entry(entry.at_ns + n * entry.every_ns, &entry.line, metadata, ids);
        }
        self.logs.push(&Tenant::default(), &batch);
        Ok(())
    }

    fn eval(&self, text: &str, body: &[String]) -> Result<(), String> {
        let (params, text) = params(text).ok_or("cannot read the command")?;
        let expected = Expected::read(body)?;
        let answer = self.query(text, &params);
        compare::check(&expected, &answer, &params)
    }

    fn query(&self, text: &str, params: &LogParams) -> Result<LogAnswer, LogError> {
        query(&self.logs, &Tenant::default(), text, params, &Budget::default())
    }
}

/// Reads `instant at 60s QUERY`, `range from 0s to 60s step 10s QUERY` or
/// `logs from 0s to 60s [direction forward] [limit 10] QUERY`.
fn params(text: &str) -> Option<(LogParams, &str)> {
    let (kind, mut rest) = word(text);
    let mut params = LogParams { series_max: 0, limit: ENTRIES_MAX, ..LogParams::default() };
    loop {
        let (key, after) = word(rest.trim_start());
        let (value, after) = word(after.trim_start());
        match key {
            "at" => (params.start_ns, params.end_ns) = (duration(value)?, duration(value)?),
            "from" => params.start_ns = duration(value)?,
            "to" => params.end_ns = duration(value)?,
            "step" => params.step_ms = Some(duration(value)? / 1_000_000),
            "limit" => params.limit = value.parse().ok()?,
            "direction" if value.eq_ignore_ascii_case("forward") => params.direction = Direction::Forward,
            "direction" => params.direction = Direction::Backward,
            _ => break,
        }
        rest = after;
    }
    if kind == "logs" && params.step_ms.is_none() {
        params.step_ms = Some(1_000);
    }
    Some((params, rest.trim_start()))
}
