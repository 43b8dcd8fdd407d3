//! What a run measured, medians of runs, and how they stand against the bar.

use super::bodies::Made;
use super::server::Usage;
use super::{Result, Signal};
use std::collections::BTreeMap;

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bar {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

impl Bar {
    fn met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bar) => figure >= bar,
            Self::AtMost(bar) => figure <= bar,
            Self::Below(bar) => figure < bar,
        }
    }
}

impl std::fmt::Display for Bar {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(bar) => write!(out, ">= {bar}"),
            Self::AtMost(bar) => write!(out, "<= {bar}"),
            Self::Below(bar) => write!(out, "< {bar}"),
        }
    }
}

/// One program's run with one data set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) usage: Usage,
    /// From the first request to the last answer, seconds.
    pub(super) wall_s: f64,
    /// From the last answer until nothing was left to do, seconds.
    pub(super) settle_s: f64,
    pub(super) disk_bytes: u64,
    pub(super) retries: u64,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(number: u64) -> f64 {
    number as f64
}

/// The run's row.
pub(super) fn print_run(run: usize, name: &str, made: &Made, measured: &Measured) {
    let Measured { usage, wall_s, settle_s, disk_bytes, retries } = measured;
    println!(
        "  run {run} {name:<11} CPU {:8.2} s  {:9.1} k/CPU-s  wall {wall_s:6.1} s + {settle_s:5.1} s  disk {:8.2} MB  {:7.3} B/record  peak RSS {:7.1} MB  retries {retries}",
        usage.cpu_s,
        float(made.units) / usage.cpu_s / 1e3,
        float(*disk_bytes) / 1e6,
        float(*disk_bytes) / float(made.records),
        float(usage.peak_bytes) / 1e6,
    );
}

/// All runs of one signal.
pub(super) struct Runs {
    pub(super) signal: Signal,
    pub(super) made: Made,
    /// By program.
    pub(super) measured: BTreeMap<&'static str, Vec<Measured>>,
    /// Bytes of the bodies as one compressed file.
    pub(super) zstd_bytes: Option<u64>,
}

/// The middle of `figures`, the mean of the two middle ones when they are even in number.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let half = figures.len() / 2;
    match (figures.get(half), figures.len() % 2) {
        (None, _) => f64::NAN,
        (Some(middle), 1) => *middle,
        (Some(upper), _) => f64::midpoint(figures[half - 1], *upper),
    }
}

/// Prints one line of the bar; returns whether it is met.
pub(super) fn line(what: &str, ours: f64, other: Option<f64>, unit: &str, bar: Bar) -> bool {
    let figure = other.map_or(ours, |other| ours / other);
    let met = bar.met(figure);
    let other = other.map_or_else(String::new, |other| format!("{other:.3}"));
    let verdict = if met { "ok" } else { "MISSED" };
    println!(
        "{what:<34} {ours:>12.3} {other:>12} {unit:<12} {figure:>8.3}  {:<8} {verdict}",
        bar.to_string()
    );
    met
}

/// The heading of the lines.
pub(super) fn head(runs: usize) {
    println!(
        "\nmedian of {runs:<24} {:>12} {:>12} {:<12} {:>8}  {:<8}",
        "binnacle", "peer", "unit", "ratio", "bar"
    );
}

impl Runs {
    fn median(&self, program: &str, figure: impl Fn(&Measured) -> f64) -> Option<f64> {
        self.measured.get(program).map(|runs| median(runs.iter().map(figure).collect()))
    }

    /// Prints the lines of this signal; returns how many bars are missed.
    pub(super) fn print(&self, peer: &str) -> Result<usize> {
        let name = self.signal.name();
        let mut missed = 0;
        let mut print = |what: &str, ours, other: Option<f64>, unit: &str, bar| {
            let Some(other) = other else { return println!("{what:<34} skipped: nothing to compare with") };
            missed += usize::from(!line(what, ours, Some(other), unit, bar));
        };
        let rate = |measured: &Measured| float(self.made.units) / measured.usage.cpu_s / 1e3;
        let disk = |measured: &Measured| float(measured.disk_bytes) / 1e6;
        let peak = |measured: &Measured| float(measured.usage.peak_bytes) / 1e6;
        let ours = |figure: &dyn Fn(&Measured) -> f64| {
            self.median("binnacle", figure).ok_or("binnacle was not measured")
        };
        let (bar, unit) = match self.signal {
            Signal::Metrics => (Bar::AtLeast(2.0), "k samples"),
            Signal::Spans => (Bar::AtLeast(8.0), "k spans"),
            Signal::Logs => (Bar::AtLeast(4.0), "kB of lines"),
        };
        print(&format!("{name}: per CPU-second"), ours(&rate)?, self.median(peer, rate), unit, bar);
        if let Signal::Metrics = self.signal {
            print("metrics: disk, to blocks", ours(&disk)?, self.median(peer, disk), "MB", Bar::AtMost(0.7));
        } else {
            let packed = self.zstd_bytes.map(|bytes| float(bytes) / 1e6);
            print(
                &format!("{name}: disk, to zstd -19 --long=27"),
                ours(&disk)?,
                packed,
                "MB",
                Bar::AtMost(1.1),
            );
        }
        print(&format!("{name}: peak RSS"), ours(&peak)?, self.median(peer, peak), "MB", Bar::Below(1.0));
        Ok(missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        for (figures, expected) in [(vec![3.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0], 2.5), (vec![7.0], 7.0)] {
            assert!((median(figures) - expected).abs() < 1e-9);
        }
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn a_bar_is_met_on_its_edge_unless_it_must_be_below() {
        assert!(Bar::AtLeast(2.0).met(2.0) && Bar::AtMost(0.7).met(0.7));
        assert!(!Bar::Below(1.0).met(1.0) && !Bar::AtLeast(2.0).met(f64::NAN));
    }
}
