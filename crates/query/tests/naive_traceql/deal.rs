//! Deals queries from the language's own tables: whatever was dealt least comes next.

use crate::data::pick;
use language::traceql::{AGGREGATES, BINARY_OPS, BinaryOp, INTRINSICS, SPANSET_OPS, Type};
use platform::{Random, SeededRandom};
use std::cell::RefCell;

/// Things of one kind and how often each was dealt.
struct Deck {
    name: &'static str,
    items: RefCell<Vec<(String, usize)>>,
}

impl Deck {
    fn new(name: &'static str, items: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { name, items: RefCell::new(items.into_iter().map(|item| (item.into(), 0)).collect()) }
    }

    /// One of the least dealt.
    fn deal(&self, random: &SeededRandom) -> String {
        let mut items = self.items.borrow_mut();
        let least = items.iter().map(|(_, count)| *count).min().unwrap_or(0);
        let candidates: Vec<usize> = (0..items.len()).filter(|at| items[*at].1 == least).collect();
        let (item, count) = &mut items[*pick(random, &candidates)];
        *count += 1;
        item.clone()
    }
}

pub(crate) struct Dealer<'a> {
    random: &'a SeededRandom,
    numbers: Deck,
    texts: Deck,
    others: Deck,
    operators: Deck,
    comparisons: Deck,
    spansets: Deck,
    aggregates: Deck,
    functions: Deck,
    limits: Deck,
    math: Deck,
    stages: Deck,
}

fn fields(of: &[Type], attributes: &[&str]) -> Vec<String> {
    let intrinsics =
        INTRINSICS.iter().filter(|(spelling, _, kind)| of.contains(kind) && *spelling != "parent");
    intrinsics.map(|(spelling, ..)| *spelling).chain(attributes.iter().copied()).map(str::to_owned).collect()
}

impl<'a> Dealer<'a> {
    pub(crate) fn new(random: &'a SeededRandom) -> Self {
        let numbers =
            [".i", "span.i", "resource.i", "event.i", "link.i", "instrumentation.i", "span.f", "span.n"];
        let texts = [
            ".s",
            "span.s",
            "resource.r",
            ".r",
            "event.e",
            "link.l",
            "instrumentation.v",
            "span.a",
            ".a",
            "span.n",
            "resource.service.name",
        ];
        let others = ["span.b", ".b", "span.n", "span.a"];
        let comparisons = BINARY_OPS.iter().filter(|(_, op, _)| op.is_comparison()).map(|(text, ..)| *text);
        let limits = ["| topk(2)", "| bottomk(2)", "=", "!=", "<", "<=", ">", ">="];
        Self {
            random,
            numbers: Deck::new("numbers", fields(&[Type::Number], &numbers)),
            texts: Deck::new("texts", fields(&[Type::Str], &texts)),
            others: Deck::new("others", fields(&[Type::Status, Type::Kind, Type::Bool], &others)),
            operators: Deck::new(
                "operators",
                BINARY_OPS.iter().map(|(text, ..)| *text).chain(["u-", "u!", "nil"]),
            ),
            comparisons: Deck::new("comparisons", comparisons),
            spansets: Deck::new("span set operators", SPANSET_OPS.iter().map(|(text, ..)| *text)),
            aggregates: Deck::new("aggregates", AGGREGATES.iter().map(|(text, _)| *text)),
            functions: Deck::new(
                "functions",
                [
                    "rate",
                    "count_over_time",
                    "min_over_time",
                    "max_over_time",
                    "avg_over_time",
                    "sum_over_time",
                    "quantile_over_time",
                    "histogram_over_time",
                    "compare",
                ],
            ),
            limits: Deck::new("limits", limits),
            math: Deck::new("arithmetic of series", ["+", "-", "*", "/"]),
            stages: Deck::new("stages", ["by", "coalesce", "select", "filter", "group"]),
        }
    }

