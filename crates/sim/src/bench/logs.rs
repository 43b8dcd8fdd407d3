//! Loki pushes of 60 pods: snappy protobuf batches of about a megabyte, as an agent on each of four nodes sends them.

use super::bodies::{self, LaneWriter, Load};
use super::lines::{MIXES, Mix};
use super::random::Rng;
use super::{Plan, Result, Signal};
use jiff::Timestamp;
use std::path::Path;
use wire::proto::{Value, put_field};

/// Bytes of lines at scale 1.
const LINE_BYTES: f64 = 1e9;
/// Pods of each mix on a node; a lane is a node.
const PODS_PER_MIX: u64 = 3;
/// Bytes of lines in a request.
const REQUEST_LINE_BYTES: u64 = 1_000_000;
/// The lines were written in the last 30 minutes.
const SPAN_NS: i64 = 1_800 * 1_000_000_000;
/// One line in so many carries structured metadata.
const METADATA_EVERY: u64 = 20;

/// Makes the data set; its last lines are just before `plan.end_ns`.
pub(super) fn make(plan: &Plan, folder: &Path) -> Result<Load> {
    let requests =
        plan.scaled(LINE_BYTES / super::LANES_F / f64::from(u32::try_from(REQUEST_LINE_BYTES)?)).max(1);
    bodies::make(folder, Signal::Logs, |lane, out| fill(plan, lane, requests, out))
}

fn fill(plan: &Plan, lane: u64, requests: u64, out: &mut LaneWriter) -> Result<()> {
    let rng = Rng::new(plan.seed, lane);
    let window_ns = SPAN_NS / i64::try_from(requests)?;
    let start_ns = plan.end_ns - SPAN_NS;
    let streams = MIXES.len() as u64 * PODS_PER_MIX;
    let mut body = Vec::new();
    for request in 0..requests {
        body.clear();
        let from_ns = start_ns + i64::try_from(request)? * window_ns;
        for mix in MIXES {
            for pod in 0..PODS_PER_MIX {
                let labels = labels(mix.0, lane, pod);
                let window = Window { from_ns, length_ns: window_ns, bytes: REQUEST_LINE_BYTES / streams };
                stream(&rng, mix, &labels, &window, out, &mut body)?;
            }
        }
        out.push(&body)?;
    }
    (out.made.start_ns, out.made.end_ns) = (start_ns, plan.end_ns);
    Ok(())
}

fn labels(mix: &str, lane: u64, pod: u64) -> String {
    let id = (lane * PODS_PER_MIX + pod + 1) * 0x9e37_79b9 % 0xf_ffff;
    format!(
        r#"{{app="{mix}", container="main", job="shop/{mix}", namespace="shop", node="node-{lane}", pod="{mix}-7d9c5b-{id:05x}"}}"#
    )
}

/// What of a stream goes into one request.
struct Window {
    from_ns: i64,
    length_ns: i64,
    /// Bytes of lines.
    bytes: u64,
}

/// Appends a stream with its entries.
fn stream(
    rng: &Rng,
    (_, line_bytes, write): &Mix,
    labels: &str,
    window: &Window,
    out: &mut LaneWriter,
    body: &mut Vec<u8>,
) -> Result<()> {
    let mut message = Vec::new();
    put_field(&mut message, 1, Value::Bytes(labels.as_bytes()));
    let gap_ns = window.length_ns / i64::try_from(window.bytes / line_bytes + 1)?;
    let (mut at_ns, mut bytes, mut line) = (window.from_ns, 0, String::new());
    while bytes < window.bytes {
        at_ns = (at_ns + i64::try_from(rng.below(u64::try_from(2 * gap_ns)?))?)
            .min(window.from_ns + window.length_ns - 1);
        line.clear();
        write(rng, Timestamp::from_nanosecond(at_ns.into())?, &mut line)?;
        entry(rng, at_ns, &line, &mut message)?;
        bytes += line.len() as u64;
        out.made.records += 1;
    }
    out.made.units += bytes;
    put_field(body, 1, Value::Bytes(&message));
    Ok(())
}

fn entry(rng: &Rng, at_ns: i64, line: &str, message: &mut Vec<u8>) -> Result<()> {
    let (mut time, mut record) = (Vec::new(), Vec::new());
    put_field(&mut time, 1, Value::Varint(u64::try_from(at_ns / 1_000_000_000)?));
    put_field(&mut time, 2, Value::Varint(u64::try_from(at_ns % 1_000_000_000)?));
    put_field(&mut record, 1, Value::Bytes(&time));
    put_field(&mut record, 2, Value::Bytes(line.as_bytes()));
    if rng.below(METADATA_EVERY) == 0 {
        let mut pair = Vec::new();
        put_field(&mut pair, 1, Value::Bytes(b"trace_id"));
        let id = format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64());
        put_field(&mut pair, 2, Value::Bytes(id.as_bytes()));
        put_field(&mut record, 3, Value::Bytes(&pair));
    }
    put_field(message, 2, Value::Bytes(&record));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::bodies::LaneReader;

    #[test]
    fn bodies_are_loki_pushes_with_equal_shares_of_the_mixes() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { scale: 0.01, ..Plan::default() };
        let load = make(&plan, folder.path()).unwrap();
        let (mut records, mut bytes) = (0, std::collections::BTreeMap::<String, usize>::new());
        for lane in &load.lanes {
            for body in LaneReader::open(lane).unwrap() {
                let batch = wire::loki::decode_push_protobuf(&body.unwrap().into()).unwrap().batch;
                for stream in &batch.streams {
                    let app = stream.labels.get("app").unwrap_or_default().to_owned();
                    for entry in batch.entries(stream) {
                        records += 1;
                        *bytes.entry(app.clone()).or_default() += batch.line(entry).len();
                    }
                }
            }
        }
        assert_eq!(records, load.made.records);
        assert_eq!(bytes.values().sum::<usize>() as u64, load.made.units);
        assert_eq!(bytes.len(), MIXES.len());
        let (least, most) = (bytes.values().min().unwrap(), bytes.values().max().unwrap());
        assert!(most - least < least / 20, "{bytes:?}");
    }
}
