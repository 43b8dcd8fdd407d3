//! Sums of histograms: of two, of a group, of a window; with compensation for rounding where Prometheus has it.

use super::super::kahan::Kahan;
use super::buckets::{bounds, coarser_index, indexed, pack};
use model::FloatHistogram;
use model::histogram::{CUSTOM_BUCKETS_SCHEMA, ResetHint};

/// Exponential and custom buckets cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incompatible;

/// What happened to be noticed while adding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// One histogram says "reset", the other "not reset".
    pub(crate) reset_collision: bool,
    /// Custom bounds differed; only the common ones are left.
    pub(crate) bounds_reconciled: bool,
}

type Side = Vec<(i32, Kahan)>;

/// A histogram that others are added to.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) reset_hint: ResetHint,
    schema: i32,
    zero_threshold: f64,
    zero: Kahan,
    count: Kahan,
    sum: Kahan,
    positive: Side,
    negative: Side,
    custom_values: Vec<f64>,
}

/// How a term is added to what is there.
#[derive(Clone, Copy)]
enum Mode {
    Add,
    Subtract,
    Compensated,
}

impl Mode {
    fn apply(self, to: &mut Kahan, term: f64) {
        match self {
            Self::Add => to.sum += term,
            Self::Subtract => to.sum -= term,
            Self::Compensated => to.add(term),
        }
    }
}

impl From<&FloatHistogram> for Work {
    fn from(h: &FloatHistogram) -> Self {
        let side =
            |spans, counts| indexed(spans, counts).map(|(at, count)| (at, Kahan::new(count))).collect();
        Self {
            reset_hint: h.reset_hint,
            schema: h.schema,
            zero_threshold: h.zero_threshold,
            zero: Kahan::new(h.zero_count),
            count: Kahan::new(h.count),
            sum: Kahan::new(h.sum),
            positive: side(&h.positive_spans, &h.positive_buckets),
            negative: side(&h.negative_spans, &h.negative_buckets),
            custom_values: h.custom_values.clone(),
        }
    }
}

impl Work {
    /// Adds `other`.
    pub(crate) fn add(&mut self, other: &FloatHistogram) -> Result<Outcome, Incompatible> {
        self.combine(other, Mode::Add)
    }

    /// Subtracts `other`.
    pub(crate) fn subtract(&mut self, other: &FloatHistogram) -> Result<Outcome, Incompatible> {
        self.combine(other, Mode::Subtract)
    }

    /// Adds `other` and keeps what rounding loses.
    pub(crate) fn add_compensated(&mut self, other: &FloatHistogram) -> Result<Outcome, Incompatible> {
        self.combine(other, Mode::Compensated)
    }

    fn combine(&mut self, other: &FloatHistogram, mode: Mode) -> Result<Outcome, Incompatible> {
        let custom = self.schema == CUSTOM_BUCKETS_SCHEMA;
        if custom != other.uses_custom_buckets() {
            return Err(Incompatible);
        }
        let mut outcome = Outcome { reset_collision: self.adjust_hint(other), bounds_reconciled: false };
        let mut other = Self::from(other);
        if custom {
            if self.custom_values != other.custom_values {
                outcome.bounds_reconciled = true;
                let common = common_bounds(&self.custom_values, &other.custom_values);
                self.rebound(&common);
                other.rebound(&common);
            }
        } else {
            self.reconcile_zero(&mut other);
            mode.apply(&mut self.zero, other.zero.sum);
            let schema = self.schema.min(other.schema);
            self.reduce(schema);
            other.reduce(schema);
        }
        mode.apply(&mut self.count, other.count.sum);
        mode.apply(&mut self.sum, other.sum.sum);
        merge(&mut self.positive, &other.positive, mode);
        merge(&mut self.negative, &other.negative, mode);
        Ok(outcome)
    }

    /// The hint of a sum; whether the two contradict each other.
    fn adjust_hint(&mut self, other: &FloatHistogram) -> bool {
        use ResetHint::{Gauge, Unknown};
        self.reset_hint = match (self.reset_hint, other.reset_hint) {
            (a, b) if a == b => a,
            (Gauge, _) | (_, Gauge) => Gauge,
            (Unknown, _) | (_, Unknown) => Unknown,
            _ => {
                self.reset_hint = Unknown;
                return true;
            }
        };
        false
    }

    /// Merges buckets until the schema is `schema`.
    pub(crate) fn reduce(&mut self, schema: i32) {
        if schema >= self.schema {
            return;
        }
        let (from, to) = (self.schema, schema);
        for side in [&mut self.positive, &mut self.negative] {
            regroup(side, |index| coarser_index(index, from, to));
        }
        self.schema = schema;
    }