    pub(crate) fn assert_dealt(&self, at_least: usize) {
        let decks = [
            &self.numbers,
            &self.texts,
            &self.others,
            &self.operators,
            &self.comparisons,
            &self.spansets,
            &self.aggregates,
            &self.functions,
            &self.limits,
            &self.math,
            &self.stages,
        ];
        for deck in decks {
            for (item, count) in deck.items.borrow().iter() {
                assert!(*count >= at_least, "{} of {} was dealt {count} times", item, deck.name);
            }
        }
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    pub(crate) fn query(&mut self, at: usize) -> String {
        match at % 5 {
            0 => format!("{} {} {}", self.spanset(), self.spansets.deal(self.random), self.structure()),
            1 | 3 => self.metrics(),
            2 => format!("{} | {}", self.spanset(), self.stage()),
            _ => format!("{} | {} | {}", self.structure(), self.stage(), self.stage()),
        }
    }

    fn spanset(&self) -> String {
        match self.below(8) {
            0 => "{ }".to_owned(),
            _ => format!("{{ {} }}", self.condition(2)),
        }
    }

    fn structure(&self) -> String {
        let binary = format!("{} {} {}", self.spanset(), self.spansets.deal(self.random), self.spanset());
        if self.below(2) == 0 { format!("({binary})") } else { binary }
    }

    /// A number of about the size that the field has.
    fn number(&self, field: &str) -> String {
        let small = self.below(6);
        match field {
            "duration" | "span:duration" => format!("{}us", small * 1_700),
            "traceDuration" | "trace:duration" => format!("{}ms", small * 2),
            "event:timeSinceStart" => format!("{}ms", small % 4),
            "span.f" => format!("{}", f64::from(u32::try_from(small).unwrap_or(0)) * 0.25),
            _ => format!("{}", small % 5),
        }
    }

    fn text(&self, field: &str) -> &'static str {
        let from: &[&'static str] = match field {
            "name" | "span:name" | "rootName" | "trace:rootName" => &["GET", "PUT", "query"],
            "rootServiceName" | "trace:rootService" | "resource.service.name" => &["cart", "pay", "shop"],
            "statusMessage" | "span:statusMessage" => &["", "boom"],
            "event:name" => &["exception", "log"],
            "instrumentation:name" => &["lib", "sdk"],
            "instrumentation:version" => &["v1", "v2"],
            "link:traceID" => &["a0", "a1", "A2"],
            "link:spanID" => &["b0", "00b1"],
            "trace:id" | "span:id" | "span:parentID" => &["1", "02", "0000000000000003"],
            _ => &["x", "y", "zz"],
        };
        pick::<&'static str>(self.random, from)
    }

