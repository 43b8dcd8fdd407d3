//! A native histogram as Prometheus' JSON: count, sum, and every bucket that holds something, from low to high.

use crate::number::push_float;
use model::FloatHistogram;
use query::promql::shown_buckets;
use std::io::Write;

/// Appends `histogram` as JSON. A bucket is `[rule, lower, upper, count]`; the rule says which bounds belong to it.
pub(crate) fn push(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    out.extend_from_slice(br#"{"count":""#);
    push_float(out, histogram.count);
    out.extend_from_slice(br#"","sum":""#);
    push_float(out, histogram.sum);
    out.push(b'"');
    let mut is_first = true;
    for bucket in shown_buckets(histogram) {
        out.extend_from_slice(if is_first { br#","buckets":["# } else { b"," });
        is_first = false;
        // Writing to a vector cannot fail.
        let _ = write!(out, "[{}", bucket.boundaries);
        for value in [bucket.lower, bucket.upper, bucket.count] {
            out.extend_from_slice(b",\"");
            push_float(out, value);
            out.push(b'"');
        }
        out.push(b']');
    }
    out.extend_from_slice(if is_first { b"}" } else { b"]}" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::histogram::{BucketSpan, CUSTOM_BUCKETS_SCHEMA};

    fn check(histogram: &FloatHistogram, expected: &str) {
        let mut out = Vec::new();
        push(&mut out, histogram);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn buckets_ascend_with_their_boundary_rules() {
        let spans = vec![BucketSpan { offset: 0, length: 2 }, BucketSpan { offset: 1, length: 1 }];
        let histogram = FloatHistogram {
            schema: 0,
            count: 13.0,
            sum: 18.4,
            zero_threshold: 0.001,
            zero_count: 2.0,
            positive_spans: spans.clone(),
            positive_buckets: vec![1.0, 2.0, 0.0],
            negative_spans: spans,
            negative_buckets: vec![1.0, 0.0, 3.0],
            ..FloatHistogram::default()
        };
        check(
            &histogram,
            r#"{"count":"13","sum":"18.4","buckets":[[1,"-8","-4","3"],[1,"-1","-0.5","1"],[3,"-0.001","0.001","2"],[0,"0.5","1","1"],[0,"1","2","2"]]}"#,
        );
        check(&FloatHistogram::default(), r#"{"count":"0","sum":"0"}"#);
    }

    #[test]
    fn custom_bounds_end_at_infinity() {
        let histogram = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 3.0,
            sum: 1.0,
            positive_spans: vec![BucketSpan { offset: 0, length: 3 }],
            positive_buckets: vec![1.0, 1.0, 1.0],
            custom_values: vec![0.5, 1.0],
            ..FloatHistogram::default()
        };
        check(
            &histogram,
            r#"{"count":"3","sum":"1","buckets":[[3,"-Inf","0.5","1"],[0,"0.5","1","1"],[0,"1","+Inf","1"]]}"#,
        );
    }
}
