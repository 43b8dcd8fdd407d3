//! One run: steps drawn from the seed's random numbers, faults that begin and end, and the comparison after each.

mod upkeep;

use super::Summary;
use super::answers::{Question, whole_number};
use super::fault::{End, FAULTS};
use super::ledger::{Ledger, Record};
use super::load::{Load, Request, index, malformed};
use super::machine::{Machine, Process, Reply};
use binnacle::Pipeline;
use model::Tenant;
use platform::{Clock, Random, SeededRandom};
use std::cell::Cell;
use std::collections::BTreeSet;
use upkeep::Snapshot;

/// Longest time between two steps, in nanoseconds.
const STEP_NS_MAX: u64 = 3_000_000_000;
/// Acknowledged requests that may be sent once more, as by a client that lost the answer.
const ANSWERED_KEPT: usize = 16;
/// Background steps within which a healthy server takes what it refused before.
const RECOVERY_STEPS_MAX: usize = 50;
/// Starts that may fail because power goes again.
const STARTS_MAX: usize = 4;
/// Traces fetched by id in a check.
const TRACES_CHECKED: u64 = 4;
/// Operations without new spans leave the live graph after this time, in nanoseconds; then counts start again.
const GRAPH_IDLE_NS: u64 = 14 * 60 * 1_000_000_000;

/// A fault that has not ended.
struct Trouble {
    end: End,
    steps_left: u64,
}

/// Tenants and what each was told.
type Tenants = [(Tenant, Ledger); 2];

struct Voyage {
    random: SeededRandom,
    machine: Machine,
    process: Process,
    load: Load,
    tenants: Tenants,
    /// Refused, to be sent again.
    owed: Vec<Request>,
    answered: Vec<Request>,
    trouble: Option<Trouble>,
    /// The latest snapshot; it was not restored yet.
    snapshot: Option<Snapshot>,
    snapshots: u64,
    /// Spans that this process saw, by tenant; nothing after a clock jump.
    observed: Option<BTreeSet<(usize, Record)>>,
    summary: Summary,
}

/// Runs `steps` steps from `seed`; `at` says which one is under way.
pub(super) async fn sail(seed: u64, steps: u64, at: &Cell<u64>) -> Result<Summary, String> {
    let mut voyage = Voyage::new(seed)?;
    for step in 0..steps {
        at.set(step);
        voyage.step().await?;
    }
    at.set(steps);
    voyage.end_trouble().await?;
    voyage.settle().await?;
    voyage.check()?;
    voyage.compact()?;
    voyage.check()?;
    voyage.restore()?;
    voyage.retire()?;
    Ok(voyage.finish(seed, steps))
}

impl Voyage {
    fn new(seed: u64) -> Result<Self, String> {
        let random = SeededRandom::new(seed);
        let machine = Machine::new(seed, &random);
        let process = machine.start()?;
        let other = Tenant::new("other").map_err(|error| error.to_string())?;
        Ok(Self {
            random,
            machine,
            process,
            load: Load::new(),
            tenants: [(Tenant::default(), Ledger::default()), (other, Ledger::default())],
            owed: Vec::new(),
            answered: Vec::new(),
            trouble: None,
            snapshot: None,
            snapshots: 0,
            observed: Some(BTreeSet::new()),
            summary: Summary::default(),
        })
    }

    async fn step(&mut self) -> Result<(), String> {
        self.machine.clock.advance(1 + self.random.below(STEP_NS_MAX));
        if let Some(trouble) = &mut self.trouble {
            if trouble.steps_left == 0 {
                return self.end_trouble().await;
            }
            trouble.steps_left -= 1;
        }
        match self.random.below(100) {
            0..60 => self.send_new().await,
            60..62 => self.send_malformed().await,
            62..68 => self.send_again().await,
            68..79 => self.maintain().map(drop),
            79..83 => self.flush(),
            83 => self.compact(),
            84..86 => self.retire(),
            86..89 => self.snapshot(),
            89..93 => self.collect().await,
            93..95 => self.check(),
            _ if self.trouble.is_none() => self.begin_trouble().await,
            _ => Ok(()),
        }
    }

    async fn send_new(&mut self) -> Result<(), String> {
        let at = usize::from(self.random.below(6) == 0);
        let request = self.load.next(&self.random, self.tenants[at].0.clone(), self.machine.clock.now_ns());
        self.send(request).await
    }

