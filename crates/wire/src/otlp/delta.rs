//! Delta to cumulative: what Prometheus' series need and some SDKs do not send.
//!
//! The state belongs to the caller, one per tenant, and is bounded: a stream that would be one too many is refused, unless
//! others have been silent for [`IDLE_MS_MAX`].

use super::native::downscale;
use super::points::{Dense, Explicit, Exponential, Number};
use std::collections::HashMap;

/// A stream that was silent this long may be forgotten; should it come back, its series starts again from zero.
pub(super) const IDLE_MS_MAX: i64 = 5 * 60 * 1000;

/// Most buckets of one side of an accumulated exponential histogram; beyond, its resolution is halved.
const EXPONENTIAL_BUCKETS_MAX: usize = 160;

/// Running totals of delta streams.
#[derive(Debug)]
pub struct DeltaState {
    streams: HashMap<u128, Stream>,
    streams_max: usize,
}

#[derive(Debug)]
struct Stream {
    /// When it was last heard of, by the caller's clock.
    seen_ms: i64,
    /// Time of the last point.
    time_ns: u64,
    total: Total,
}

#[derive(Debug)]
enum Total {
    Number(f64),
    Explicit {
        bounds: Vec<f64>,
        counts: Vec<u64>,
        count: u64,
        sum: Option<f64>,
    },
    Exponential {
        scale: i32,
        zero_count: u64,
        positive: Dense,
        negative: Dense,
        count: u64,
        sum: Option<f64>,
    },
}

/// Why a delta point cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Not later than the point before.
    OutOfOrder,
    /// The state is full.
    TooMany(usize),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfOrder => {
                f.write_str("delta point is not later than the one before: it cannot be added")
            }
            Self::TooMany(max) => {
                write!(f, "more than {max} delta streams: send cumulative metrics or raise the limit")
            }
        }
    }
}

impl DeltaState {
    /// An empty state of at most `streams_max` streams.
    #[must_use]
    pub fn new(streams_max: usize) -> Self {
        Self { streams: HashMap::new(), streams_max }
    }

    /// How many streams it remembers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether it remembers none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// The stream `key`, ready for a point of `time_ns`; `None` when this is its first point.
    fn advance(&mut self, key: u128, time_ns: u64, now_ms: i64) -> Result<Option<&mut Total>, Refused> {
        if !self.streams.contains_key(&key) {
            if self.streams.len() >= self.streams_max {
                self.streams.retain(|_, stream| now_ms.saturating_sub(stream.seen_ms) < IDLE_MS_MAX);
            }
            return if self.streams.len() < self.streams_max {
                Ok(None)
            } else {
                Err(Refused::TooMany(self.streams_max))
            };
        }
        let Some(stream) = self.streams.get_mut(&key) else { return Ok(None) };
        if time_ns <= stream.time_ns {
            return Err(Refused::OutOfOrder);
        }
        (stream.time_ns, stream.seen_ms) = (time_ns, now_ms);
        Ok(Some(&mut stream.total))
    }

    fn begin(&mut self, key: u128, time_ns: u64, now_ms: i64, total: Total) {
        self.streams.insert(key, Stream { seen_ms: now_ms, time_ns, total });
    }

    /// Replaces a sum's delta by the total.
    pub(super) fn number(&mut self, key: u128, point: &mut Number<'_>, now_ms: i64) -> Result<(), Refused> {
        match self.advance(key, point.common.time_ns, now_ms)? {
            Some(Total::Number(total)) => {
                *total += point.value;
                point.value = *total;
            }
            _ => self.begin(key, point.common.time_ns, now_ms, Total::Number(point.value)),
        }
        Ok(())
    }

    /// Replaces a histogram's delta by the total; other bounds start a new total.
    pub(super) fn explicit(
        &mut self,
        key: u128,
        point: &mut Explicit<'_>,
        now_ms: i64,
    ) -> Result<(), Refused> {
        match self.advance(key, point.common.time_ns, now_ms)? {
            Some(Total::Explicit { bounds, counts, count, sum })
                if *bounds == point.bounds && counts.len() == point.counts.len() =>
            {
                counts
                    .iter_mut()
                    .zip(&point.counts)
                    .for_each(|(total, delta)| *total = total.saturating_add(*delta));
                *count = count.saturating_add(point.count);
                *sum = sum.zip(point.sum).map(|(total, delta)| total + delta);
                (point.counts, point.count, point.sum) = (counts.clone(), *count, *sum);
            }
            _ => {
                let (bounds, counts) = (point.bounds.clone(), point.counts.clone());
                let total = Total::Explicit { bounds, counts, count: point.count, sum: point.sum };
                self.begin(key, point.common.time_ns, now_ms, total);
            }
        }
        Ok(())
    }

