//! A trace as text: one line a span, indented below its parent, with a bar where it stands in the trace's time.

use crate::output::duration;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What the drawing needs of a span. Ids are compared, never decoded: hex and base64 both do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Span {
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) service: String,
    pub(super) name: String,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    pub(super) failed: bool,
}

/// Spans of an OTLP JSON trace.
pub(super) fn read(trace: &Value) -> Vec<Span> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut spans = Vec::new();
    for group in list(trace, "resourceSpans") {
        let attributes = list(&group["resource"], "attributes");
        let named = attributes.iter().find(|attribute| attribute["key"] == "service.name");
        let service =
            named.and_then(|name| name["value"]["stringValue"].as_str()).unwrap_or("unknown_service");
        for span in list(&group, "scopeSpans").iter().flat_map(|scope| list(scope, "spans")) {
            let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
            let time = |key: &str| span[key].as_str().and_then(|ns| ns.parse().ok()).unwrap_or(0);
            let code = &span["status"]["code"];
            spans.push(Span {
                id: text("spanId"),
                parent: text("parentSpanId"),
                service: service.to_owned(),
                name: text("name"),
                start_ns: time("startTimeUnixNano"),
                end_ns: time("endTimeUnixNano"),
                failed: *code == 2 || *code == "STATUS_CODE_ERROR",
            });
        }
    }
    spans
}

/// Spans in drawing order with their depth: parents first, siblings by start. Orphans stand at the top; so does the
/// earliest span of parents that go round in a circle.
fn ordered(spans: &[Span]) -> Vec<(usize, &Span)> {
    let mut by_start: Vec<&Span> = spans.iter().collect();
    by_start.sort_by_key(|span| span.start_ns);
    let known: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let (tops, below): (Vec<&Span>, Vec<&Span>) =
        by_start.iter().partition(|span| !known.contains(span.parent.as_str()));
    let mut children: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in &below {
        children.entry(&span.parent).or_default().push(span);
    }
    let mut rows = Vec::with_capacity(spans.len());
    let mut drawn = BTreeSet::new();
    // What hangs below a top is drawn with it; what is left then hangs below itself.
    for top in tops.into_iter().chain(below) {
        let mut stack = vec![(0, top)];
        while let Some((depth, span)) = stack.pop() {
            if drawn.insert(std::ptr::from_ref(span)) {
                rows.push((depth, span));
                let below = children.remove(span.id.as_str()).unwrap_or_default();
                stack.extend(below.into_iter().rev().map(|child| (depth + 1, child)));
            }
        }
    }
    rows
}

/// The drawing, `width` columns wide.
pub(super) fn draw(spans: &[Span], width: usize) -> String {
    // A span may come without a time; it has a row, and no bar.
    let timed = || spans.iter().filter(|span| span.start_ns > 0);
    let start = timed().map(|span| span.start_ns).min().unwrap_or(0);
    let end = timed().map(|span| span.end_ns).max().unwrap_or(0);
    let services: BTreeSet<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    let failed = spans.iter().filter(|span| span.failed).count();
    let mut out = format!(
        "{}  {} spans  {} services  {failed} failed\n",
        if start > 0 { duration(seconds(end - start)) } else { "-".to_owned() },
        spans.len(),
        services.len()
    );
    let left = width * 2 / 5;
    let bars = width.saturating_sub(left + 12).max(10);
    for (depth, span) in ordered(spans) {
        let mark = if span.failed { "✗ " } else { "" };
        let text = format!("{}{mark}{} {}", "  ".repeat(depth.min(12)), span.service, span.name);
        let name: String = if text.chars().count() > left {
            text.chars().take(left - 1).chain(['…']).collect()
        } else {
            text
        };
        let pad = " ".repeat(left.saturating_sub(name.chars().count()));
        if span.start_ns <= 0 {
            let _ = writeln!(out, "{name}{pad} {:>9}", "-");
            continue;
        }
        let (from, to) = (
            column(span.start_ns - start, end - start, bars),
            column(span.end_ns - start, end - start, bars),
        );
        let bar = format!("{}{}", " ".repeat(from), "█".repeat((to - from).max(1)));
        let took = duration(seconds(span.end_ns - span.start_ns));
        let _ = writeln!(out, "{name}{pad} {took:>9} {bar}");
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "a drawing needs no nanoseconds")]
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// Where `at` of `total` falls on `width` columns, below `width`.
fn column(at: i64, total: i64, width: usize) -> usize {
    let share = i128::from(at.max(0)) * width as i128 / i128::from(total.max(1));
    usize::try_from(share).unwrap_or(0).min(width - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_NS: i64 = 86_400_000_000_000;

    fn span(id: &str, parent: &str, start_ms: i64, end_ms: i64) -> Span {
        Span {
            id: id.into(),
            parent: parent.into(),
            service: "shop".into(),
            name: id.into(),
            start_ns: DAY_NS + start_ms * 1_000_000,
            end_ns: DAY_NS + end_ms * 1_000_000,
            failed: id == "c",
        }
    }

    #[test]
    fn spans_stand_below_their_parents() {
        let spans = [
            span("c", "a", 60, 100),
            span("b", "a", 0, 50),
            span("a", "", 0, 100),
            span("o", "gone", 90, 100),
        ];
        let drawn = draw(&spans, 60);
        assert_eq!(
            drawn,
            "100ms  4 spans  1 services  1 failed\n\
             shop a                       100ms ███████████████████████\n  \
             shop b                      50ms ████████████\n  \
             ✗ shop c                    40ms               █████████\n\
             shop o                        10ms                      ██\n"
        );
    }

    #[test]
    fn a_span_without_a_time_has_a_row_and_no_bar() {
        let timeless = Span { start_ns: 0, end_ns: 0, ..span("t", "a", 0, 0) };
        let drawn = draw(&[span("a", "", 0, 100), timeless.clone()], 60);
        assert_eq!(
            drawn,
            "100ms  2 spans  1 services  0 failed\n\
             shop a                       100ms ███████████████████████\n  \
             shop t                         -\n"
        );
        assert!(draw(&[timeless], 60).starts_with("-  1 spans"));
    }

    #[test]
    fn every_span_has_its_row() {
        let check = |spans: &[(&str, &str)], expected: &str| {
            let spans: Vec<Span> =
                spans.iter().zip(0..).map(|((id, parent), at)| span(id, parent, at, at + 1)).collect();
            let rows: Vec<String> =
                ordered(&spans).iter().map(|(depth, span)| format!("{}{depth}", span.id)).collect();
            assert_eq!(rows.join(" "), expected);
        };
        check(&[("a", "b"), ("b", "a"), ("r", "")], "r0 a0 b1");
        check(&[("a", "a"), ("b", "a")], "a0 b1");
        check(&[("a", "c"), ("b", "a"), ("x", "b"), ("c", "b")], "a0 b1 x2 c2");
        check(&[("a", ""), ("a", ""), ("b", "a")], "a0 b1 a0");
    }
}