    /// Sends a request; what it carries is in the ledger afterwards.
    async fn send(&mut self, request: Request) -> Result<(), String> {
        let at = usize::from(request.tenant == self.tenants[1].0);
        let reply = self.process.send(&request).await;
        if let Some(observed) = &mut self.observed {
            let spans = request.records.iter().filter(|record| matches!(record, Record::Span(..)));
            observed.extend(spans.map(|span| (at, span.clone())));
        }
        let ledger = &mut self.tenants[at].1;
        if reply.status / 100 == 2 {
            if reply.text.contains("ejected") {
                return Err(format!("{} took only a part: {}", request.path, reply.text));
            }
            ledger.acknowledge(&request.records);
            self.summary.acknowledged += 1;
            self.answered.push(request);
            if self.answered.len() > ANSWERED_KEPT {
                self.answered.remove(0);
            }
            return Ok(());
        }
        ledger.doubt(&request.records);
        self.summary.refused += 1;
        let verdict = self.judge(&request, &reply);
        self.owed.push(request);
        verdict
    }

    /// A refusal must have a cause, say it, and say when to come back.
    fn judge(&self, request: &Request, reply: &Reply) -> Result<(), String> {
        let full = reply.text.contains("is full: send again in");
        let disk = reply.text.contains("cannot write to the data directory");
        let clear = matches!(reply.status, 429 | 503) && reply.retry_after && (full || disk);
        let caused = full || self.trouble.is_some();
        if clear && caused {
            return Ok(());
        }
        let what = if clear { "refused without a cause" } else { "refused without a clear error" };
        Err(format!("{} {what}: {reply:?}", request.path))
    }

    async fn send_malformed(&mut self) -> Result<(), String> {
        let tenant = self.tenants[0].0.clone();
        let request = malformed(&self.load.next(&self.random, tenant, self.machine.clock.now_ns()));
        let reply = self.process.send(&request).await;
        if reply.status == 400 && !reply.text.is_empty() {
            return Ok(());
        }
        Err(format!("{}: a body cut short is answered {reply:?}", request.path))
    }

    /// Something refused before, or acknowledged and yet sent again.
    async fn send_again(&mut self) -> Result<(), String> {
        let from = if self.owed.is_empty() { &mut self.answered } else { &mut self.owed };
        if from.is_empty() {
            return Ok(());
        }
        let request = from.remove(index(self.random.below(from.len() as u64)));
        let before = self.summary.acknowledged;
        self.send(request).await?;
        self.summary.resent += self.summary.acknowledged - before;
        Ok(())
    }

    /// Background work; it may fail only while something is wrong. `None` when it did.
    fn work<T>(
        &self,
        what: &str,
        work: fn(&store::Store) -> Result<T, store::StoreError>,
    ) -> Result<Option<T>, String> {
        match work(&self.process.pipeline.store) {
            Err(error) if self.trouble.is_none() => Err(format!("{what} fails without a cause: {error}")),
            outcome => Ok(outcome.ok()),
        }
    }

    fn flush(&self) -> Result<(), String> {
        self.work("a flush", store::Store::flush).map(drop)
    }

    /// Writes the live graph's metrics; on a healthy machine they count each span that this process saw once.
    async fn collect(&mut self) -> Result<(), String> {
        let refused = self.process.refusals();
        self.process.pipeline.collect().await;
        let age_ns = self.machine.clock.monotonic_ns() - self.process.started_ns;
        let Some(observed) = &self.observed else { return Ok(()) };
        // What did not fit into memory comes with the next collection.
        if self.trouble.is_some() || age_ns > GRAPH_IDLE_NS || self.process.refusals() != refused {
            return Ok(());
        }
        for (at, (tenant, _)) in self.tenants.iter().enumerate() {
            let wanted = observed.iter().filter(|(of, _)| *of == at).count();
            let now_ms = self.machine.clock.now_ms();
            let question = Question { pipeline: &self.process.pipeline, tenant, range_ms: (now_ms, now_ms) };
            let query = "sum(last_over_time(traces_spanmetrics_calls_total[1ms]))";
            let found = question.prom_number(query, now_ms)?;
            if (found - whole_number(wanted)).abs() > 0.5 {
                return Err(format!("span metrics count {found} calls, {wanted} spans came"));
            }
        }
        Ok(())
    }

    /// Compares every answer with the ledger.
    fn check(&mut self) -> Result<(), String> {
        let range_ms = self.load.range_ms;
        if range_ms.0 > range_ms.1 {
            return Ok(());
        }
        self.summary.checks += 1;
        compare(&self.process.pipeline, &self.tenants, range_ms, &self.random)
    }

    async fn begin_trouble(&mut self) -> Result<(), String> {
        let fault = &FAULTS[index(self.random.below(FAULTS.len() as u64))];
        self.summary.faults += 1;
        let before_ns = self.machine.clock.now_ns();
        (fault.begin)(&self.machine, &self.random);
        if self.machine.clock.now_ns() != before_ns {
            self.observed = None;
        }
        let steps_left = self.random.below(fault.steps_max + 1);
        self.trouble = Some(Trouble { end: fault.end, steps_left });
        if fault.steps_max == 0 { self.end_trouble().await } else { Ok(()) }
    }

