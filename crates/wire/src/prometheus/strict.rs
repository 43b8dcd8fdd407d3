//! The strict reading of `OpenMetrics`: what a conforming exposition must hold beyond what a scrape accepts.
//!
//! One family is under examination at a time; of earlier ones only the names they used are kept.
//! Source: `prometheus.io/docs/specs/om/open_metrics_spec`.

use super::exposition::SampleLine;
use super::float::parse_float;
use super::openmetrics::{Entry, ExemplarLine};
use super::scanner::{LabelSpan, Scanner, unescape};
use model::MetricKind;
use std::collections::HashSet;
use std::ops::Range;

/// Most characters that the names and values of one exemplar's labels may have together.
const EXEMPLAR_CHARS_MAX: usize = 128;

type Pairs = Vec<(String, String)>;

/// Sees the entries of an exposition in order.
#[derive(Debug, Default)]
pub(super) struct Validator {
    family: Option<Family>,
    used_names: HashSet<String>,
}

/// What is known of the current family.
#[derive(Debug)]
struct Family {
    name: String,
    kind: Option<MetricKind>,
    help: bool,
    unit: Option<String>,
    sampled: bool,
    /// Labels that name the current metric, and its time.
    group: Option<(Pairs, Option<f64>)>,
    seen_groups: HashSet<Pairs>,
    /// Series seen in the current group at its current time.
    seen_series: HashSet<(String, Pairs)>,
    buckets: Option<Buckets>,
}

/// What is known of one histogram at one time.
#[expect(clippy::struct_excessive_bools, reason = "each says whether one kind of sample was seen")]
#[derive(Debug, Default)]
struct Buckets {
    bound: Option<f64>,
    value: f64,
    count: Option<f64>,
    sum: bool,
    gauge_sum: bool,
    negative_bound: bool,
    negative_gauge_sum: bool,
}

fn suffixes(kind: MetricKind) -> &'static [&'static str] {
    match kind {
        MetricKind::Counter => &["_total", "_created"],
        MetricKind::Summary => &["", "_count", "_sum", "_created"],
        MetricKind::Histogram => &["_count", "_sum", "_bucket", "_created"],
        MetricKind::GaugeHistogram => &["_gcount", "_gsum", "_bucket"],
        MetricKind::Info => &["_info"],
        MetricKind::Gauge | MetricKind::StateSet | MetricKind::Unknown => &[""],
    }
}

fn is_histogram(kind: MetricKind) -> bool {
    matches!(kind, MetricKind::Histogram | MetricKind::GaugeHistogram)
}

impl Validator {
    /// Checks one entry against those before it.
    pub(super) fn entry(&mut self, scanner: &Scanner<'_>, entry: &Entry<'_>) -> Result<(), String> {
        match entry {
            Entry::Kind(name, kind) => {
                let family = self.described(scanner, name)?;
                once(family.kind.replace(*kind).is_none(), "TYPE", &family.name)
            }
            Entry::Help(name, _) => {
                let family = self.described(scanner, name)?;
                once(!std::mem::replace(&mut family.help, true), "HELP", &family.name)
            }
            Entry::Unit(name, text) => {
                let unit = scanner.text(text).into_owned();
                let family = self.described(scanner, name)?;
                once(family.unit.replace(unit).is_none(), "UNIT", &family.name)
            }
            Entry::Sample(line, exemplar) => self.sample(scanner, line, exemplar.as_ref()),
        }
    }

    /// Checks the last family.
    pub(super) fn finish(mut self) -> Result<(), String> {
        self.close()
    }

    /// The family that a metadata line speaks of.
    fn described(&mut self, scanner: &Scanner<'_>, name: &Range<usize>) -> Result<&mut Family, String> {
        let name = unescape(&scanner.text(name), true).into_owned();
        if self.family.as_ref().is_none_or(|family| family.name != name) {
            self.close()?;
        } else if self.family.as_ref().is_some_and(|family| family.sampled) {
            return Err(format!("metadata of {name} after its samples"));
        }
        Ok(self.family.get_or_insert_with(|| Family::new(name, None)))
    }

