//! Floats that are integers: what is exact in both worlds, to the bit.

/// Integers below this magnitude are exact as floats, and so are their differences.
const INTEGER_MAX: f64 = 4_503_599_627_370_496.0;

/// `value` as an integer, if it is one of moderate size; minus zero and NaN are not.
#[expect(clippy::cast_possible_truncation, reason = "the comparison of the bits notices what is lost")]
pub(super) fn integer(value: f64) -> Option<i64> {
    let integer = value as i64;
    (value.abs() < INTEGER_MAX && float(integer).to_bits() == value.to_bits()).then_some(integer)
}

/// The float of an integer; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "callers keep below 2^53, where nothing is lost")]
pub(super) fn float(integer: i64) -> f64 {
    integer as f64
}