    /// Replaces an exponential histogram's delta by the total, at the coarser of the two scales.
    pub(super) fn exponential(
        &mut self,
        key: u128,
        point: &mut Exponential<'_>,
        now_ms: i64,
    ) -> Result<(), Refused> {
        let before = match self.advance(key, point.common.time_ns, now_ms)? {
            Some(Total::Exponential { scale, zero_count, positive, negative, count, sum }) => {
                let common = fit_scale(
                    *scale,
                    point.scale,
                    [(&*positive, &point.positive), (&*negative, &point.negative)],
                );
                point.positive =
                    add(&at_scale(positive, *scale, common), &at_scale(&point.positive, point.scale, common));
                point.negative =
                    add(&at_scale(negative, *scale, common), &at_scale(&point.negative, point.scale, common));
                point.scale = common;
                point.zero_count = point.zero_count.saturating_add(*zero_count);
                point.count = point.count.saturating_add(*count);
                sum.zip(point.sum).map(|(total, delta)| total + delta)
            }
            _ => point.sum,
        };
        point.sum = before;
        let total = Total::Exponential {
            scale: point.scale,
            zero_count: point.zero_count,
            positive: point.positive.clone(),
            negative: point.negative.clone(),
            count: point.count,
            sum: point.sum,
        };
        self.begin(key, point.common.time_ns, now_ms, total);
        Ok(())
    }
}

fn at_scale(dense: &Dense, from: i32, to: i32) -> Dense {
    downscale(dense, from.abs_diff(to))
}

/// The finest scale at which both sides fit into [`EXPONENTIAL_BUCKETS_MAX`] buckets.
fn fit_scale(a: i32, b: i32, sides: [(&Dense, &Dense); 2]) -> i32 {
    let mut scale = a.min(b);
    let lowest = scale.saturating_sub(32);
    while scale > lowest
        && sides
            .iter()
            .any(|(x, y)| width(&at_scale(x, a, scale), &at_scale(y, b, scale)) > EXPONENTIAL_BUCKETS_MAX)
    {
        scale -= 1;
    }
    scale
}

/// First and one past the last bucket of both.
fn extent(a: &Dense, b: &Dense) -> Option<(i64, i64)> {
    let range = |dense: &Dense| {
        let start = i64::from(dense.offset);
        (!dense.counts.is_empty())
            .then(|| (start, start.saturating_add(i64::try_from(dense.counts.len()).unwrap_or(i64::MAX))))
    };
    match (range(a), range(b)) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

fn width(a: &Dense, b: &Dense) -> usize {
    extent(a, b).map_or(0, |(start, end)| usize::try_from(end - start).unwrap_or(usize::MAX))
}

/// The sum of two, which must be of one scale and fit [`EXPONENTIAL_BUCKETS_MAX`] together.
fn add(a: &Dense, b: &Dense) -> Dense {
    let Some((start, end)) = extent(a, b) else { return Dense::default() };
    let mut counts = vec![0_u64; usize::try_from(end - start).unwrap_or_default()];
    for dense in [a, b] {
        let skip = usize::try_from(i64::from(dense.offset) - start).unwrap_or_default();
        for (total, delta) in counts.iter_mut().skip(skip).zip(&dense.counts) {
            *total = total.saturating_add(*delta);
        }
    }
    Dense { offset: i32::try_from(start).unwrap_or_default(), counts }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64, time_ns: u64) -> Number<'static> {
        let mut point = Number { value, ..Number::default() };
        point.common.time_ns = time_ns;
        point
    }

    #[test]
    fn deltas_add_up() {
        let mut state = DeltaState::new(10);
        let mut totals = Vec::new();
        for (value, time_ns) in [(1.0, 10), (2.0, 20), (4.0, 30)] {
            let mut point = number(value, time_ns);
            state.number(1, &mut point, 0).unwrap();
            totals.push(point.value);
        }
        assert_eq!(totals, [1.0, 3.0, 7.0]);
        assert_eq!(state.number(1, &mut number(1.0, 30), 0), Err(Refused::OutOfOrder));
    }

    #[test]
    fn a_full_state_refuses_until_streams_are_idle() {
        let mut state = DeltaState::new(2);
        for key in 0..2 {
            state.number(key, &mut number(1.0, 1), 0).unwrap();
        }
        assert_eq!(state.number(2, &mut number(1.0, 1), IDLE_MS_MAX - 1), Err(Refused::TooMany(2)));
        assert_eq!(state.number(2, &mut number(1.0, 1), IDLE_MS_MAX), Ok(()));
        assert_eq!(state.len(), 1);
    }

    #[test]
    fn exponential_histograms_add_up_at_the_coarser_scale() {
        let mut state = DeltaState::new(2);
        let point = |scale, offset, counts: &[u64], time_ns| {
            let mut point =
                Exponential { scale, count: counts.iter().sum(), sum: Some(1.0), ..Exponential::default() };
            point.positive = Dense { offset, counts: counts.to_vec() };
            point.common.time_ns = time_ns;
            point
        };
        state.exponential(1, &mut point(1, 0, &[1, 1, 1, 1], 1), 0).unwrap();
        let mut second = point(0, 1, &[5], 2);
        state.exponential(1, &mut second, 0).unwrap();
        assert_eq!((second.scale, second.count, second.sum), (0, 9, Some(2.0)));
        assert_eq!(second.positive, Dense { offset: 0, counts: vec![2, 7] });
        let mut far = point(0, i32::MAX - 1, &[1], 3);
        state.exponential(1, &mut far, 0).unwrap();
        assert!(
            far.positive.counts.len() <= EXPONENTIAL_BUCKETS_MAX
                && far.positive.counts.iter().sum::<u64>() == 10
        );
    }
}