    /// Ends the current family: its names must be new, its last histogram whole.
    fn close(&mut self) -> Result<(), String> {
        let Some(mut family) = self.family.take() else { return Ok(()) };
        family.close_buckets()?;
        let kind = family.kind.unwrap_or_default();
        let mut names: Vec<_> =
            suffixes(kind).iter().map(|suffix| format!("{}{suffix}", family.name)).collect();
        if !names.contains(&family.name) {
            names.push(family.name.clone());
        }
        for name in names {
            if !self.used_names.insert(name.clone()) {
                return Err(format!("name {name} is used by two metric families"));
            }
        }
        if family.unit.is_some_and(|unit| !unit.is_empty())
            && matches!(kind, MetricKind::Info | MetricKind::StateSet)
        {
            return Err(format!("{} has a unit, which its type does not allow", family.name));
        }
        Ok(())
    }

    fn sample(
        &mut self,
        scanner: &Scanner<'_>,
        line: &SampleLine<'_>,
        exemplar: Option<&ExemplarLine<'_>>,
    ) -> Result<(), String> {
        no_trailing_comma(scanner, &line.series)?;
        let name = unescape(&scanner.text(&line.name), true).into_owned();
        let mut labels = pairs(scanner, line.labels);
        labels.sort();
        if let Some(twice) = labels.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(format!("label {} comes twice", twice[0].0));
        }
        if self.family.as_ref().is_none_or(|family| !family.allows(&name)) {
            self.close()?;
            self.family = Some(Family::new(name.clone(), Some(MetricKind::Unknown)));
        }
        let Some(family) = self.family.as_mut() else { return Ok(()) };
        family.sampled = true;
        let suffix = name.strip_prefix(family.name.as_str()).unwrap_or_default().to_owned();
        family.check_labels(&suffix, &labels, line.value)?;
        // The time is read again, as seconds: milliseconds would hide an order.
        let ts_s = time_of(scanner, line);
        let fresh = family.enter_group(&name, &suffix, labels.clone(), ts_s)?;
        family.check_value(&suffix, line.value)?;
        if fresh && is_histogram(family.kind.unwrap_or_default()) {
            family.bucket(&suffix, &labels, line.value)?;
        }
        exemplar.map_or(Ok(()), |exemplar| family.check_exemplar(scanner, &suffix, exemplar))
    }
}

/// The timestamp of a sample line, in seconds.
fn time_of(scanner: &Scanner<'_>, line: &SampleLine<'_>) -> Option<f64> {
    line.ts_ms?;
    let text = scanner.text(&(line.series.end..scanner.at));
    text.split([' ', '\n']).nth(2).and_then(parse_float)
}

fn once(first: bool, what: &str, name: &str) -> Result<(), String> {
    if first { Ok(()) } else { Err(format!("more than one {what} for {name}")) }
}

fn no_trailing_comma(scanner: &Scanner<'_>, labels: &Range<usize>) -> Result<(), String> {
    let text = scanner.bytes.get(labels.clone()).unwrap_or_default();
    if text.ends_with(b",}") { Err("comma before the closing brace".into()) } else { Ok(()) }
}

fn pairs(scanner: &Scanner<'_>, labels: &[LabelSpan]) -> Pairs {
    let text = |range| unescape(&scanner.text(range), true).into_owned();
    labels.iter().map(|(name, value)| (text(name), text(value))).collect()
}

fn value_of<'a>(labels: &'a Pairs, name: &str) -> Option<&'a str> {
    labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// A bound or quantile; infinity has one spelling.
fn canonical(text: Option<&str>) -> Option<f64> {
    let text = text?;
    parse_float(text).filter(|value| !value.is_nan() && (*value < f64::INFINITY || text == "+Inf"))
}

impl Family {
    fn new(name: String, kind: Option<MetricKind>) -> Self {
        Self {
            name,
            kind,
            help: false,
            unit: None,
            sampled: false,
            group: None,
            seen_groups: HashSet::new(),
            seen_series: HashSet::new(),
            buckets: None,
        }
    }

    fn allows(&self, name: &str) -> bool {
        let suffix = name.strip_prefix(self.name.as_str());
        suffix.is_some_and(|suffix| suffixes(self.kind.unwrap_or_default()).contains(&suffix))
    }

