//! `binnacle query`: PromQL at one time or over a range.

use crate::output::{Align, Column, Show};
use crate::{Failure, Session};
use clap::Args;
use serde_json::Value;

/// Arguments of `query`.
#[derive(Args, Debug)]
pub struct QueryArgs {
    /// The expression.
    promql: String,
    /// Evaluate over the range, at this distance (30s, 1m).
    #[arg(long)]
    step: Option<String>,
}

/// Runs the query and prints its samples.
pub(crate) async fn query(session: &Session, args: &QueryArgs) -> Result<(), Failure> {
    let (start, end) = (session.range.start(), session.range.end());
    let answer = match &args.step {
        None => {
            let params = [("query", args.promql.as_str()), ("time", &end)];
            session.client.get("/prometheus/api/v1/query", &params).await?
        }
        Some(step) => {
            let params = [("query", args.promql.as_str()), ("start", &start), ("end", &end), ("step", step)];
            session.client.get("/prometheus/api/v1/query_range", &params).await?
        }
    };
    told(&answer);
    let data = &answer["data"];
    let columns = [
        Column("series", Show::Always, Align::Left),
        Column("value", Show::Always, Align::Right),
        Column("time", Show::Wide, Align::Right),
        Column("samples", Show::Wide, Align::Right),
    ];
    session.output.print(data, &columns, &rows(data), "no series answers this query in this range")
}

/// One row per series; of a range, its last value.
fn rows(data: &Value) -> Vec<Vec<String>> {
    let row = |name: String, point: &Value, count: usize| {
        let shown = point[1].as_str().map_or_else(|| point[1].to_string(), ToOwned::to_owned);
        vec![name, shown, point[0].to_string(), count.to_string()]
    };
    match data["resultType"].as_str() {
        Some("scalar" | "string") => vec![row(String::new(), &data["result"], 1)],
        _ => data["result"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|series| {
                let name = name(&series["metric"]);
                for key in ["values", "histograms"] {
                    if let Some(points) = series[key].as_array().filter(|points| !points.is_empty()) {
                        return row(name, &points[points.len() - 1], points.len());
                    }
                }
                let point = if series["value"].is_null() { &series["histogram"] } else { &series["value"] };
                row(name, point, 1)
            })
            .collect(),
    }
}

/// Prints warnings and infos to standard error.
pub(crate) fn told(answer: &Value) {
    for (key, word) in [("warnings", "warning"), ("infos", "note")] {
        for text in answer[key].as_array().into_iter().flatten().filter_map(Value::as_str) {
            eprintln!("{word}: {text}");
        }
    }
}

fn name(metric: &Value) -> String {
    let pairs =
        metric.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?)));
    model::Labels::from_pairs(pairs).to_string()
}

/// The vector that `promql` answers with at the end of the range: label sets and values.
pub(crate) async fn vector(session: &Session, promql: &str) -> Result<Vec<(Value, f64)>, Failure> {
    let end = session.range.end();
    let answer = session.client.get("/prometheus/api/v1/query", &[("query", promql), ("time", &end)]).await?;
    let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    let value = |series: &Value| series["value"][1].as_str()?.parse().ok();
    Ok(series.iter().map(|series| (series["metric"].clone(), value(series).unwrap_or(f64::NAN))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_result_type_has_rows() {
        let check = |data: Value, expected: &[&[&str]]| {
            let got: Vec<Vec<String>> = rows(&data).into_iter().map(|row| row[..2].to_vec()).collect();
            assert_eq!(got, expected);
        };
        check(json!({"resultType": "scalar", "result": [1, "2"]}), &[&["", "2"]]);
        check(
            json!({"resultType": "vector", "result": [{"metric": {"__name__": "up", "job": "a"}, "value": [1, "1"]}]}),
            &[&["up{job=\"a\"}", "1"]],
        );
        check(
            json!({"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "1"], [2, "5"]]}]}),
            &[&["{}", "5"]],
        );
    }
}