    /// Merges buckets until the custom bounds are `bounds`, a subset of today's.
    fn rebound(&mut self, bounds: &[f64]) {
        let old = std::mem::take(&mut self.custom_values);
        let target = |index: i32| {
            let bound = usize::try_from(index).ok().and_then(|at| old.get(at));
            let at = bound.map_or(bounds.len(), |bound| bounds.partition_point(|b| b < bound));
            i32::try_from(at).unwrap_or(i32::MAX)
        };
        regroup(&mut self.positive, target);
        self.custom_values = bounds.to_vec();
    }

    /// Widens the narrower of the two zero buckets until both are equally wide.
    fn reconcile_zero(&mut self, other: &mut Self) {
        while self.zero_threshold.total_cmp(&other.zero_threshold).is_ne() {
            if self.zero_threshold > other.zero_threshold {
                other.widen_zero(self.zero_threshold);
            } else if other.zero_threshold > self.zero_threshold {
                self.widen_zero(other.zero_threshold);
            } else {
                return;
            }
        }
    }

    /// Moves buckets into the zero bucket until it reaches `threshold`, or further when that lies in a filled bucket.
    fn widen_zero(&mut self, mut threshold: f64) {
        let frame = self.frame();
        let inside = |positive: bool, index: i32, threshold: f64| {
            let bucket = bounds(&frame, positive, index, 0.0);
            let (near, far) =
                if positive { (bucket.lower, bucket.upper) } else { (-bucket.upper, -bucket.lower) };
            (near < threshold, far > threshold, far)
        };
        loop {
            let cut =
                [(true, &self.positive), (false, &self.negative)].into_iter().find_map(|(sign, side)| {
                    side.iter().find_map(|(index, count)| {
                        let (overlaps, sticks_out, far) = inside(sign, *index, threshold);
                        (overlaps && sticks_out && count.sum != 0.0).then_some(far)
                    })
                });
            match cut {
                Some(far) => threshold = far,
                None => break,
            }
        }
        let mut zero = self.zero;
        for (sign, side) in [(true, &mut self.positive), (false, &mut self.negative)] {
            side.retain(|(index, count)| {
                let (overlaps, ..) = inside(sign, *index, threshold);
                if overlaps {
                    zero.add(count.sum);
                    zero.add(count.lost);
                }
                !overlaps
            });
        }
        (self.zero, self.zero_threshold) = (zero, threshold);
    }

    /// A histogram with this schema and no buckets, to ask for bounds.
    fn frame(&self) -> FloatHistogram {
        FloatHistogram {
            schema: self.schema,
            custom_values: self.custom_values.clone(),
            ..Default::default()
        }
    }

    fn cells(&mut self) -> impl Iterator<Item = &mut Kahan> {
        let sides = self.positive.iter_mut().chain(&mut self.negative).map(|(_, cell)| cell);
        sides.chain([&mut self.zero, &mut self.count, &mut self.sum])
    }

    pub(crate) fn scale(&mut self, factor: f64) {
        self.cells().for_each(|cell| cell.scale(factor));
    }

    pub(crate) fn divide(&mut self, divisor: f64) {
        self.cells().for_each(|cell| cell.divide(divisor));
    }

    /// Whether some number became infinite.
    fn overflows(&mut self) -> bool {
        self.cells().any(|cell| cell.sum.is_infinite())
    }

    /// The histogram, without empty buckets.
    pub(crate) fn finish(self) -> FloatHistogram {
        let side =
            |side: Side| pack(side.into_iter().map(|(at, c)| (at, c.total())).filter(|(_, c)| *c != 0.0));
        let (positive_spans, positive_buckets) = side(self.positive);
        let (negative_spans, negative_buckets) = side(self.negative);
        FloatHistogram {
            reset_hint: self.reset_hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero.total(),
            count: self.count.total(),
            sum: self.sum.total(),
            positive_spans,
            negative_spans,
            positive_buckets,
            negative_buckets,
            custom_values: self.custom_values,
        }
    }
}

/// Gives each bucket a new index, ascending with the old one, and adds those that fall together.
fn regroup(side: &mut Side, target: impl Fn(i32) -> i32) {
    let mut out: Side = Vec::with_capacity(side.len());
    for (index, count) in side.drain(..) {
        let index = target(index);
        match out.last_mut() {
            Some((last, cell)) if *last == index => {
                cell.add(count.sum);
                cell.lost += count.lost;
            }
            _ => out.push((index, count)),
        }
    }
    *side = out;
}

