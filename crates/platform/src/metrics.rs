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

#[derive(Debug)]
enum Cell {
    Counter(Counter),
    Gauge(Gauge),
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

    /// Prometheus text format 0.0.4, families sorted by name.
    #[must_use]
    pub fn render(&self) -> String {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<&Entry> = entries.iter().collect();
        rows.sort_by(|a, b| (a.name, &a.labels).cmp(&(b.name, &b.labels)));
        let mut out = String::new();
        let mut family = "";
        for entry in rows {
            let (kind, value) = match &entry.cell {
                Cell::Counter(counter) => ("counter", counter.get().to_string()),
                Cell::Gauge(gauge) => ("gauge", gauge.get().to_string()),
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
        let expected = "# HELP binnacle_a A.\n# TYPE binnacle_a gauge\nbinnacle_a -1\n\
            # HELP binnacle_b_total B.\n# TYPE binnacle_b_total counter\n\
            binnacle_b_total{door=\"loki\"} 2\nbinnacle_b_total{door=\"otlp\"} 2\n";
        assert_eq!(registry.render(), expected);
    }
}
