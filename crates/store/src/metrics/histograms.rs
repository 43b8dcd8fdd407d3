//! Native histograms as bytes, exact: counts as integers where they are, bits otherwise. A sample may be written against
//! the one before it: then an equal layout is one byte and counts are differences.

use super::exact::{float, integer};
use crate::codec::{Reader, put_signed, put_varint};
use crate::error::Damage;
use model::FloatHistogram;
use model::histogram::{BucketSpan, ResetHint};

const SAME_LAYOUT: u8 = 1;
const INTEGERS: u8 = 2;

/// Appends `histogram`; `previous` is what [`get`] will be given.
pub(super) fn put(out: &mut Vec<u8>, histogram: &FloatHistogram, previous: Option<&FloatHistogram>) {
    let base = previous.filter(|previous| same_layout(previous, histogram));
    let integers = counts(histogram).all(|count| integer(count).is_some())
        && base.is_none_or(|base| counts(base).all(|count| integer(count).is_some()));
    out.push(u8::from(base.is_some()) * SAME_LAYOUT + u8::from(integers) * INTEGERS);
    out.push(histogram.reset_hint as u8);
    out.extend_from_slice(&histogram.sum.to_le_bytes());
    if base.is_none() {
        put_layout(out, histogram);
    }
    let mut before = base.into_iter().flat_map(counts);
    for count in counts(histogram) {
        let last = before.next().unwrap_or(0.0);
        if integers {
            put_signed(out, integer(count).unwrap_or(0) - integer(last).unwrap_or(0));
        } else {
            out.extend_from_slice(&count.to_le_bytes());
        }
    }
}

/// Reads what [`put`] wrote.
pub(super) fn get(
    reader: &mut Reader<'_>,
    previous: Option<&FloatHistogram>,
) -> Result<FloatHistogram, Damage> {
    let flags = reader.u8()?;
    let reset_hint = hint(reader.u8()?)?;
    let sum = reader.f64()?;
    let base =
        if flags & SAME_LAYOUT == 0 { None } else { Some(previous.ok_or_else(|| Damage::new("first"))?) };
    let mut histogram = match base {
        Some(base) => base.clone(),
        None => get_layout(reader)?,
    };
    histogram.reset_hint = reset_hint;
    histogram.sum = sum;
    let relative = base.is_some();
    for count in counts_mut(&mut histogram) {
        *count = if flags & INTEGERS == 0 {
            reader.f64()?
        } else {
            let last = if relative { integer(*count).unwrap_or(0) } else { 0 };
            float(last.wrapping_add(reader.signed()?))
        };
    }
    Ok(histogram)
}

fn hint(number: u8) -> Result<ResetHint, Damage> {
    let hints = [ResetHint::Unknown, ResetHint::Yes, ResetHint::No, ResetHint::Gauge];
    hints.into_iter().find(|hint| *hint as u8 == number).ok_or_else(|| Damage::new("unknown reset hint"))
}

fn counts(histogram: &FloatHistogram) -> impl Iterator<Item = f64> {
    let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    [histogram.zero_count, histogram.count].into_iter().chain(buckets.copied())
}

fn counts_mut(histogram: &mut FloatHistogram) -> impl Iterator<Item = &mut f64> {
    let buckets = histogram.positive_buckets.iter_mut().chain(&mut histogram.negative_buckets);
    [&mut histogram.zero_count, &mut histogram.count].into_iter().chain(buckets)
}

fn same_layout(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    a.schema == b.schema
        && a.zero_threshold.to_bits() == b.zero_threshold.to_bits()
        && a.positive_spans == b.positive_spans
        && a.negative_spans == b.negative_spans
        && a.positive_buckets.len() == b.positive_buckets.len()
        && a.negative_buckets.len() == b.negative_buckets.len()
        && bits(&a.custom_values) == bits(&b.custom_values)
}

fn put_layout(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    put_signed(out, i64::from(histogram.schema));
    out.extend_from_slice(&histogram.zero_threshold.to_le_bytes());
    for (spans, buckets) in [
        (&histogram.positive_spans, histogram.positive_buckets.len()),
        (&histogram.negative_spans, histogram.negative_buckets.len()),
    ] {
        put_varint(out, spans.len() as u64);
        for span in spans {
            put_signed(out, i64::from(span.offset));
            put_varint(out, u64::from(span.length));
        }
        put_varint(out, buckets as u64);
    }
    put_varint(out, histogram.custom_values.len() as u64);
    for bound in &histogram.custom_values {
        out.extend_from_slice(&bound.to_le_bytes());
    }
}

fn get_layout(reader: &mut Reader<'_>) -> Result<FloatHistogram, Damage> {
    let schema = i32::try_from(reader.signed()?).map_err(|_| Damage::new("schema"))?;
    let zero_threshold = reader.f64()?;
    let (positive_spans, positive_buckets) = get_side(reader)?;
    let (negative_spans, negative_buckets) = get_side(reader)?;
    let count = reader.count(8)?;
    let custom_values = (0..count).map(|_| reader.f64()).collect::<Result<_, _>>()?;
    Ok(FloatHistogram {
        schema,
        zero_threshold,
        positive_spans,
        negative_spans,
        positive_buckets,
        negative_buckets,
        custom_values,
        ..FloatHistogram::default()
    })
}

fn get_side(reader: &mut Reader<'_>) -> Result<(Vec<BucketSpan>, Vec<f64>), Damage> {
    let count = reader.count(2)?;
    let mut spans = Vec::with_capacity(count);
    for _ in 0..count {
        let offset = i32::try_from(reader.signed()?).map_err(|_| Damage::new("span offset"))?;
        spans.push(BucketSpan { offset, length: reader.varint32()? });
    }
    Ok((spans, vec![0.0; reader.count(1)?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::metric::stale_nan;

    fn check(histograms: &[FloatHistogram]) {
        let mut out = Vec::new();
        let mut previous = None;
        for histogram in histograms {
            put(&mut out, histogram, previous);
            previous = Some(histogram);
        }
        let mut reader = Reader::new(&out);
        let mut previous: Option<FloatHistogram> = None;
        for histogram in histograms {
            let back = get(&mut reader, previous.as_ref()).expect("get");
            assert_eq!(back.sum.to_bits(), histogram.sum.to_bits());
            let plain = |h: &FloatHistogram| FloatHistogram { sum: 0.0, ..h.clone() };
            assert_eq!(plain(&back), plain(histogram));
            previous = Some(back);
        }
        assert!(reader.is_empty());
    }

    #[test]
    fn histograms_come_back_exactly() {
        let first = FloatHistogram {
            reset_hint: ResetHint::No,
            schema: 3,
            zero_threshold: 1e-128,
            zero_count: 2.0,
            count: 12.0,
            sum: 0.1,
            positive_spans: vec![BucketSpan { offset: -2, length: 2 }, BucketSpan { offset: 3, length: 1 }],
            positive_buckets: vec![1.0, 4.0, 5.0],
            ..FloatHistogram::default()
        };
        let second = FloatHistogram { count: 20.0, positive_buckets: vec![1.0, 9.0, 8.0], ..first.clone() };
        let fractional = FloatHistogram { zero_count: 0.25, ..second.clone() };
        let custom = FloatHistogram {
            schema: model::histogram::CUSTOM_BUCKETS_SCHEMA,
            custom_values: vec![0.5, 1.0],
            ..FloatHistogram::default()
        };
        let stale = FloatHistogram { sum: stale_nan(), ..FloatHistogram::default() };
        check(&[first.clone(), second, fractional, first, custom, stale]);
    }
}
