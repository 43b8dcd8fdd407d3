//! The data set and the queries, from one seed. Tables are walked in turn, so that every row comes; what stands
//! around a row is drawn.

use super::Stream;
use language::logql::{BinOp, RangeOp, VectorOp};
use std::collections::BTreeMap;

/// Length of the data set and of range queries, seconds.
pub const SPAN_S: i64 = 600;
/// Step of range queries, seconds.
pub const STEP_S: i64 = 60;
/// Most lines of a log query; more than the data set holds.
pub const ENTRIES_MAX: usize = 5_000;
/// Lines per stream.
const LINES: i64 = 40;
/// How often each row of each table must come.
const TIMES_MIN: usize = 3;
const NS_PER_S: i64 = 1_000_000_000;

/// What is asked of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A metric at the end of the data.
    Instant,
    /// A metric over the data.
    Range,
    /// Lines over the data.
    Lines,
}

/// A generated query.
pub struct Query {
    pub text: String,
    pub kind: Kind,
}

const LINE_FILTERS: &[&str] = &[
    r#"|= "status""#,
    r#"!= "debug""#,
    r#"|~ "err|warn""#,
    r#"!~ "user=\\w+9""#,
    r#"|> "<_>level<_>""#,
    r#"!> "<_>debug<_>""#,
    r#"|= "info" or "error""#,
    r#"!= "info" or "warn""#,
    r#"|= ip("10.0.0.0/28")"#,
    r#"!= ip("10.0.0.1-10.0.0.9")"#,
];
const PARSERS: &[&str] = &[
    "| json",
    r#"| json who="user.name", first="tags[0]", status"#,
    "| logfmt",
    "| logfmt --keep-empty",
    "| logfmt --strict",
    r#"| logfmt level, took="dur""#,
    r#"| regexp "level[=\\\":]+(?P<level>\\w+)""#,
    r#"| pattern "<_>level=<level> <_>""#,
    "| unpack",
    "| json | logfmt",
    r#"| logfmt --strict --keep-empty level, took="dur""#,
];
/// Parsers that make no label with an empty value: Loki 3.7 drops such labels from metrics, 3.8 keeps them, and so do we.
const METRIC_PARSERS: &[&str] = &[
    "| json",
    r#"| json who="level""#,
    "| logfmt",
    "| logfmt --strict",
    r#"| regexp "level[=\\\":]+(?P<level>\\w+)""#,
    r#"| pattern "<_>level=<level> <_>""#,
    "| unpack",
    "| json | logfmt",
];
/// No `=~"e.*|warn"`: Loki 3.7 does not anchor an alternation that holds a wildcard, so that it matches `debug`.
/// Sizes in decimal units: Loki 3.7 rounds `10KiB` to `10kB` when it prints a query to split it.
const FILTERS: &[&str] = &[
    r#"| level="error""#,
    r#"| level!="debug""#,
    r#"| level=~"err|error|warn""#,
    r#"| level!~"in.*""#,
    "| status >= 400",
    "| status == 200",
    "| status != 500",
    "| status < 404",
    "| status > 200",
    "| status <= 500",
    "| dur > 100ms",
    "| dur <= 1.5s",
    "| size > 2KB",
    "| size <= 10KB",
    r#"| addr = ip("10.0.0.0/28")"#,
    r#"| addr != ip("10.0.0.4")"#,
    r#"| level="error" or status < 300"#,
    r#"| level="info", status > 200"#,
    r#"| (level="warn" or level="error") and dur > 1ms"#,
];
const FORMATS: &[&str] = &[
    "| label_format lvl=level",
    r#"| label_format lvl="{{ .level | upper }}-x""#,
    "| drop user, dur, size",
    r#"| drop level="info", addr"#,
    "| keep app, level, env",
    r#"| keep app, level=~"e.*""#,
    "| decolorize",
    "| drop __error__, __error_details__",
];
const UNWRAPS: &[&str] =
    &["| unwrap n", "| unwrap duration(dur)", "| unwrap duration_seconds(dur)", "| unwrap bytes(size)"];
