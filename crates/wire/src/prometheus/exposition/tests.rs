//! Both text formats, as a scrape reads them: what is accepted, what is refused and in which words.

use super::*;
use crate::prometheus::{openmetrics, protobuf, text};
use crate::proto::{Value, put_field, put_varint};

const OPTIONS: ExpositionOptions = ExpositionOptions {
    default_ts_ms: 9,
    honor_timestamps: true,
    native_histograms: true,
    classic_histograms: false,
};

/// `series value@ms`, one a line; `!` marks a time of the exposition's own.
fn print(exposition: &Exposition) -> Vec<String> {
    let batch = &exposition.batch;
    let own = |series: u32| if exposition.explicit_ts[series as usize] { "!" } else { "" };
    let line = |point: &model::metric::FloatPoint| {
        format!(
            "{} {}@{}{}",
            batch.labels(point.series).unwrap(),
            point.value,
            point.ts_ms,
            own(point.series)
        )
    };
    batch.floats.iter().map(line).collect()
}

fn check_text(body: &str, expected: Result<&[&str], &str>) {
    check(&text::parse(body.as_bytes(), &OPTIONS), body, expected);
}

fn check_openmetrics(body: &str, expected: Result<&[&str], &str>) {
    check(&openmetrics::parse(body.as_bytes(), &OPTIONS), body, expected);
}

fn check(result: &Result<Exposition, WireError>, body: &str, expected: Result<&[&str], &str>) {
    let printed = result.as_ref().map(print).map_err(ToString::to_string);
    let printed: Result<Vec<&str>, &str> =
        printed.as_ref().map(|lines| lines.iter().map(String::as_str).collect()).map_err(String::as_str);
    assert_eq!(printed, expected.map(<[&str]>::to_vec), "{body}");
}

#[test]
fn text_is_read_as_laxly_as_prometheus_reads_it() {
    check_text("a 1", Ok(&["a 1@9"]));
    check_text("a 1 5\n\n# comment\nb{x=\"y\",} +Inf\n", Ok(&["a 1@5!", "b{x=\"y\"} inf@9"]));
    check_text("a { x = \"1\" y=\"2\" } 3\n", Ok(&["a{x=\"1\", y=\"2\"} 3@9"]));
    check_text("{\"a.b\", \"c d\"=\"e\\\"\\n\"} 1\n", Ok(&["a.b{\"c d\"=\"e\\\"\\n\"} 1@9"]));
    check_text("a{x=\"\"} 1\n", Ok(&["a 1@9"]));
    check_text("# TYPE h histogram\nh_bucket{le=\"1\"} 2\n", Ok(&["h_bucket{le=\"1.0\"} 2@9"]));
    check_text("# TYPE s summary\ns{quantile=\"1e-05\"} 2\n", Ok(&["s{quantile=\"1e-05\"} 2@9"]));
    check_text("#TYPE h nonsense\n# HELP\n", Ok(&[]));
}

