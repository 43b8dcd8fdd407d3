//! Queries from the tables: every function, operator, aggregation and modifier at least three times.

use crate::data::{Random, START_MS};
use language::promql::ast::{AggregateOp, BinaryOp, ValueType};
use language::promql::function::{FUNCTIONS, Function};

/// How often each entry of a table comes.
const EACH: usize = 3;

/// When a query is asked, milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Instant(i64),
    /// Start, end, step.
    Range(i64, i64, i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) text: String,
    pub(crate) when: When,
    /// Entry of a table that it was made for.
    topic: String,
    on_histograms: bool,
}

const FLOAT_VECTORS: [&str; 9] = [
    "http_requests_total",
    "http_requests_total{job=\"api\"}",
    "http_requests_total{path=~\"/.*\",instance!=\"c\"}",
    "memory_bytes",
    "memory_bytes{job=~\"api|db\"}",
    "temperature",
    "{__name__=~\"latency_seconds_(sum|count)\"}",
    "latency_seconds_bucket",
    "vector(time())",
];

const HISTOGRAM_VECTORS: [&str; 5] =
    ["latency_native", "load_gauge", "latency_custom", "mixed", "latency_native{job=\"api\"}"];

/// What may stand after a selector; `R` is its range.
const MODIFIERS: [&str; 12] = [
    "R",
    "R offset 2m",
    "R offset -90s",
    "R @ 1700002000",
    "R @ start()",
    "R @ end() offset 1m",
    "[R:30s]",
    "[R:]",
    "[R:1m] offset 1m",
    "[R:45s] @ 1700002500.5",
    "R anchored",
    "R smoothed",
];

/// Windows, among them computed ones.
const RANGES: [&str; 7] = ["1m", "5m", "3m30s", "90", "2m*(1+1)", "max_of(2m, 61s)", "10m-30s"];

/// Clauses between a binary operator and its right side.
const MATCHINGS: [&str; 10] = [
    "",
    "bool ",
    "on (job, instance) ",
    "ignoring (path) ",
    "on (job, instance) group_left () ",
    "on (job, instance) group_left (version) ",
    "on (job) group_right () ",
    "fill (0) ",
    "on (instance) fill_left (1) fill_right (-2) ",
    "ignoring (path) group_left () fill_right (3) ",
];

struct Generator {
    random: Random,
    queries: Vec<Query>,
}

/// At least `count` queries, `histograms` of them on native histograms.
pub(crate) fn queries(seed: u64, count: usize, histograms: usize) -> Vec<Query> {
    let mut generator = Generator { random: Random(seed ^ 0x5157_4552), queries: Vec::new() };
    for round in 0..EACH {
        for function in FUNCTIONS {
            let text = generator.call(function, round == 1);
            generator.add(format!("function {}", function.name), text, round == 1);
        }
        for (op, text) in BinaryOp::ALL {
            let query = generator.binary(op, text, round);
            generator.add(format!("operator {text}"), query, false);
        }
        for (op, text) in AggregateOp::ALL {
            let query = generator.aggregate(op, text, round == 1);
            generator.add(format!("aggregation {text}"), query, round == 1);
        }
        for modifier in MODIFIERS {
            let text = generator.modified(modifier);
            generator.add(format!("modifier {modifier}"), text, false);
        }
        for matching in MATCHINGS {
            let query = generator.matched(matching);
            generator.add(format!("matching {matching}"), query, false);
        }
    }
    while generator.queries.iter().filter(|query| query.on_histograms).count() < histograms {
        generator.any(true);
    }
    while generator.queries.len() < count {
        generator.any(false);
    }
    generator.queries
}

impl Generator {
    fn add(&mut self, topic: String, text: String, on_histograms: bool) {
        let minute = |minutes: usize| START_MS + i64::try_from(minutes).unwrap_or_default() * 60_000;
        let at =
            minute(20 + self.random.below(50)) + i64::try_from(self.random.below(59_000)).unwrap_or_default();
        let before = self.queries.iter().filter(|query| query.topic == topic).count();
        let when = if before % 2 == 0 {
            When::Instant(at)
        } else {
            let step = [15_000, 30_000, 60_000, 77_000][self.random.below(4)];
            When::Range(at - 900_000, at, step)
        };
        self.queries.push(Query { text, when, topic, on_histograms });
    }

