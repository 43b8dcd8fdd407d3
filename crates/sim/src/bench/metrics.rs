//! Remote write of hosts as their node exporters show them: 100 targets x 523 series x 480 scrapes, 15 s apart.
//!
//! A request carries one scrape of a few targets, one sample a series, as Prometheus' own queue sends them.

mod families;

use super::bodies::{self, LaneWriter, Load};
use super::random::Rng;
use super::{LANES, Plan, Result, Signal};
use families::Kind;
use std::path::Path;
use wire::proto::{Value, put_field, put_varint};

/// Targets at scale 1.
const TARGETS: f64 = 100.0;
/// Scrapes of each target.
const STEPS: u64 = 480;
/// Milliseconds between scrapes.
const STEP_MS: i64 = 15_000;
/// Targets that share a request: 2,615 samples.
const TARGETS_PER_REQUEST: usize = 5;

/// A series of one target: its labels as the request writes them, and where its value stands.
struct Series {
    labels: Vec<u8>,
    kind: Kind,
    value: f64,
    /// What this host's load is to the middle one's.
    scale: f64,
}

struct Target {
    series: Vec<Series>,
    rng: Rng,
    /// When in the interval it is scraped, milliseconds.
    offset_ms: i64,
}

/// Makes the data set; its last samples are at `plan.end_ns`.
pub(super) fn make(plan: &Plan, folder: &Path) -> Result<Load> {
    let targets = plan.scaled(TARGETS).max(LANES);
    bodies::make(folder, Signal::Metrics, |lane, out| {
        let mine = (0..targets).filter(|target| target % LANES == lane);
        fill(plan, mine.map(|number| target(plan.seed, number)).collect(), out)
    })
}

fn fill(plan: &Plan, mut targets: Vec<Target>, out: &mut LaneWriter) -> Result<()> {
    let steps = i64::try_from(STEPS)?;
    let start_ms = plan.end_ns / 1_000_000 - steps * STEP_MS;
    let (mut body, mut entry) = (Vec::new(), Vec::new());
    for step in 0..steps {
        for group in targets.chunks_mut(TARGETS_PER_REQUEST) {
            body.clear();
            for target in group {
                let ts_ms = start_ms + step * STEP_MS + target.offset_ms;
                for series in &mut target.series {
                    series.advance(&target.rng);
                    series.write(ts_ms, &mut entry, &mut body);
                }
                out.made.records += target.series.len() as u64;
            }
            out.push(&body)?;
        }
    }
    out.made.units = out.made.records;
    (out.made.start_ns, out.made.end_ns) = (start_ms * 1_000_000, plan.end_ns);
    Ok(())
}

fn target(seed: u64, number: u64) -> Target {
    let rng = Rng::new(seed, number);
    let instance = format!("10.0.{}.{}:9100", number / 250, number % 250 + 1);
    let series = families::series().into_iter().map(|(name, labels, kind)| {
        let scale = 3.0_f64.powf(2.0 * rng.unit() - 1.0);
        Series {
            labels: encode_labels(&name, labels, &instance),
            kind,
            value: first(kind, scale, &rng),
            scale,
        }
    });
    let series = series.collect();
    Target { series, rng, offset_ms: i64::try_from(number * 149 % 15_000).unwrap_or(0) }
}

fn encode_labels(name: &str, mut labels: Vec<(String, String)>, instance: &str) -> Vec<u8> {
    for (key, value) in [("__name__", name), ("instance", instance), ("job", "node")] {
        labels.push((key.to_owned(), value.to_owned()));
    }
    labels.sort();
    let mut out = Vec::new();
    for (key, value) in labels {
        let mut label = Vec::new();
        put_field(&mut label, 1, Value::Bytes(key.as_bytes()));
        put_field(&mut label, 2, Value::Bytes(value.as_bytes()));
        put_field(&mut out, 1, Value::Bytes(&label));
    }
    out
}

fn rounded(value: f64, per_unit: f64) -> f64 {
    (value * per_unit).round() / per_unit
}

fn first(kind: Kind, scale: f64, rng: &Rng) -> f64 {
    match kind {
        Kind::Still(value) => value,
        // The host has been up for some days.
        Kind::Counter { step, per_unit } => rounded(step * scale * 50_000.0 * rng.unit(), per_unit),
        Kind::Rare { chance } => (chance * 50_000.0 * rng.unit()).round(),
        Kind::Gauge { middle, per_unit, .. } => rounded(middle * scale, per_unit),
        Kind::Noise { middle } => middle,
    }
}

impl Series {
    /// Moves the value to the next scrape.
    fn advance(&mut self, rng: &Rng) {
        match self.kind {
            Kind::Still(_) => {}
            Kind::Counter { step, per_unit } => {
                self.value = rounded(self.value + step * self.scale * rng.around_one(0.5), per_unit);
            }
            Kind::Rare { chance } => {
                if rng.unit() < chance {
                    self.value += 1.0;
                }
            }
            Kind::Gauge { middle, swing, per_unit } => {
                let (middle, swing) = (middle * self.scale, swing * self.scale);
                let pull = 0.05 * (middle - self.value);
                let moved = self.value + pull + 0.2 * swing * (2.0 * rng.unit() - 1.0);
                self.value = rounded(moved.clamp((middle - swing).max(0.0), middle + swing), per_unit);
            }
            Kind::Noise { middle } => self.value = middle * self.scale * rng.around_one(0.3),
        }
    }

    /// Appends a `TimeSeries` with one sample to `body`; `entry` is room to work in.
    fn write(&self, ts_ms: i64, entry: &mut Vec<u8>, body: &mut Vec<u8>) {
        entry.clear();
        if self.value.to_bits() != 0 {
            put_field(entry, 1, Value::Fixed64(self.value.to_bits()));
        }
        put_field(entry, 2, Value::Varint(ts_ms.cast_unsigned()));
        // Field 1 of the request: labels, then field 2, the sample.
        let sample_bytes = entry.len() + 2;
        body.push(1 << 3 | 2);
        put_varint(body, (self.labels.len() + sample_bytes) as u64);
        body.extend_from_slice(&self.labels);
        put_field(body, 2, Value::Bytes(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::bodies::LaneReader;

    #[test]
    fn a_host_shows_523_series_none_twice() {
        let mut all: Vec<_> =
            families::series().into_iter().map(|(name, labels, _)| (name, labels)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 523);
    }

    #[test]
    fn bodies_are_remote_write_with_one_sample_per_series() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { scale: 0.01, ..Plan::default() };
        let load = make(&plan, folder.path()).unwrap();
        assert_eq!(load.made.records, LANES * STEPS * 523);
        let first = LaneReader::open(&load.lanes[0]).unwrap().next().unwrap().unwrap();
        let batch = wire::prometheus::remote_write::decode(&first).unwrap();
        assert_eq!((batch.series.len(), batch.floats.len()), (523, 523));
    }
}
