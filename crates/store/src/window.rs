//! Windows of time: how a scan cuts its range, so that what it reads at once is bounded and an early stop is cheap.

use model::scan::Direction;
use std::ops::Range;

/// How many records stand between two times; taken to be spread evenly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Earliest and latest record, nanoseconds.
    pub(crate) min_ns: i64,
    pub(crate) max_ns: i64,
    pub(crate) records: u64,
}

impl Extent {
    /// Records in `window`, at least one when it overlaps.
    pub(crate) fn records_in(&self, window: &Range<i64>) -> u64 {
        let (start, end) = (window.start.max(self.min_ns), window.end.min(self.max_ns.saturating_add(1)));
        if start >= end {
            return 0;
        }
        let share = u128::from(end.abs_diff(start)) * u128::from(self.records);
        u64::try_from(share / (u128::from(self.max_ns.abs_diff(self.min_ns)) + 1)).unwrap_or(u64::MAX).max(1)
    }
}

/// The next window of about `records_max` records at the end of `left` where a scan in `direction` begins; `None` when
/// no extent overlaps `left`. At least one nanosecond wide, however many records it has.
pub(crate) fn next(
    extents: &[Extent],
    left: &Range<i64>,
    records_max: u64,
    direction: Direction,
) -> Option<Range<i64>> {
    let overlapping = || extents.iter().filter(|extent| extent.records_in(left) > 0);
    let start = overlapping().map(|extent| extent.min_ns).min()?.max(left.start);
    let end = overlapping().map(|extent| extent.max_ns).max()?.saturating_add(1).min(left.end);
    let window = |width: u64| match direction {
        Direction::Backward => end.saturating_sub_unsigned(width)..end,
        Direction::Forward => start..start.saturating_add_unsigned(width),
    };
    let all = end.abs_diff(start);
    let fits =
        |width| overlapping().map(|extent| extent.records_in(&window(width))).sum::<u64>() <= records_max;
    if fits(all) {
        return Some(window(all));
    }
    // Bisection: `few` fits, `many` does not.
    let (mut few, mut many) = (0, all);
    while many - few > 1 {
        let middle = few + (many - few) / 2;
        if fits(middle) { few = middle } else { many = middle }
    }
    Some(window(few.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts the whole range and returns the windows.
    fn cut(extents: &[(i64, i64, u64)], range: Range<i64>, direction: Direction) -> Vec<(i64, i64)> {
        let extent = |&(min_ns, max_ns, records)| Extent { min_ns, max_ns, records };
        let extents: Vec<Extent> = extents.iter().map(extent).collect();
        let (mut left, mut windows) = (range, Vec::new());
        while let Some(window) = next(&extents, &left, 10, direction) {
            match direction {
                Direction::Backward => left.end = window.start,
                Direction::Forward => left.start = window.end,
            }
            windows.push((window.start, window.end));
        }
        windows
    }

    #[test]
    fn windows_cover_what_is_there_in_order() {
        assert_eq!(cut(&[], 0..100, Direction::Backward), []);
        assert_eq!(cut(&[(10, 19, 5)], 0..100, Direction::Backward), [(10, 20)]);
        assert_eq!(cut(&[(10, 19, 5)], 20..100, Direction::Backward), []);
        assert_eq!(cut(&[(10, 10, 500)], i64::MIN..i64::MAX, Direction::Forward), [(10, 11)]);
        assert_eq!(cut(&[(0, 99, 40)], 0..50, Direction::Backward), [(23, 50), (0, 23)]);
        assert_eq!(
            cut(&[(0, 9, 8), (1000, 1009, 8)], 0..2000, Direction::Forward),
            [(0, 1003), (1003, 1010)]
        );
        assert_eq!(
            cut(&[(i64::MIN, i64::MAX, 1)], i64::MIN..i64::MAX, Direction::Backward),
            [(i64::MIN, i64::MAX)]
        );
    }
}