    fn any(&mut self, histograms: bool) {
        let function = &FUNCTIONS[self.random.below(FUNCTIONS.len())];
        let (op, text) = AggregateOp::ALL[self.random.below(AggregateOp::ALL.len())];
        let query = match self.random.below(3) {
            0 => self.aggregate(op, text, histograms),
            1 => self.call(function, histograms),
            _ => {
                let inner = self.call(function, histograms);
                match function.return_type {
                    ValueType::Vector => format!("sum by (job) ({inner})"),
                    _ => format!("{inner} + 1"),
                }
            }
        };
        self.add("any".to_owned(), query, histograms);
    }

    fn selector(&mut self, histograms: bool) -> &'static str {
        let floats = &FLOAT_VECTORS[..FLOAT_VECTORS.len() - 1];
        if histograms { self.random.pick(&HISTOGRAM_VECTORS) } else { self.random.pick(floats) }
    }

    fn vector(&mut self, histograms: bool) -> String {
        let base = if histograms {
            self.random.pick(&HISTOGRAM_VECTORS).to_owned()
        } else {
            self.random.pick(&FLOAT_VECTORS).to_owned()
        };
        match self.random.below(6) {
            0 => format!("({base})"),
            1 if base != "vector(time())" => format!("{base} offset 1m"),
            2 => format!("sum by (job, le) ({base})"),
            3 if base != "vector(time())" => format!("rate({base}[2m])"),
            _ => base,
        }
    }

    fn range(&mut self, histograms: bool) -> String {
        let (selector, range) = (self.selector(histograms), self.random.pick(&RANGES));
        if self.random.below(5) == 0 {
            format!("{selector}[{range}:30s]")
        } else {
            format!("{selector}[{range}]")
        }
    }

    fn scalar(&mut self, function: &str) -> String {
        match function {
            "double_exponential_smoothing" => format!("0.{}", 1 + self.random.below(9)),
            "histogram_quantile" | "histogram_quantiles" | "quantile_over_time" => {
                self.random.pick(&["0", "0.1", "0.5", "0.9", "0.99", "1", "1.5", "-1"]).to_owned()
            }
            _ => self.random.pick(&["0.2", "1", "-2.5", "60", "scalar(vector(3))", "time() % 7"]).to_owned(),
        }
    }

    fn call(&mut self, function: &Function, histograms: bool) -> String {
        let name = function.name;
        let mut args: Vec<String> = Vec::new();
        for (at, arg) in function.arg_types.iter().enumerate() {
            args.push(match (arg, name) {
                (ValueType::Matrix, _) => self.range(histograms),
                (ValueType::Vector, "info") if at == 1 => {
                    self.random.pick(&["{version=~\".+\"}", "{__name__=\"target_info\"}", "{}"]).to_owned()
                }
                (ValueType::Vector, "histogram_quantile" | "histogram_fraction" | "histogram_quantiles")
                    if !histograms =>
                {
                    self.random
                        .pick(&[
                            "latency_seconds_bucket",
                            "rate(latency_seconds_bucket[5m])",
                            "sum by (le) (rate(latency_seconds_bucket[3m]))",
                        ])
                        .to_owned()
                }
                (ValueType::Vector, "absent") if self.random.below(2) == 0 => "nope{job=\"x\"}".to_owned(),
                (ValueType::Vector, _) => self.vector(histograms || name.starts_with("histogram_")),
                (ValueType::Scalar, _) => self.scalar(name),
                (ValueType::String, "label_replace") => {
                    ["\"copy\"", "\"$1-${1}\"", "\"job\"", "\"(.*)\""][at - 1].to_owned()
                }
                (ValueType::String, "label_join") => {
                    ["\"both\"", "\"-\"", "\"job\", \"instance\""][at - 1].to_owned()
                }
                (ValueType::String, "histogram_quantiles") => "\"q\"".to_owned(),
                (ValueType::String, _) => "\"job\", \"room\"".to_owned(),
            });
        }
        if function.variadic == 1 && self.random.below(3) == 0 {
            args.pop();
        }
        format!("{name}({})", args.join(", "))
    }

    fn binary(&mut self, op: BinaryOp, text: &str, round: usize) -> String {
        let histograms = round == 2 || matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower);
        let left = self.vector(histograms);
        let boolean = if op.is_comparison() && self.random.below(2) == 0 { "bool " } else { "" };
        let right = match round {
            _ if op.is_set() => self.vector(histograms),
            0 => self.random.pick(&["2", "-0.5", "1000", "scalar(vector(7))"]).to_owned(),
            1 => return format!("3 {text} {boolean}{left}"),
            _ if matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower) => "0.7".to_owned(),
            _ => format!("({left} offset 30s)"),
        };
        if op.is_set() && round == 1 {
            return format!("{left} {text} on (job) {right}");
        }
        if round == 2 && right.starts_with('(') && left.contains("offset") {
            return format!("{left} {text} {boolean}{left}");
        }
        format!("{left} {text} {boolean}{right}")
    }

    fn matched(&mut self, matching: &str) -> String {
        let op = if matching.starts_with("bool") {
            self.random.pick(&["==", "!=", ">", "<=", "<"])
        } else {
            self.random.pick(&["+", "-", "*", "/", ">", "%", "^", "atan2"])
        };
        let (left, right) = match self.random.below(3) {
            0 => ("http_requests_total{path=\"/\"}", "memory_bytes"),
            1 => ("http_requests_total", "target_info"),
            _ => ("memory_bytes", "http_requests_total{path=\"/x\",instance=\"a\"}"),
        };
        format!("{left} {op} {matching}{right}")
    }

    fn aggregate(&mut self, op: AggregateOp, text: &str, histograms: bool) -> String {
        let vector = self.vector(histograms);
        let clause = self.random.pick(&["", "by (job) ", "without (instance, le) ", "by (job, path) "]);
        let param = match op {
            AggregateOp::CountValues => "\"value\", ".to_owned(),
            AggregateOp::Quantile => format!("{}, ", self.scalar("quantile_over_time")),
            AggregateOp::LimitRatio => self.random.pick(&["0.5, ", "-0.5, ", "0.9, ", "1.5, "]).to_owned(),
            _ if op.has_param() => format!("{}, ", 1 + self.random.below(4)),
            _ => String::new(),
        };
        format!("{text} {clause}({param}{vector})")
    }

    fn modified(&mut self, modifier: &str) -> String {
        let (selector, range) = (self.selector(false), self.random.pick(&RANGES));
        let extended = modifier.contains("anchored") || modifier.contains("smoothed");
        let function = if extended {
            self.random.pick(&["rate", "increase", "delta"])
        } else {
            self.random.pick(&[
                "rate",
                "sum_over_time",
                "delta",
                "max_over_time",
                "last_over_time",
                "count_over_time",
            ])
        };
        let suffix = match modifier.strip_prefix('R') {
            Some(rest) => format!("[{range}]{rest}"),
            None => modifier.replace('R', range),
        };
        format!("{function}({selector}{suffix})")
    }
}

/// Every entry of every table comes often enough, as an instant and as a range query.
pub(crate) fn check_coverage(queries: &[Query]) {
    let functions = FUNCTIONS.iter().map(|function| format!("function {}", function.name));
    let operators = BinaryOp::ALL.iter().map(|(_, text)| format!("operator {text}"));
    let aggregations = AggregateOp::ALL.iter().map(|(_, text)| format!("aggregation {text}"));
    let modifiers = MODIFIERS.iter().map(|text| format!("modifier {text}"));
    let matchings = MATCHINGS.iter().map(|text| format!("matching {text}"));
    for topic in functions.chain(operators).chain(aggregations).chain(modifiers).chain(matchings) {
        let of_topic = || queries.iter().filter(|query| query.topic == topic);
        assert!(of_topic().count() >= EACH, "{topic} comes {} times", of_topic().count());
        let instants = of_topic().filter(|query| matches!(query.when, When::Instant(_))).count();
        assert!((1..of_topic().count()).contains(&instants), "{topic}: {instants} instants");
    }
    assert!(queries.iter().filter(|query| query.on_histograms).count() >= 40);
}