const GROUPINGS: &[&str] = &["", " by (level)", " by (app, env)", " by ()", " without (app)", " without ()"];
const MATCHINGS: &[&str] = &[
    "",
    " on (level)",
    " ignoring (app)",
    " on (level) group_left (zone)",
    " ignoring (zone, app) group_left",
];
const OTHERS: &[&str] = &["vector", "label_replace", "offset", "literal", "bool"];
/// Template functions, each with a call whose answer is the same at any time.
const TEMPLATES: &[&str] = &[
    "ToLower .app",
    "ToUpper .app",
    r#"Replace "aXbX" "X" "y" 1"#,
    r#"Trim "xax" "x""#,
    r#"TrimLeft "xax" "x""#,
    r#"TrimRight "xax" "x""#,
    r#"TrimPrefix "xax" "x""#,
    r#"TrimSuffix "xax" "x""#,
    r#"TrimSpace " a ""#,
    r#"regexReplaceAll "(a)b" "abab" "${1}x""#,
    r#"regexReplaceAllLiteral "a" "aa" "$1""#,
    r#"count "a" "banana""#,
    r#"urldecode "a+b%26""#,
    r#"urlencode "a b&""#,
    r#"bytes "2KiB""#,
    r#"duration "1h3s""#,
    r#"duration_seconds "90s""#,
    "unixEpochMillis __timestamp__",
    "unixEpochNanos __timestamp__",
    "unixEpoch __timestamp__",
    r#"toDate "2006-01-02" "2023-11-14""#,
    r#"toDateInZone "2006-01-02" "UTC" "2023-11-14""#,
    r#"date "2006-01-02T15:04:05.999Z07:00" __timestamp__"#,
    r#"unixToTime "1700000000123""#,
    r#"alignLeft 5 "abc""#,
    r#"alignRight 2 "abc""#,
    r#"fromJson "{\"a\":[1,2.5]}""#,
    r#"lower "A""#,
    r#"upper "a""#,
    r#"title "ab cd""#,
    r#"trunc 2 "hello""#,
    r#"trunc -2 "hello""#,
    r#"substr 1 3 "hello""#,
    r#"contains "el" "hello""#,
    r#"hasPrefix "he" "hello""#,
    r#"hasSuffix "lo" "hello""#,
    r#"indent 2 "a""#,
    r#"nindent 2 "a""#,
    r#"replace "l" "L" "hello""#,
    r#"repeat 3 "x""#,
    r#"trim " a ""#,
    r#"trimAll "x" "xax""#,
    r#"trimSuffix "o" "foo""#,
    r#"trimPrefix "f" "foo""#,
    r#"b64enc "hi""#,
    r#"b64dec "aGk=""#,
    r#"default "d" .missing"#,
    r#"int "12""#,
    r#"float64 "1.5""#,
    "add 1 2 3",
    "sub 5 2",
    "mul 2 3",
    "div 7 2",
    "mod 7 4",
    "addf 1 2.5",
    "subf 5 1.5",
    "mulf 2 1.5",
    "divf 1 3",
    "max 1 3 2",
    "min 3 1",
    "maxf 1 2.5",
    "minf 1 2.5",
    "ceil 1.2",
    "floor -1.2",
    "round 3.14159 2",
    "and 1 0",
    r#"or 0 "x""#,
    "not 0",
    "len .app",
    "index . \"app\"",
    r#"slice "hello" 1 3"#,
    r#"print 1 2 "a""#,
    r#"println "a""#,
    r#"printf "%-5s|%05d|%.2f|%q" "a" 42 3.14159 "q""#,
    r#"html "<a>""#,
    r#"js "a'b""#,
    r#"urlquery "a b""#,
    r#"eq .app "a""#,
    "ne 1 2",
    "lt 1 2",
    "le 2 2",
    r#"gt "b" "a""#,
    "ge 1.5 1.5",
    "__line__",
    "__timestamp__ | unixEpoch",
    "len (now | unixEpoch)",
];

/// All but `approx_topk`: where it is switched on, Loki 3.7 cannot parse what it rewrites the query to.
fn vector_aggregations() -> Vec<&'static str> {
    VectorOp::ALL.iter().filter(|op| **op != VectorOp::ApproxTopk).map(|op| op.as_str()).collect()
}

/// All but `rate_counter`: Loki 3.7 mixes its units when it extrapolates, 3.8 does not.
fn range_aggregations() -> Vec<&'static str> {
    RangeOp::ALL.iter().filter(|op| **op != RangeOp::RateCounter).map(|op| op.as_str()).collect()
}

/// Draws and counts.
pub struct Generator {
    state: u64,
    made: usize,
    next: BTreeMap<&'static str, usize>,
    used: BTreeMap<(&'static str, String), usize>,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, made: 0, next: BTreeMap::new(), used: BTreeMap::new() }
    }