    fn pattern(&self, field: &str) -> &'static str {
        let from: &[&'static str] = match field {
            "trace:id" | "span:id" | "span:parentID" | "link:traceID" | "link:spanID" => {
                &[".*[0-9]", ".+1", "0+2"]
            }
            _ => &["G.*|boom|cart", "[xy]", ".*o.*", "v?1|z+|lib", ".*", "exception|.*u.*"],
        };
        pick::<&'static str>(self.random, from)
    }

    /// A condition on one span.
    fn condition(&self, depth: u32) -> String {
        let operator = self.operators.deal(self.random);
        let (_, op, _) = BINARY_OPS.iter().find(|(text, ..)| *text == operator).copied().unwrap_or((
            "",
            BinaryOp::Equal,
            0,
        ));
        let compare = || self.comparisons.deal(self.random);
        match op {
            _ if operator == "nil" => {
                let attributes =
                    ["span.s", ".i", "resource.r", "event.e", "link.l", "instrumentation.v", "span.a"];
                format!("{} {} nil", pick(self.random, &attributes), pick(self.random, &["=", "!="]))
            }
            _ if operator == "u-" => {
                let field = self.numbers.deal(self.random);
                format!("-{field} {} -({})", compare(), self.number(&field))
            }
            _ if operator == "u!" && depth > 0 => format!("!({})", self.condition(depth - 1)),
            _ if operator == "u!" => "!(span.b || false)".to_owned(),
            BinaryOp::And | BinaryOp::Or if depth > 0 => {
                format!("({} {operator} {})", self.condition(depth - 1), self.condition(depth - 1))
            }
            BinaryOp::And | BinaryOp::Or => format!("span.b {operator} duration > 2ms"),
            BinaryOp::Regex | BinaryOp::NotRegex => {
                let field = self.texts.deal(self.random);
                format!("{field} {operator} \"{}\"", self.pattern(&field))
            }
            _ if op.is_arithmetic() => {
                let (field, other) = (self.numbers.deal(self.random), self.numbers.deal(self.random));
                match self.below(3) {
                    0 => format!("{field} {operator} {other} {} {}", compare(), self.number(&field)),
                    1 => format!("{field} {} {} {operator} 2", compare(), self.number(&field)),
                    _ => format!("{field} {operator} 2 {} {other}", compare()),
                }
            }
            BinaryOp::Equal | BinaryOp::NotEqual => self.equality(&operator),
            _ if self.below(4) == 0 => {
                let field = self.texts.deal(self.random);
                format!("{field} {operator} \"{}\"", self.text(&field))
            }
            _ => {
                let field = self.numbers.deal(self.random);
                format!("{field} {operator} {}", self.number(&field))
            }
        }
    }

    fn equality(&self, operator: &str) -> String {
        if self.below(2) == 0 {
            let field = self.texts.deal(self.random);
            return format!("{field} {operator} \"{}\"", self.text(&field));
        }
        let field = self.others.deal(self.random);
        let value = match field.as_str() {
            "status" | "span:status" => *pick(self.random, &["ok", "error", "unset"]),
            "kind" | "span:kind" => *pick(self.random, &["server", "client", "internal", "unspecified"]),
            "span.a" => *pick(self.random, &["1", "3", "\"x\""]),
            _ => *pick(self.random, &["true", "false"]),
        };
        format!("{field} {operator} {value}")
    }

    fn aggregate(&self) -> String {
        let aggregate = self.aggregates.deal(self.random);
        let compare = self.comparisons.deal(self.random);
        if aggregate == "count" {
            return format!("count() {compare} {}", self.below(4));
        }
        let field = self.numbers.deal(self.random);
        format!("{aggregate}({field}) {compare} {}", self.number(&field))
    }

    fn stage(&self) -> String {
        let any = |deck: &Deck| deck.deal(self.random);
        match any(&self.stages).as_str() {
            "by" => format!("by({}) | {}", any(&self.texts), self.aggregate()),
            "group" => format!("by({} + 1)", any(&self.numbers)),
            "coalesce" => format!("by({}) | {} | coalesce()", any(&self.others), self.aggregate()),
            "select" => format!("select({}, {})", any(&self.texts), any(&self.numbers)),
            _ => format!("{} | {}", self.aggregate(), self.spanset()),
        }
    }

    fn selection(&self) -> String {
        match self.below(4) {
            0 => "{ }".to_owned(),
            1 => format!("{} | {}", self.spanset(), self.aggregate()),
            2 => self.structure(),
            _ => self.spanset(),
        }
    }

    /// `function(arguments) by(...)`.
    fn function(&self, name: &str, by: &str) -> String {
        let field = self.numbers.deal(self.random);
        match name {
            "rate" | "count_over_time" => format!("{name}(){by}"),
            "quantile_over_time" => format!("{name}({field}, 0, .5, 0.9, 1){by}"),
            "compare" => format!("compare({{ {} }}, 1000)", self.condition(1)),
            _ => format!("{name}({field}){by}"),
        }
    }

    fn metrics(&self) -> String {
        let name = self.functions.deal(self.random);
        let by = match self.below(3) {
            0 => String::new(),
            1 => format!(" by({})", self.texts.deal(self.random)),
            _ => {
                format!(" by({}, {})", self.others.deal(self.random), pick(self.random, &["span.s", "name"]))
            }
        };
        let query = format!("{} | {}", self.selection(), self.function(&name, &by));
        // Sums differ by rounding and quantiles by a sketch: a limit on them could go either way.
        if !["rate", "count_over_time", "min_over_time", "max_over_time"].contains(&name.as_str()) {
            return query;
        }
        let query = match self.below(2) {
            0 => query,
            _ => self.computed(&query, &by),
        };
        let limit = self.limits.deal(self.random);
        let threshold = if limit.starts_with('|') {
            ""
        } else {
            *pick(self.random, &["0", "2", "0.5", "3ms", "1 + 2 * 3"])
        };
        format!("{query} {limit} {threshold}")
    }

    fn computed(&self, query: &str, by: &str) -> String {
        let math = self.math.deal(self.random);
        match self.below(3) {
            0 => format!("({query}) {math} 2 {math} 3"),
            1 => format!("100 {math} ({query})"),
            _ => format!("({query}) {math} ({} | count_over_time(){by})", self.selection()),
        }
    }
}