    /// Ends the fault, if there is one; then everything acknowledged is there, sometimes also after all that is owed
    /// was sent again.
    async fn end_trouble(&mut self) -> Result<(), String> {
        let Some(trouble) = &self.trouble else { return Ok(()) };
        let end = trouble.end;
        match end {
            End::PowerCut | End::PowerCutThenRoom => {
                self.machine.disk.set_tears(self.random.below(2) == 0);
                self.machine.disk.crash();
                self.restart()?;
            }
            End::Kill => {
                self.machine.disk.kill();
                self.restart()?;
            }
            End::Stop => {
                let closed = self.process.pipeline.store.close();
                closed.map_err(|error| format!("the stop fails: {error}"))?;
                self.restart()?;
            }
            End::Room => self.check()?,
            End::Over => {}
        }
        self.machine.disk.set_capacity(u64::MAX);
        self.machine.disk.fail_sync_in(u64::MAX);
        self.trouble = None;
        self.check()?;
        if self.random.below(2) == 0 {
            self.settle().await?;
            self.check()?;
        }
        Ok(())
    }

    /// Starts a process; power may go again meanwhile.
    fn restart(&mut self) -> Result<(), String> {
        for _ in 0..STARTS_MAX {
            if self.random.below(4) == 0 {
                self.machine.disk.fail_power_in(self.random.below(20));
            }
            match self.machine.start() {
                Ok(process) => {
                    self.replace(process);
                    return Ok(());
                }
                Err(_) => self.machine.disk.crash(),
            }
        }
        self.machine.disk.set_capacity(u64::MAX);
        let process = self.machine.start().map_err(|error| format!("the server does not start: {error}"))?;
        self.replace(process);
        Ok(())
    }

    /// Drops the dead process, which must not reach the disk meanwhile, and what was armed for the start.
    fn replace(&mut self, process: Process) {
        self.machine.disk.fail_power_in(0);
        self.process = process;
        self.machine.disk.fail_power_in(u64::MAX);
        self.observed = Some(BTreeSet::new());
    }

    /// A healthy server takes all that it refused.
    async fn settle(&mut self) -> Result<(), String> {
        for _ in 0..RECOVERY_STEPS_MAX {
            for request in std::mem::take(&mut self.owed) {
                let before = self.summary.acknowledged;
                self.send(request).await?;
                self.summary.resent += self.summary.acknowledged - before;
            }
            if self.owed.is_empty() {
                return Ok(());
            }
            self.maintain()?;
        }
        Err(format!("{} requests are refused for ever", self.owed.len()))
    }

    fn finish(mut self, seed: u64, steps: u64) -> Summary {
        self.summary.seed = seed;
        self.summary.steps = steps;
        for (_, ledger) in &self.tenants {
            for (sum, count) in self.summary.records.iter_mut().zip(ledger.count()) {
                *sum += count;
            }
        }
        for (path, bytes) in self.machine.disk.files() {
            for part in path.bytes().map(u64::from).chain([bytes]) {
                self.summary.digest = self.summary.digest.wrapping_mul(31).wrapping_add(part);
            }
        }
        self.summary
    }
}

/// Compares every answer of `pipeline` with the ledgers.
fn compare(
    pipeline: &Pipeline,
    tenants: &Tenants,
    range_ms: (i64, i64),
    random: &SeededRandom,
) -> Result<(), String> {
    for (tenant, ledger) in tenants {
        let question = Question { pipeline, tenant, range_ms };
        let found = question.records().map_err(|error| format!("tenant {tenant}: {error}"))?;
        let mut traces: Vec<[u8; 16]> = Vec::new();
        for record in &found {
            if let Record::Span(trace_id, ..) = record {
                traces.push(*trace_id);
            }
        }
        ledger.check(found).map_err(|error| format!("tenant {tenant}: {error}"))?;
        for _ in 0..TRACES_CHECKED.min(traces.len() as u64) {
            let trace_id = traces[index(random.below(traces.len() as u64))];
            check_trace(&question, ledger, trace_id)?;
        }
    }
    let quarantined = pipeline.store.quarantined();
    if quarantined.is_empty() { Ok(()) } else { Err(format!("something is damaged: {quarantined:?}")) }
}

/// A trace fetched by id has each acknowledged span once.
fn check_trace(question: &Question<'_>, ledger: &Ledger, trace_id: [u8; 16]) -> Result<(), String> {
    let found = question.trace(trace_id)?;
    let (acknowledged, more) = ledger.spans_of(trace_id);
    let distinct: BTreeSet<_> = found.iter().collect();
    let missing = acknowledged.iter().filter(|span_id| !distinct.contains(span_id)).count();
    if distinct.len() != found.len() || missing > 0 || found.len() > acknowledged.len() + more {
        return Err(format!(
            "trace {}: {} spans by id ({} distinct), {missing} of {} acknowledged are missing",
            model::TraceId(trace_id),
            found.len(),
            distinct.len(),
            acknowledged.len()
        ));
    }
    Ok(())
}
