//! Our own metrics: counters and gauges that code holds by value, rendered in Prometheus' text format.
//!
//! A metric is registered once at start; increments are one atomic add. No labels are made at run time, so our own
//! cardinality is what the code says.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Only goes up.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds `by`.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds `by`.
    pub fn add(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Reads a value when it is asked for; `None` where it cannot be known, then the metric is left out.
pub type Reading = fn() -> Option<f64>;

#[derive(Debug)]
enum Cell {
    Counter(Counter),
    Gauge(Gauge),
    Reading(Reading),
}

impl Cell {
    fn value(&self) -> Option<String> {
        Some(match self {
            Self::Counter(counter) => counter.get().to_string(),
            Self::Gauge(gauge) => gauge.get().to_string(),
            Self::Reading(read) => read()?.to_string(),
        })
    }
}

#[derive(Debug)]
struct Entry {
    name: &'static str,
    help: &'static str,
    labels: String,
    cell: Cell,
}

/// All metrics of the process; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Mutex<Vec<Entry>>>);

impl Registry {
    /// Registers a counter. `labels` is `a="b",c="d"` or empty; the same name and labels give the same counter.
    #[must_use]
    pub fn counter(&self, name: &'static str, labels: &str, help: &'static str) -> Counter {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.iter().filter(|entry| entry.name == name && entry.labels == labels) {
            if let Cell::Counter(counter) = &entry.cell {
                return counter.clone();
            }
        }
        let counter = Counter::default();
        entries.push(Entry { name, help, labels: labels.into(), cell: Cell::Counter(counter.clone()) });
        counter
    }

    /// Registers a gauge, like [`counter`](Self::counter).
    #[must_use]
    pub fn gauge(&self, name: &'static str, labels: &str, help: &'static str) -> Gauge {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.iter().filter(|entry| entry.name == name && entry.labels == labels) {
            if let Cell::Gauge(gauge) = &entry.cell {
                return gauge.clone();
            }
        }
        let gauge = Gauge::default();
        entries.push(Entry { name, help, labels: labels.into(), cell: Cell::Gauge(gauge.clone()) });
        gauge
    }

    /// Registers a metric that is read whenever the metrics are rendered; a counter when its name ends in `_total`.
    pub fn reading(&self, name: &'static str, help: &'static str, read: Reading) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.name != name);
        entries.push(Entry { name, help, labels: String::new(), cell: Cell::Reading(read) });
    }

    /// Prometheus text format 0.0.4, families sorted by name.
    #[must_use]
    pub fn render(&self) -> String {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<&Entry> = entries.iter().collect();
        rows.sort_by(|a, b| (a.name, &a.labels).cmp(&(b.name, &b.labels)));
        let mut out = String::new();
        let mut family = "";
        for entry in rows {
            let Some(value) = entry.cell.value() else { continue };
            let kind = match &entry.cell {
                Cell::Gauge(_) => "gauge",
                Cell::Reading(_) if !entry.name.ends_with("_total") => "gauge",
                Cell::Counter(_) | Cell::Reading(_) => "counter",
            };
            if family != entry.name {
                family = entry.name;
                let _ = writeln!(out, "# HELP {family} {}\n# TYPE {family} {kind}", entry.help);
            }
            let labels =
                if entry.labels.is_empty() { String::new() } else { format!("{{{}}}", entry.labels) };
            let _ = writeln!(out, "{}{labels} {value}", entry.name);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_described_once() {
        let registry = Registry::default();
        registry.counter("binnacle_b_total", "door=\"otlp\"", "B.").add(2);
        registry.counter("binnacle_b_total", "door=\"loki\"", "B.").inc();
        registry.counter("binnacle_b_total", "door=\"loki\"", "B.").inc();
        registry.gauge("binnacle_a", "", "A.").set(-1);
        registry.reading("binnacle_c", "C.", || Some(0.5));
        registry.reading("binnacle_d", "D.", || None);
        registry.reading("binnacle_e_total", "E.", || Some(2.0));
        let expected = "# HELP binnacle_a A.\n# TYPE binnacle_a gauge\nbinnacle_a -1\n\
            # HELP binnacle_b_total B.\n# TYPE binnacle_b_total counter\n\
            binnacle_b_total{door=\"loki\"} 2\nbinnacle_b_total{door=\"otlp\"} 2\n\
            # HELP binnacle_c C.\n# TYPE binnacle_c gauge\nbinnacle_c 0.5\n\
            # HELP binnacle_e_total E.\n# TYPE binnacle_e_total counter\nbinnacle_e_total 2\n";
        assert_eq!(registry.render(), expected);
    }
}
