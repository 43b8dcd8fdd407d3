//! `binnacle query`: PromQL at one time or over a range.
//!
//! An instant answer has one row a series. Of a range query a row sums a series up, because a screen of samples tells
//! nobody anything; every sample is printed when a range is what the expression itself answers (`up[5m]`) or with
//! `-o wide`.

use crate::output::{Align, Column, Show, significant};
use crate::time::{RECORD_SINCE, RangeArgs, instant, shown};
use crate::{Common, Failure, Session};
use clap::Args;
use serde_json::Value;

/// Samples of a series that a range query without `--step` aims at.
const SAMPLES_PER_SERIES: i64 = 60;
/// Significant digits of an average.
const AVERAGE_DIGITS: i32 = 6;

/// Arguments of `query`.
#[derive(Args, Debug)]
pub struct QueryArgs {
    /// The expression.
    promql: String,
    /// Evaluate over the range, at this distance (30s, 1m); with --since or --from alone about 60 times.
    #[arg(long)]
    step: Option<String>,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Runs the query and prints its samples.
pub(crate) async fn query(session: &Session, args: &QueryArgs) -> Result<(), Failure> {
    let range = args.range.at(RECORD_SINCE, session.clock.now_ns())?;
    let (start, end) = (range.start(), range.end());
    let over_range = args.step.is_some() || args.range.has_start();
    let answer = if over_range {
        let step = args.step.clone().unwrap_or_else(|| range.step(SAMPLES_PER_SERIES));
        let params = [("query", args.promql.as_str()), ("start", &start), ("end", &end), ("step", &step)];
        session.client.get("/prometheus/api/v1/query_range", &params).await?
    } else {
        let params = [("query", args.promql.as_str()), ("time", &end)];
        session.client.get("/prometheus/api/v1/query", &params).await?
    };
    for (key, word) in [("warnings", "warning"), ("infos", "note")] {
        for text in answer[key].as_array().into_iter().flatten().filter_map(Value::as_str) {
            eprintln!("{word}: {text}");
        }
    }
    print(session, &answer["data"], over_range)
}

/// Prints the data of a query API's answer; series of a range summed up, unless `-o wide` asks for every sample.
pub(crate) fn print(session: &Session, data: &Value, over_range: bool) -> Result<(), Failure> {
    let sum_up = over_range && !session.output.is_wide();
    let (columns, rows) = table(data, sum_up);
    let when = if over_range { "in this range" } else { "at this time" };
    session.output.print(data, &columns, &rows, &format!("no series answers this query {when}"))?;
    if sum_up && !session.output.is_data() && !rows.is_empty() {
        eprintln!("hint: a row sums a series up; -o wide prints every sample, -o json the answer");
    }
    Ok(())
}

/// Columns and rows of the data of an answer.
fn table(data: &Value, sum_up: bool) -> (Vec<Column>, Vec<Vec<String>>) {
    let left = |name: &'static str| Column(name, Show::Always, Align::Left);
    let right = |name: &'static str| Column(name, Show::Always, Align::Right);
    let result = &data["result"];
    let series = || result.as_array().into_iter().flatten();
    match data["resultType"].as_str() {
        Some("matrix") if sum_up => {
            let heads = ["min", "avg", "max", "last", "samples"];
            (
                std::iter::once(left("series")).chain(heads.map(right)).collect(),
                series().map(|series| summary(name(&series["metric"]), &samples(series))).collect(),
            )
        }
        Some("matrix") => {
            let rows = series().flat_map(|series| {
                let name = name(&series["metric"]);
                samples(series).into_iter().map(move |sample| vec![name.clone(), sample.at, sample.text])
            });
            (vec![left("series"), left("time"), right("value")], rows.collect())
        }
        kind => {
            let single = |name: String, point: &Value| {
                let sample = Sample::read(point);
                vec![name, sample.text, sample.at]
            };
            let rows = match kind {
                Some("scalar" | "string") => vec![single(String::new(), result)],
                _ => series().map(|series| single(name(&series["metric"]), point(series))).collect(),
            };
            (vec![left("series"), right("value"), Column("time", Show::Wide, Align::Left)], rows)
        }
    }
}

/// A value at a time.
struct Sample {
    /// When, in nanoseconds since the epoch.
    at_ns: i64,
    /// The same for people.
    at: String,
    /// The value as the server wrote it; of a histogram its count and sum.
    text: String,
}

impl Sample {
    /// From `[seconds, value]`, as the query APIs write it.
    fn read(point: &Value) -> Self {
        let at_ns = instant(&point[0].to_string()).unwrap_or_default();
        let part = |key: &str| point[1][key].as_str().unwrap_or("?").to_owned();
        let text = match &point[1] {
            Value::String(text) => text.clone(),
            Value::Object(_) => format!("{{count:{}, sum:{}}}", part("count"), part("sum")),
            other => other.to_string(),
        };
        Self { at_ns, at: shown(at_ns), text }
    }
}

/// The one point of a series of an instant answer.
fn point(series: &Value) -> &Value {
    if series["value"].is_null() { &series["histogram"] } else { &series["value"] }
}

/// All samples of a series of a range, oldest first.
fn samples(series: &Value) -> Vec<Sample> {
    let points = |key: &str| series[key].as_array().into_iter().flatten().map(Sample::read);
    let mut samples: Vec<Sample> = points("values").chain(points("histograms")).collect();
    samples.sort_by_key(|sample| sample.at_ns);
    samples
}

/// Least, average, greatest and last value of a series, and how many there are; histograms and NaN have no order.
fn summary(name: String, samples: &[Sample]) -> Vec<String> {
    let numbers: Vec<(f64, &str)> = samples
        .iter()
        .filter_map(|sample| Some((sample.text.parse::<f64>().ok()?, sample.text.as_str())))
        .filter(|(value, _)| !value.is_nan())
        .collect();
    let order = |a: &&(f64, &str), b: &&(f64, &str)| a.0.total_cmp(&b.0);
    let text = |number: Option<&(f64, &str)>| number.map_or("-", |number| number.1).to_owned();
    vec![
        name,
        text(numbers.iter().min_by(order)),
        average(&numbers),
        text(numbers.iter().max_by(order)),
        samples.last().map_or_else(|| "-".to_owned(), |sample| sample.text.clone()),
        samples.len().to_string(),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a series of an answer has far fewer than 2^52 samples")]
fn average(numbers: &[(f64, &str)]) -> String {
    let sum: f64 = numbers.iter().map(|number| number.0).sum();
    significant(sum / numbers.len() as f64, AVERAGE_DIGITS)
}

fn name(metric: &Value) -> String {
    let pairs =
        metric.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?)));
    model::Labels::from_pairs(pairs).to_string()
}