    fn check_labels(&self, suffix: &str, labels: &Pairs, value: f64) -> Result<(), String> {
        let kind = self.kind.unwrap_or_default();
        if kind == MetricKind::StateSet && value_of(labels, &self.name).is_none() {
            return Err(format!("state set without the label {}", self.name));
        }
        if suffix == "_bucket" && canonical(value_of(labels, "le")).is_none() {
            return Err("bucket without a canonical le label".into());
        }
        if matches!(suffix, "_bucket" | "_count" | "_gcount") && value.is_finite() && value.fract() != 0.0 {
            return Err("a count must be an integer".into());
        }
        if kind == MetricKind::Summary && suffix.is_empty() {
            let quantile = canonical(value_of(labels, "quantile"));
            if !quantile.is_some_and(|quantile| (0.0..=1.0).contains(&quantile)) {
                return Err("summary without a quantile label between 0 and 1".into());
            }
        }
        Ok(())
    }

    /// Checks grouping and order; whether the series is new at this time.
    fn enter_group(
        &mut self,
        name: &str,
        suffix: &str,
        labels: Pairs,
        ts_s: Option<f64>,
    ) -> Result<bool, String> {
        let kind = self.kind.unwrap_or_default();
        let mut group = labels.clone();
        match kind {
            MetricKind::Info => group.clear(),
            MetricKind::Summary if suffix.is_empty() => group.retain(|(key, _)| key != "quantile"),
            MetricKind::StateSet => group.retain(|(key, _)| *key != self.name),
            _ if is_histogram(kind) && suffix == "_bucket" => group.retain(|(key, _)| key != "le"),
            _ => {}
        }
        let same = self.group.as_ref().is_some_and(|(current, _)| *current == group);
        if !same && self.group.is_some() && self.seen_groups.contains(&group) {
            return Err("samples of one metric do not stand together".into());
        }
        let before = self.group.as_ref().and_then(|(_, ts_s)| *ts_s);
        if same && ts_s.is_some() != before.is_some() {
            return Err("only some samples of a metric have a timestamp".into());
        }
        if same && kind != MetricKind::Info && before.zip(ts_s).is_some_and(|(before, now)| before > now) {
            return Err("timestamps of a metric go backwards".into());
        }
        let later = before != ts_s;
        if !same || later {
            self.close_buckets()?;
        }
        if !same {
            self.seen_series.clear();
        }
        let fresh = self.seen_series.insert((name.to_owned(), labels)) || later;
        self.seen_groups.insert(group.clone());
        self.group = Some((group, ts_s));
        Ok(fresh)
    }

    fn check_value(&self, suffix: &str, value: f64) -> Result<(), String> {
        let kind = self.kind.unwrap_or_default();
        if kind == MetricKind::StateSet && ![0.0, 1.0].contains(&value) {
            return Err("a state must be 0 or 1".into());
        }
        if kind == MetricKind::Info && ![1.0].contains(&value) {
            return Err("an info must be 1".into());
        }
        if kind == MetricKind::Summary && suffix.is_empty() && value < 0.0 {
            return Err("a quantile must not be negative".into());
        }
        if matches!(suffix, "_total" | "_sum" | "_count" | "_bucket" | "_gcount" | "_gsum") && value.is_nan()
        {
            return Err("a count or sum must not be NaN".into());
        }
        if matches!(suffix, "_total" | "_sum" | "_count" | "_bucket" | "_gcount") && value < 0.0 {
            return Err("a count or sum must not be negative".into());
        }
        Ok(())
    }