fn merge(side: &mut Side, other: &Side, mode: Mode) {
    let same_layout = side.len() == other.len() && side.iter().zip(other).all(|((a, _), (b, _))| a == b);
    if same_layout {
        for ((_, to), (_, term)) in side.iter_mut().zip(other) {
            mode.apply(to, term.sum);
        }
        return;
    }
    let mut out = Vec::with_capacity(side.len() + other.len());
    let (mut left, mut right) = (side.drain(..).peekable(), other.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let mut cell = if order.is_le() { left.next() } else { None };
        if order.is_ge()
            && let Some((index, term)) = right.next()
        {
            let (_, to) = cell.get_or_insert((*index, Kahan::default()));
            mode.apply(to, term.sum);
        }
        out.extend(cell);
    }
    drop(left);
    *side = out;
}

fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().copied().filter(|bound| b.binary_search_by(|other| other.total_cmp(bound)).is_ok()).collect()
}

/// The mean of histograms: their sum while it does not overflow, then an incremental mean.
#[derive(Clone, Debug)]
pub(crate) struct HistogramMean {
    value: Work,
    count: f64,
    incremental: bool,
}

impl HistogramMean {
    pub(crate) fn new(first: &FloatHistogram) -> Self {
        Self { value: Work::from(first), count: 1.0, incremental: false }
    }

    pub(crate) fn add(&mut self, h: &FloatHistogram) -> Result<Outcome, Incompatible> {
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.value.clone();
            let outcome = sum.add_compensated(h)?;
            if !sum.overflows() {
                self.value = sum;
                return Ok(outcome);
            }
            self.incremental = true;
            self.value.divide(self.count - 1.0);
        }
        self.value.scale((self.count - 1.0) / self.count);
        self.value.add_compensated(&super::divided(h, self.count))
    }

    pub(crate) fn finish(mut self) -> FloatHistogram {
        if !self.incremental {
            self.value.divide(self.count);
        }
        self.value.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::histogram::BucketSpan;

    fn histogram(schema: i32, offset: i32, counts: &[f64]) -> FloatHistogram {
        FloatHistogram {
            schema,
            count: counts.iter().sum(),
            sum: 1.0,
            positive_spans: vec![BucketSpan { offset, length: u32::try_from(counts.len()).unwrap() }],
            positive_buckets: counts.to_vec(),
            ..Default::default()
        }
    }

    fn check(a: &FloatHistogram, b: &FloatHistogram, expected: &FloatHistogram) {
        let mut work = Work::from(a);
        work.add(b).unwrap();
        let sum = work.finish();
        assert!(super::super::equal(&sum, expected), "{sum:?} is not {expected:?}");
    }

    #[test]
    fn sums_merge_layouts_and_schemas() {
        let mut expected = histogram(0, 0, &[1.0, 3.0, 3.0]);
        expected.sum = 2.0;
        check(&histogram(0, 0, &[1.0, 2.0]), &histogram(0, 1, &[1.0, 3.0]), &expected);
        let mut expected = histogram(0, 1, &[6.0]);
        expected.sum = 2.0;
        check(&histogram(1, 1, &[1.0, 2.0]), &histogram(0, 1, &[3.0]), &expected);
    }

    #[test]
    fn the_narrower_zero_bucket_is_widened() {
        let mut wide = histogram(0, 2, &[1.0]);
        (wide.zero_threshold, wide.zero_count) = (1.5, 2.0);
        let mut work = Work::from(&histogram(0, 0, &[5.0, 7.0]));
        work.add(&wide).unwrap();
        let sum = work.finish();
        // 1.5 lies in (1, 2], so the zero bucket ends at 2.
        assert_eq!((sum.zero_threshold, sum.zero_count), (2.0, 14.0));
    }

    #[test]
    fn custom_bounds_keep_what_is_common() {
        let custom = |bounds: &[f64], counts: &[f64]| FloatHistogram {
            custom_values: bounds.to_vec(),
            ..histogram(CUSTOM_BUCKETS_SCHEMA, 0, counts)
        };
        let mut work = Work::from(&custom(&[1.0, 2.0, 3.0], &[1.0, 1.0, 1.0, 1.0]));
        let outcome = work.add(&custom(&[1.0, 3.0], &[10.0, 10.0, 10.0])).unwrap();
        assert!(outcome.bounds_reconciled);
        let sum = work.finish();
        assert_eq!((sum.custom_values, sum.positive_buckets), (vec![1.0, 3.0], vec![11.0, 12.0, 11.0]));
        assert_eq!(Work::from(&histogram(0, 0, &[1.0])).add(&custom(&[1.0], &[1.0])), Err(Incompatible));
    }
}