/// The vector that `promql` answers with at `time`: label sets and values.
pub(crate) async fn vector(
    session: &Session,
    promql: &str,
    time: &str,
) -> Result<Vec<(Value, f64)>, Failure> {
    let answer = session.client.get("/prometheus/api/v1/query", &[("query", promql), ("time", time)]).await?;
    let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    let value = |series: &Value| series["value"][1].as_str()?.parse().ok();
    Ok(series.iter().map(|series| (series["metric"].clone(), value(series).unwrap_or(f64::NAN))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(data: &Value, sum_up: bool, wide: bool, expected: &str) {
        let (columns, rows) = table(data, sum_up);
        assert_eq!(crate::output::table(&columns, &rows, wide), expected);
    }

    #[test]
    fn an_instant_answer_has_a_row_a_series() {
        check(
            &json!({"resultType": "scalar", "result": [1, "2"]}),
            false,
            false,
            "SERIES  VALUE\n            2\n",
        );
        check(
            &json!({"resultType": "vector", "result": [
                {"metric": {"__name__": "up", "job": "a"}, "value": [1.5, "1"]},
                {"metric": {"__name__": "took"}, "histogram": [1.5, {"count": "12", "sum": "3.4", "buckets": []}]},
            ]}),
            false,
            true,
            "SERIES                     VALUE  TIME\n\
             up{job=\"a\"}                    1  1970-01-01 00:00:01.500\n\
             took         {count:12, sum:3.4}  1970-01-01 00:00:01.500\n",
        );
    }

    #[test]
    fn a_range_is_summed_up_or_printed_whole() {
        let data = json!({"resultType": "matrix", "result": [
            {"metric": {"__name__": "t", "a": "1"}, "values": [[60, "20.5"], [120, "NaN"], [180, "23"], [240, "19"]]},
            {"metric": {"__name__": "t", "a": "2"}, "values": [[60, "1"]],
             "histograms": [[120, {"count": "2", "sum": "5"}]]},
            {"metric": {}, "values": []},
        ]});
        check(
            &data,
            true,
            false,
            "SERIES    MIN      AVG  MAX              LAST  SAMPLES\n\
             t{a=\"1\"}   19  20.8333   23                19        4\n\
             t{a=\"2\"}    1        1    1  {count:2, sum:5}        2\n\
             {}          -        -    -                 -        0\n",
        );
        check(
            &data,
            false,
            true,
            "SERIES    TIME                                VALUE\n\
             t{a=\"1\"}  1970-01-01 00:01:00.000              20.5\n\
             t{a=\"1\"}  1970-01-01 00:02:00.000               NaN\n\
             t{a=\"1\"}  1970-01-01 00:03:00.000                23\n\
             t{a=\"1\"}  1970-01-01 00:04:00.000                19\n\
             t{a=\"2\"}  1970-01-01 00:01:00.000                 1\n\
             t{a=\"2\"}  1970-01-01 00:02:00.000  {count:2, sum:5}\n",
        );
    }
}