    /// Splitmix64.
    fn draw(&mut self, below: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % below as u64).unwrap_or(0)
    }

    /// The next row of a table, in turn.
    fn row<T: Copy + ToString>(&mut self, table: &'static str, rows: &[T]) -> T {
        let at = self.next.entry(table).or_default();
        let row = rows[*at % rows.len()];
        *at += 1;
        *self.used.entry((table, row.to_string())).or_default() += 1;
        row
    }

    /// Streams of JSON, logfmt and plain lines that end at `end_s`; no two entries share an instant.
    pub fn streams(&mut self, end_s: i64) -> Vec<Stream> {
        let mut streams = Vec::new();
        let shapes = ["json", "logfmt", "plain", "packed"];
        for (number, (app, env)) in (0_i64..)
            .zip(["a", "b", "c", "d"].into_iter().flat_map(|app| ["prod", "dev"].map(|env| (app, env))))
        {
            let shape = shapes[usize::try_from(number / 2).unwrap_or(0) % shapes.len()];
            let labels = [("app", app), ("env", env), ("zone", ["z1", "z2"][usize::from(env == "dev")])];
            let gap = (SPAN_S - 20) * NS_PER_S / LINES;
            let entries = (0..LINES).map(|at| {
                let ts = (end_s - SPAN_S + 5) * NS_PER_S + at * gap + number * 1_001_003;
                let metadata = if self.draw(3) == 0 {
                    vec![("trace".to_owned(), format!("t{}", self.draw(4)))]
                } else {
                    Vec::new()
                };
                (ts, self.line(shape), metadata)
            });
            let entries = entries.collect();
            streams
                .push(Stream { labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(), entries });
        }
        streams
    }

    fn line(&mut self, shape: &str) -> String {
        let level = ["info", "warn", "error", "debug"][self.draw(4)];
        let status = [200, 204, 301, 404, 500][self.draw(5)];
        let dur = ["15ms", "1.5s", "2m3s", "250us", "100ms"][self.draw(5)];
        let size = ["1KB", "3MiB", "512B", "10KiB", "2.5kB"][self.draw(5)];
        let (n, user, addr) = (self.draw(1000), self.draw(20), self.draw(20));
        let bad = self.draw(25) == 0;
        match shape {
            _ if bad => "not structured at all: level=".to_owned() + level,
            "json" => format!(
                r#"{{"level":"{level}","status":{status},"dur":"{dur}","size":"{size}","n":{n},"user":{{"name":"u{user}","id":{user}}},"tags":["x{user}","y"],"addr":"10.0.0.{addr}","none":null}}"#
            ),
            "logfmt" => format!(
                r#"level={level} status={status} dur={dur} size={size} n={n} user=u{user} addr=10.0.0.{addr} msg="a \"quoted\" text" empty= flag"#
            ),
            "packed" => {
                format!(r#"{{"level":"{level}","pod":"p{user}","_entry":"status={status} n={n} dur={dur}"}}"#)
            }
            _ => format!(
                "10.0.0.{addr} - GET /path/{user} level={level} status={status} took {dur} {}",
                "x".repeat(n % 97)
            ),
        }
    }

    /// The next query.
    pub fn query(&mut self) -> Query {
        let shape = self.made % 4;
        let kind = if (self.made / 4).is_multiple_of(2) { Kind::Instant } else { Kind::Range };
        self.made += 1;
        match shape {
            0 => Query { text: self.lines(), kind: Kind::Lines },
            1 => Query { text: self.range(), kind },
            2 => Query { text: self.vector(), kind },
            _ => Query { text: self.binary(), kind },
        }
    }

    fn selector(&mut self) -> &'static str {
        [
            r#"{app=~".+"}"#,
            r#"{app="a"}"#,
            r#"{app="b"}"#,
            r#"{env!="dev",app=~"b|c"}"#,
            r#"{app!~"c|d",env="prod"}"#,
        ][self.draw(5)]
    }

    fn lines(&mut self) -> String {
        let selector = self.selector();
        let filter = self.row("line filters", LINE_FILTERS);
        let parser = self.row("parsers", PARSERS);
        let condition = self.row("label filters", FILTERS);
        let format = self.row("formats", FORMATS);
        let calls: Vec<String> =
            (0..6).map(|_| format!("{{{{ {} }}}}", self.row("templates", TEMPLATES))).collect();
        let template = calls.join("|").replace('`', "'");
        // Loki 3.7 applies a filter while it parses, before a `drop` or `keep` that stands in front of it.
        let order = if format.starts_with("| drop") || format.starts_with("| keep") { 2 } else { 3 };
        match self.draw(order) {
            0 => format!("{selector} {filter} {parser} {condition} {format} | line_format `{template}`"),
            1 => format!("{selector} {parser} {condition} | line_format `{template}` {filter} {format}"),
            _ => format!(
                "{selector} {filter} {parser} {format} {condition} | line_format `{template}` | decolorize"
            ),
        }
    }

    fn pipeline(&mut self) -> String {
        let selector = self.selector();
        let parser = self.row("metric parsers", METRIC_PARSERS);
        let clean = if self.draw(6) == 0 { "" } else { r#" | __error__="""# };
        match self.draw(3) {
            0 => format!("{selector} {} {parser}{clean}", self.row("line filters", LINE_FILTERS)),
            1 => format!("{selector} {parser} {}{clean}", self.row("label filters", FILTERS)),
            _ => {
                let format = self.row("formats", FORMATS);
                // Loki 3.7 looks ahead to `__error__=""` while it parses and misses what stands between.
                let clean = if format.contains("__error__") { "" } else { clean };
                format!("{selector} {parser} {format}{clean}")
            }
        }
    }

    fn range(&mut self) -> String {
        let op = self.row("range aggregations", &range_aggregations());
        let op = RangeOp::from_text(op).unwrap_or(RangeOp::Rate);
        let pipeline = self.pipeline();
        let unwrapped = op.needs_unwrap() || (op == RangeOp::Rate && self.draw(2) == 0);
        let unwrap = if unwrapped {
            format!(" {} | __error__=\"\"", self.row("unwraps", UNWRAPS))
        } else {
            String::new()
        };
        let interval = ["1m", "90s", "5m", "30s"][self.draw(4)];
        let offset = if self.draw(4) == 0 {
            self.row("offsets", &[" offset 1m", " offset 30s", " offset -1m"])
        } else {
            ""
        };
        // Loki 3.7 shards a grouped mean as a sum over a count of lines, those without a value included.
        let grouping = if op.allows_grouping() && op != RangeOp::AvgOverTime {
            self.row("range groupings", GROUPINGS)
        } else {
            ""
        };
        let param =
            if op == RangeOp::QuantileOverTime { ["0.5, ", "0.99, ", "0, "][self.draw(3)] } else { "" };
        format!("{}({param}{pipeline}{unwrap} [{interval}]{offset}){grouping}", op.as_str())
    }

    fn vector(&mut self) -> String {
        let op = self.row("vector aggregations", &vector_aggregations());
        let takes_k = matches!(op, "topk" | "bottomk");
        let refuses = matches!(op, "sort" | "sort_desc");
        let grouping = if refuses { "" } else { self.row("vector groupings", GROUPINGS) };
        // Sums of bytes differ from each other, so that the k largest are no matter of chance.
        let inner = if takes_k {
            format!("sum by (app, env) (bytes_over_time({} [5m]))", self.selector())
        } else {
            format!("count_over_time({} [3m])", self.pipeline())
        };
        let k = if takes_k { ["1, ", "2, ", "5, "][self.draw(3)] } else { "" };
        format!("{op}{grouping}({k}{inner})")
    }

    fn binary(&mut self) -> String {
        let op = self.row("binary operators", &BinOp::ALL.iter().map(|op| op.as_str()).collect::<Vec<_>>());
        let op = BinOp::from_text(op).unwrap_or(BinOp::Add);
        let other = self.row("others", OTHERS);
        let many = format!(
            "sum by (app, level, zone) (count_over_time({} | logfmt | drop __error__ [4m]))",
            self.selector()
        );
        let one = r#"sum by (level, zone) (count_over_time({env="prod"} | logfmt | drop __error__ [4m]))"#;
        let flag = if other == "bool" && op.is_comparison() { " bool" } else { "" };
        let op = op.as_str();
        match other {
            "vector" => format!("sum({many}) {op} vector(3)"),
            "label_replace" => {
                format!(r#"label_replace({many}, "zone", "${{1}}x", "level", "(.).*") {op} {many}"#)
            }
            "literal" if !matches!(op, "and" | "or" | "unless") => format!("{many} {op} 2"),
            _ => {
                let matching = self.row("matchings", MATCHINGS);
                let set = matches!(op, "and" | "or" | "unless");
                let matching = if set && matching.contains("group") { "" } else { matching };
                format!("{many} {op}{flag}{matching} {one}")
            }
        }
    }

    /// Fails when a row of a table came too seldom.
    pub fn check_coverage(&self) {
        let template_names: Vec<&str> = query::template::function_names();
        let covered =
            |name: &&str| TEMPLATES.iter().any(|call| call.split([' ', '(', ')']).any(|word| word == *name));
        assert_eq!(
            template_names.iter().filter(|name| !covered(name)).collect::<Vec<_>>(),
            Vec::<&&str>::new()
        );
        let seldom: Vec<_> = self.used.iter().filter(|(_, times)| **times < TIMES_MIN).collect();
        assert!(seldom.is_empty(), "came too seldom: {seldom:?}");
        let tables: [(&str, usize); 4] = [
            ("range aggregations", range_aggregations().len()),
            ("vector aggregations", vector_aggregations().len()),
            ("binary operators", BinOp::ALL.len()),
            ("templates", TEMPLATES.len()),
        ];
        for (table, rows) in tables {
            assert_eq!(self.used.keys().filter(|(name, _)| *name == table).count(), rows, "{table}");
        }
    }
}