#[test]
fn text_is_refused_in_the_words_of_prometheus() {
    check_text("a\n", Err(r#"expected value after metric, got "\n" ("LINEBREAK") while parsing: "a\n""#));
    check_text("a{b='c'} 1\n", Err(r#"expected label value, got "'" ("INVALID") while parsing: "a{b='""#));
    check_text("a{b} 1\n", Err(r#"expected equal, got "}" ("BCLOSE") while parsing: "a{b}""#));
    check_text(
        "a 1 -5\n",
        Err(r#"expected timestamp or new record, got "-" ("INVALID") while parsing: "a 1 -""#),
    );
    check_text("a 0x1p-3\n", Err(r#"unsupported character in float while parsing: "a 0x1p-3""#));
    check_text("# TYPE a meh\n", Err(r#"invalid metric type "meh""#));
    check_text("{a=\"b\"} 1\n", Err(r#"metric name not set while parsing: "{a=\"b\"}""#));
    check_text("{\"a\", \"b\"} 1\n", Err(r#"metric name already set while parsing: "{\"a\", \"b\"""#));
    check_text("a{b=\"1\",b=\"2\"} 1\n", Err(r#"label name "b" is not unique: invalid sample"#));
    check_text("a{__name__=\"1\"} 1\n", Err(r#"label name "__name__" is not unique: invalid sample"#));
    assert!(text::parse(b"a{b=\"\xff\"} 1\n", &OPTIONS).is_err());
}

#[test]
fn openmetrics_is_read_as_prometheus_reads_it() {
    check_openmetrics(
        "a 1 1.5\nb_total{x=\"y\",} 2 # {id=\"z\"} 0.5 3\n# EOF\n",
        Ok(&["a 1@1500!", "b_total{x=\"y\"} 2@9"]),
    );
    check_openmetrics(
        "# TYPE a counter\na_total 1\na_created 5\n# EOF",
        Ok(&["a_total 1@9", "a_created 5@9"]),
    );
    check_openmetrics("", Err("data does not end with # EOF"));
    check_openmetrics("a 1\n", Err("data does not end with # EOF"));
    check_openmetrics("a 1\n# EOF\nb 2\n", Err("unexpected data after # EOF"));
    check_openmetrics("# UNIT a s\n# EOF\n", Err(r#"unit "s" not a suffix of metric "a""#));
    check_openmetrics(
        "a{x=\"1\"y=\"2\"} 1\n# EOF\n",
        Err(r#"expected comma or brace close, got "y" ("INVALID") while parsing: "a{x=\"1\"y""#),
    );
    let exposition =
        openmetrics::parse(b"# HELP a x\\ny\na 1 # {id=\"z\"} 0.5 3\n# EOF\n", &OPTIONS).unwrap();
    let exemplar = &exposition.batch.exemplars[0];
    assert_eq!(
        (exemplar.series, exemplar.exemplar.ts_ms, exemplar.exemplar.labels.get("id")),
        (0, 3000, Some("z"))
    );
    assert_eq!(exposition.batch.metadata[0].help, "x\ny");
}

#[test]
fn the_next_scrape_has_the_same_keys() {
    let keys = |body: &str| -> Vec<u128> {
        text::parse(body.as_bytes(), &OPTIONS).unwrap().batch.series.iter().map(|series| series.key).collect()
    };
    assert_eq!(keys("a{x=\"1\"} 1\n"), keys("b 1\na{x=\"1\"} 2 77\n")[1..]);
    let buckets = "h_bucket{le=\"1\"} 1\n";
    assert_ne!(keys(buckets), keys(&format!("# TYPE h histogram\n{buckets}")));
}

#[test]
fn timestamps_count_only_when_honored() {
    let options = ExpositionOptions { honor_timestamps: false, ..OPTIONS };
    assert_eq!(print(&text::parse(b"a 1 5\n", &options).unwrap()), ["a 1@9"]);
}

#[test]
fn a_line_or_a_label_set_without_end_is_refused() {
    let long = format!("a{{x=\"{}\"}} 1\n", "y".repeat(2 << 20));
    assert!(matches!(text::parse(long.as_bytes(), &OPTIONS), Err(WireError::TooLarge { .. })));
    let labels: Vec<_> = (0..1_000_000).map(|at| format!("l{at}=\"\"")).collect();
    let wide = format!("a{{{}", labels.join(","));
    for body in [wide.clone() + "} 1\n", wide] {
        assert!(matches!(text::parse(body.as_bytes(), &OPTIONS), Err(WireError::TooLarge { .. })));
        assert!(matches!(openmetrics::parse(body.as_bytes(), &OPTIONS), Err(WireError::TooLarge { .. })));
    }
}

fn message(fields: &[(u32, Value<'_>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in fields {
        put_field(&mut out, *number, *value);
    }
    out
}

fn double(value: f64) -> Value<'static> {
    Value::Fixed64(value.to_bits())
}

fn family(name: &str, kind: u64, metrics: &[Vec<u8>]) -> Vec<u8> {
    let mut out = message(&[(1, Value::Bytes(name.as_bytes())), (3, Value::Varint(kind))]);
    for metric in metrics {
        put_field(&mut out, 4, Value::Bytes(metric));
    }
    let mut delimited = Vec::new();
    put_varint(&mut delimited, out.len() as u64);
    delimited.extend(out);
    delimited
}

#[test]
fn protobuf_families_become_series() {
    let pair = message(&[(1, Value::Bytes(b"job")), (2, Value::Bytes(b"a"))]);
    let counter = message(&[(1, double(3.0))]);
    let counter = message(&[(1, Value::Bytes(&pair)), (3, Value::Bytes(&counter)), (6, Value::Varint(5))]);
    let bucket = message(&[(1, Value::Varint(2)), (2, double(0.5))]);
    let span = message(&[(1, Value::Varint(0)), (2, Value::Varint(1))]);
    let classic = message(&[(1, Value::Varint(4)), (2, double(1.5)), (3, Value::Bytes(&bucket))]);
    let native = [
        classic.clone(),
        message(&[(7, Value::Varint(1)), (12, Value::Bytes(&span)), (13, Value::Varint(6))]),
    ]
    .concat();
    let of = |histogram: &[u8]| message(&[(7, Value::Bytes(histogram))]);
    let body = [family("c", 0, &[counter]), family("h", 4, &[of(&classic)]), family("n", 4, &[of(&native)])]
        .concat();
    let parsed = protobuf::parse(&body, &OPTIONS).unwrap();
    let classic_lines =
        ["h_count 4@9", "h_sum 1.5@9", "h_bucket{le=\"0.5\"} 2@9", "h_bucket{le=\"+Inf\"} 4@9"];
    let lines = [&["c{job=\"a\"} 3@5!"][..], &classic_lines].concat();
    assert_eq!(print(&parsed), lines);
    let point = &parsed.batch.histograms[0];
    assert_eq!(
        (
            parsed.batch.labels(point.series).unwrap().to_string().as_str(),
            &point.histogram.positive_buckets[..]
        ),
        ("n", &[3.0][..])
    );
    let both = protobuf::parse(&body, &ExpositionOptions { classic_histograms: true, ..OPTIONS }).unwrap();
    assert_eq!((both.batch.floats.len(), both.batch.histograms.len()), (9, 1));
    for cut in [1, body.len() - 1] {
        assert!(protobuf::parse(&body[..cut], &OPTIONS).is_err());
    }
    assert!(protobuf::parse(b"\xff\xff\xff\xff\x0f", &OPTIONS).is_err());
}
