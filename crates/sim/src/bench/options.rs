//! The command line, and the facts that a result means nothing without.

use super::programs::{binnacle, peer};
use super::{Plan, Result, Signal};

pub(super) const USAGE: &str = "usage: cargo xtask bench [metrics|spans|logs|idle|start|all]... \
     [--runs N] [--scale PART] [--seed N] [--seconds N] [--only binnacle|peer] [--no-zstd] [--keep]";

/// Tells a process that it is in a network namespace already.
pub(super) const INSIDE: &str = "--inside";

/// Whom to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sides {
    Both,
    Binnacle,
    Peer,
}

impl Sides {
    pub(super) fn include(self, program: &str) -> bool {
        match self {
            Self::Both => true,
            Self::Binnacle => program == "binnacle",
            Self::Peer => program != "binnacle",
        }
    }
}

/// A bench of Binnacle alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Single {
    Idle,
    Start,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) plan: Plan,
    pub(super) signals: Vec<Signal>,
    pub(super) singles: Vec<Single>,
    pub(super) runs: usize,
    pub(super) sides: Sides,
    pub(super) no_zstd: bool,
    pub(super) keep: bool,
    pub(super) inside: bool,
}

impl Options {
    /// Reads the arguments; without a name of a bench all are run.
    pub(super) fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self {
            plan: Plan::default(),
            signals: Vec::new(),
            singles: Vec::new(),
            runs: 3,
            sides: Sides::Both,
            no_zstd: false,
            keep: false,
            inside: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "metrics" => options.signals.push(Signal::Metrics),
                "spans" => options.signals.push(Signal::Spans),
                "logs" => options.signals.push(Signal::Logs),
                "idle" => options.singles.push(Single::Idle),
                "start" => options.singles.push(Single::Start),
                "all" => options.choose_all(),
                "--runs" => options.runs = value()?.parse()?,
                "--scale" => options.plan.scale = value()?.parse()?,
                "--seed" => options.plan.seed = value()?.parse()?,
                "--seconds" => options.plan.idle_s = value()?.parse()?,
                "--only" => options.sides = sides(value()?)?,
                "--no-zstd" => options.no_zstd = true,
                "--keep" => options.keep = true,
                INSIDE => options.inside = true,
                _ => return Err(format!("unknown argument {arg:?}").into()),
            }
        }
        if options.signals.is_empty() && options.singles.is_empty() {
            options.choose_all();
        }
        if options.runs == 0 || !(options.plan.scale > 0.0 && options.plan.scale <= 1.0) {
            return Err("--runs is at least 1, --scale above 0 and at most 1".into());
        }
        Ok(options)
    }

    fn choose_all(&mut self) {
        self.signals = vec![Signal::Metrics, Signal::Spans, Signal::Logs];
        self.singles = vec![Single::Idle, Single::Start];
    }
}

fn sides(name: &str) -> Result<Sides> {
    match name {
        "binnacle" => Ok(Sides::Binnacle),
        "peer" => Ok(Sides::Peer),
        _ => Err(format!("--only is binnacle or peer, not {name:?}").into()),
    }
}

/// Prints the machine, the data and the programs.
pub(super) fn print_facts(plan: &Plan) {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("{cores} cores, {}; seed {}, scale {}", processor(), plan.seed, plan.scale);
    let programs = [binnacle(Signal::Logs), peer(Signal::Metrics), peer(Signal::Spans), peer(Signal::Logs)];
    for program in programs {
        match program.version() {
            Ok(version) => println!("{}: {version}", program.name),
            Err(error) => println!("{}: {error}", program.name),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the kernel's word on the processor")]
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(
        || "unknown processor".to_owned(),
        |rest| rest.trim_start_matches([' ', '\t', ':']).to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &str, expected: Option<(usize, usize, f64)>) {
        let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
        let got = Options::parse(&args).ok();
        assert_eq!(got.map(|it| (it.signals.len(), it.singles.len(), it.plan.scale)), expected, "{args:?}");
    }

    #[test]
    fn names_choose_and_none_chooses_all() {
        check("", Some((3, 2, 1.0)));
        check("all --scale 0.5", Some((3, 2, 0.5)));
        check("logs spans", Some((2, 0, 1.0)));
        check("idle", Some((0, 1, 1.0)));
        check("--scale", None);
        check("--scale 2", None);
        check("--runs 0", None);
        check("--only loki", None);
        check("traces", None);
    }
}