    fn bucket(&mut self, suffix: &str, labels: &Pairs, value: f64) -> Result<(), String> {
        let buckets = self.buckets.get_or_insert_default();
        match suffix {
            "_bucket" => {
                let bound = canonical(value_of(labels, "le")).unwrap_or(f64::INFINITY);
                buckets.negative_bound |= bound < 0.0;
                if buckets.bound.is_some_and(|before| bound <= before) {
                    return Err("buckets are not in ascending order".into());
                }
                if value < buckets.value {
                    return Err("bucket counts decrease".into());
                }
                (buckets.bound, buckets.value) = (Some(bound), value);
            }
            "_count" | "_gcount" => buckets.count = Some(value),
            "_sum" => buckets.sum = true,
            "_gsum" => {
                buckets.gauge_sum = true;
                buckets.negative_gauge_sum |= value < 0.0;
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks a histogram when its last sample was seen.
    fn close_buckets(&mut self) -> Result<(), String> {
        let Some(buckets) = self.buckets.take() else { return Ok(()) };
        let any_sum = buckets.sum || buckets.gauge_sum;
        let problem = if buckets.bound != Some(f64::INFINITY) {
            "has no +Inf bucket"
        } else if buckets.count.is_some_and(|count| ![buckets.value].contains(&count)) {
            "has a count that differs from its +Inf bucket"
        } else if any_sum && buckets.count.is_none() {
            "has a sum and no count"
        } else if !any_sum && buckets.count.is_some() {
            "has a count and no sum"
        } else if buckets.negative_bound && buckets.sum {
            "has negative buckets and a sum"
        } else if !buckets.negative_bound && buckets.negative_gauge_sum {
            "has a negative sum and no negative buckets"
        } else {
            return Ok(());
        };
        Err(format!("histogram {} {problem}", self.name))
    }

    fn check_exemplar(
        &self,
        scanner: &Scanner<'_>,
        suffix: &str,
        exemplar: &ExemplarLine<'_>,
    ) -> Result<(), String> {
        no_trailing_comma(scanner, &exemplar.text)?;
        let kind = self.kind.unwrap_or_default();
        let allowed = (is_histogram(kind) && suffix == "_bucket")
            || (kind == MetricKind::Counter && suffix == "_total");
        if !allowed {
            return Err("only buckets and counters may have exemplars".into());
        }
        let mut labels = pairs(scanner, exemplar.labels);
        labels.sort();
        if labels.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err("an exemplar's label comes twice".into());
        }
        let chars: usize =
            labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        if chars > EXEMPLAR_CHARS_MAX {
            return Err(format!(
                "an exemplar's labels have {chars} characters, {EXEMPLAR_CHARS_MAX} are allowed"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::prometheus::openmetrics::validate_strict;

    fn check(body: &str, accepted: bool) {
        let result = validate_strict(body.as_bytes());
        assert_eq!(result.is_ok(), accepted, "{body}: {result:?}");
    }

    #[test]
    fn strictness_begins_where_a_scrape_is_lax() {
        check("# TYPE a gauge\na 1\n# EOF\n", true);
        check("{\"\"} 1\n# EOF\n", false);
        check("a{__name__=\"b\"} 1\n# EOF\n", false);
        check("a{b=\"c\",} 1\n# EOF\n", false);
        check("# TYPE a counter\na_total 1 # {x=\"y\",} 1\n# EOF\n", false);
        check("# TYPE a counter\na_total -1\n# EOF\n", false);
        check("# TYPE a gauge\n# TYPE a gauge\n# EOF\n", false);
        check("# TYPE a gauge\na 1\n# HELP a x\n# EOF\n", false);
        check("# TYPE a counter\n# TYPE a_total gauge\n# EOF\n", false);
        check("# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"1\"} 2\n# EOF\n", false);
        check("# TYPE a gauge\na 1 2\na 1 1\n# EOF\n", false);
        check("# TYPE a gauge\na 1 0.0000000001\na 2 0.0000000002\n# EOF\n", true);
        check("# TYPE a stateset\na{a=\"x\"} 1\na{a=\"y\"} 0\n# EOF\n", true);
        check("# TYPE a stateset\na{a=\"x\"} 2\n# EOF\n", false);
        check("# TYPE a info\na_info{x=\"y\"} 1\n# EOF\n", true);
        check("# TYPE a_s info\n# UNIT a_s s\n# EOF\n", false);
        check("# TYPE a summary\na{quantile=\"2\"} 1\n# EOF\n", false);
        check("# TYPE a gauge\na 1 # {x=\"y\"} 1\n# EOF\n", false);
    }

    #[test]
    fn histograms_are_whole() {
        let histogram = |lines: &str| format!("# TYPE a histogram\n{lines}\n# EOF\n");
        check(&histogram("a_bucket{le=\"1.0\"} 1\na_bucket{le=\"+Inf\"} 2\na_count 2\na_sum 3"), true);
        check(&histogram("a_bucket{le=\"+Inf\"} 2"), true);
        check(&histogram("a_bucket{le=\"1.0\"} 1"), false);
        check(&histogram("a_bucket{le=\"+Inf\"} 2\na_count 1\na_sum 3"), false);
        check(&histogram("a_bucket{le=\"+Inf\"} 2\na_count 2"), false);
        check(&histogram("a_bucket{le=\"+Inf\"} 2\na_sum 2"), false);
        check(&histogram("a_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1"), false);
        check(&histogram("a_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1"), false);
        check(&histogram("a_bucket{le=\"+INF\"} 1"), false);
        check(&histogram("a_bucket{le=\"-1.0\"} 1\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1"), false);
    }
}
