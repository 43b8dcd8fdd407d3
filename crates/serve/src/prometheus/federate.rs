//! `/federate`: the newest sample of each selected series in Prometheus' text format, for a parent Prometheus.

use super::failure::Failure;
use super::params;
use crate::State;
use crate::body;
use crate::call::Call;
use crate::number::push_float;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use model::labels::is_legacy_label_name;
use model::metric::is_stale_nan;
use model::scan::{Budget, MetricSource, SeriesColumns, SeriesSelect};
use model::{Labels, ScanError, Tenant};
use std::collections::BTreeMap;
use std::io::Write;

/// Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Newest float per series: milliseconds and value.
type Newest = BTreeMap<Labels, (i64, f64)>;

/// `/federate`
pub(crate) async fn federate(Extract(state): Extract<State>, call: Call<Failure>) -> Response {
    match collect(&state, &call).await {
        Ok(newest) => {
            let keep_names = call.accepts("escaping=allow-utf-8");
            stream(newest, keep_names)
        }
        Err(error @ Failure { kind: super::failure::ErrorType::BadData, .. }) => {
            body::text(StatusCode::BAD_REQUEST, &error.message)
        }
        Err(error) => body::text(StatusCode::INTERNAL_SERVER_ERROR, &error.message),
    }
}

async fn collect(state: &State, call: &Call<Failure>) -> Result<Newest, Failure> {
    let end_ms = state.clock.now_ms();
    let mut selections = params::selections(&call.params)?;
    for select in &mut selections {
        (select.start_ms, select.end_ms) = (end_ms - state.lookback_ms + 1, end_ms);
    }
    let (source, tenant) = (state.metrics.clone(), call.tenant.clone());
    let work = move |budget: &Budget| {
        let mut newest = Newest::new();
        for select in &selections {
            newest_of(&*source, &tenant, select, budget, &mut newest)?;
        }
        Ok::<_, ScanError>(newest)
    };
    Ok(state.gate.run("federate", None, work).await??)
}

/// Native histograms have no place in the text format; Prometheus leaves them out of it too.
fn newest_of(
    source: &dyn MetricSource,
    tenant: &Tenant,
    select: &SeriesSelect,
    budget: &Budget,
    newest: &mut Newest,
) -> Result<(), ScanError> {
    let mut cursor = source.select(tenant, select, budget)?;
    let mut columns = SeriesColumns::default();
    while let Some(labels) = cursor.next(&mut columns)? {
        let last = columns.ts_ms.last().copied().zip(columns.values.last().copied());
        if let Some((ts_ms, value)) = last.filter(|(_, value)| !is_stale_nan(*value)) {
            newest.insert(labels, (ts_ms, value));
        }
    }
    Ok(())
}

fn stream(newest: Newest, keep_names: bool) -> Response {
    let mut rows: Vec<_> = newest.into_iter().collect();
    rows.sort_by(|a, b| (a.0.metric_name(), &a.0).cmp(&(b.0.metric_name(), &b.0)));
    let mut rows = rows.into_iter();
    let mut family = None;
    body::streamed(TEXT, move |out| {
        let Some((labels, (ts_ms, value))) = rows.next() else { return false };
        let name = escaped(labels.metric_name(), keep_names);
        if family.as_ref() != Some(&name) {
            // Writing to a vector cannot fail, here and below.
            let _ = writeln!(out, "# TYPE {} untyped", bare_or_quoted(&name));
            family = Some(name.clone());
        }
        push_series(out, &name, &labels, keep_names);
        out.push(b' ');
        push_float(out, value);
        let _ = writeln!(out, " {ts_ms}");
        true
    })
}

/// `name`, or the name with every character outside the legacy alphabet replaced by `_`.
fn escaped(name: &str, keep_names: bool) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if keep_names { name.to_owned() } else { name.chars().map(|c| if plain(c) { c } else { '_' }).collect() }
}

fn bare_or_quoted(name: &str) -> String {
    let is_legacy = is_legacy_label_name(&name.replace(':', "_"));
    if is_legacy { name.to_owned() } else { format!("\"{}\"", quoted(name)) }
}

/// The text format's escapes.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

/// `name{a="b",...}`; a missing `instance` is written empty, so that the parent does not add its own.
fn push_series(out: &mut Vec<u8>, name: &str, labels: &Labels, keep_names: bool) {
    let shown = bare_or_quoted(name);
    let name_inside = shown.starts_with('"');
    let _ = if name_inside { write!(out, "{{{shown}") } else { write!(out, "{shown}{{") };
    let mut comma = if name_inside { "," } else { "" };
    for label in labels.iter().filter(|label| &*label.name != model::labels::METRIC_NAME) {
        let key = bare_or_quoted(&escaped(&label.name, keep_names));
        let _ = write!(out, "{comma}{key}=\"{}\"", quoted(&label.value));
        comma = ",";
    }
    if labels.get("instance").is_none() {
        let _ = write!(out, "{comma}instance=\"\"");
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_text_lines() {
        let check = |pairs: &[(&str, &str)], keep_names: bool, expected: &str| {
            let labels = Labels::from_pairs(pairs.iter().copied());
            let mut out = Vec::new();
            push_series(&mut out, &escaped(labels.metric_name(), keep_names), &labels, keep_names);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(
            &[("__name__", "up"), ("instance", "a:1"), ("x", "q\"\n\\")],
            false,
            r#"up{instance="a:1",x="q\"\n\\"}"#,
        );
        check(&[("__name__", "up")], false, r#"up{instance=""}"#);
        check(&[("__name__", "a.b"), ("c.d", "e")], false, r#"a_b{c_d="e",instance=""}"#);
        check(&[("__name__", "a.b"), ("c.d", "e")], true, r#"{"a.b","c.d"="e",instance=""}"#);
    }
}
