//! The table of functions: names, argument and result types.

use super::ast::ValueType;
use ValueType::{Matrix, Scalar, String, Vector};

/// A function's signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// As written in a query.
    pub name: &'static str,
    /// Types of the arguments; the last repeats when `variadic` allows more.
    pub arg_types: &'static [ValueType],
    /// 0: exactly `arg_types`; n: the last is optional and there may be up to n of it; -1: any number of it.
    pub variadic: i32,
    /// Type of the result.
    pub return_type: ValueType,
    /// Whether Prometheus has it behind a feature flag.
    pub experimental: bool,
}

/// The function called `name`; names are case-sensitive.
#[must_use]
pub fn lookup(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok().and_then(|at| FUNCTIONS.get(at))
}

const fn stable(name: &'static str, arg_types: &'static [ValueType], return_type: ValueType) -> Function {
    Function { name, arg_types, variadic: 0, return_type, experimental: false }
}

impl Function {
    const fn variadic(mut self, variadic: i32) -> Self {
        self.variadic = variadic;
        self
    }

    const fn experimental(mut self) -> Self {
        self.experimental = true;
        self
    }
}

/// Every function, sorted by name.
pub static FUNCTIONS: &[Function] = &[
    stable("abs", &[Vector], Vector),
    stable("absent", &[Vector], Vector),
    stable("absent_over_time", &[Matrix], Vector),
    stable("acos", &[Vector], Vector),
    stable("acosh", &[Vector], Vector),
    stable("asin", &[Vector], Vector),
    stable("asinh", &[Vector], Vector),
    stable("atan", &[Vector], Vector),
    stable("atanh", &[Vector], Vector),
    stable("avg_over_time", &[Matrix], Vector),
    stable("ceil", &[Vector], Vector),
    stable("changes", &[Matrix], Vector),
    stable("clamp", &[Vector, Scalar, Scalar], Vector),
    stable("clamp_max", &[Vector, Scalar], Vector),
    stable("clamp_min", &[Vector, Scalar], Vector),
    stable("cos", &[Vector], Vector),
    stable("cosh", &[Vector], Vector),
    stable("count_over_time", &[Matrix], Vector),
    stable("day_of_month", &[Vector], Vector).variadic(1),
    stable("day_of_week", &[Vector], Vector).variadic(1),
    stable("day_of_year", &[Vector], Vector).variadic(1),
    stable("days_in_month", &[Vector], Vector).variadic(1),
    stable("deg", &[Vector], Vector),
    stable("delta", &[Matrix], Vector),
    stable("deriv", &[Matrix], Vector),
    stable("double_exponential_smoothing", &[Matrix, Scalar, Scalar], Vector).experimental(),
    stable("end", &[], Scalar).experimental(),
    stable("exp", &[Vector], Vector),
    stable("first_over_time", &[Matrix], Vector),
    stable("floor", &[Vector], Vector),
    stable("histogram_avg", &[Vector], Vector),
    stable("histogram_count", &[Vector], Vector),
    stable("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    stable("histogram_quantile", &[Scalar, Vector], Vector),
    stable("histogram_quantiles", &[Vector, String, Scalar, Scalar], Vector).variadic(9).experimental(),
    stable("histogram_stddev", &[Vector], Vector),
    stable("histogram_stdvar", &[Vector], Vector),
    stable("histogram_sum", &[Vector], Vector),
    stable("hour", &[Vector], Vector).variadic(1),
    stable("idelta", &[Matrix], Vector),
    stable("increase", &[Matrix], Vector),
    stable("info", &[Vector, Vector], Vector).variadic(1).experimental(),
    stable("irate", &[Matrix], Vector),
    stable("label_join", &[Vector, String, String, String], Vector).variadic(-1),
    stable("label_replace", &[Vector, String, String, String, String], Vector),
    stable("last_over_time", &[Matrix], Vector),
    stable("ln", &[Vector], Vector),
    stable("log10", &[Vector], Vector),
    stable("log2", &[Vector], Vector),
    stable("mad_over_time", &[Matrix], Vector).experimental(),
    stable("max_of", &[Scalar, Scalar], Scalar).experimental(),
    stable("max_over_time", &[Matrix], Vector),
    stable("min_of", &[Scalar, Scalar], Scalar).experimental(),
    stable("min_over_time", &[Matrix], Vector),
    stable("minute", &[Vector], Vector).variadic(1),
    stable("month", &[Vector], Vector).variadic(1),
    stable("pi", &[], Scalar),
    stable("predict_linear", &[Matrix, Scalar], Vector),
    stable("present_over_time", &[Matrix], Vector),
    stable("quantile_over_time", &[Scalar, Matrix], Vector),
    stable("rad", &[Vector], Vector),
    stable("range", &[], Scalar).experimental(),
    stable("rate", &[Matrix], Vector),
    stable("resets", &[Matrix], Vector),
    stable("round", &[Vector, Scalar], Vector).variadic(1),
    stable("scalar", &[Vector], Scalar),
    stable("sgn", &[Vector], Vector),
    stable("sin", &[Vector], Vector),
    stable("sinh", &[Vector], Vector),
    stable("sort", &[Vector], Vector),
    stable("sort_by_label", &[Vector, String], Vector).variadic(-1).experimental(),
    stable("sort_by_label_desc", &[Vector, String], Vector).variadic(-1).experimental(),
    stable("sort_desc", &[Vector], Vector),
    stable("sqrt", &[Vector], Vector),
    stable("start", &[], Scalar).experimental(),
    stable("start_timestamp", &[Vector], Vector).experimental(),
    stable("stddev_over_time", &[Matrix], Vector),
    stable("stdvar_over_time", &[Matrix], Vector),
    stable("step", &[], Scalar).experimental(),
    stable("sum_over_time", &[Matrix], Vector),
    stable("tan", &[Vector], Vector),
    stable("tanh", &[Vector], Vector),
    stable("time", &[], Scalar),
    stable("timestamp", &[Vector], Vector),
    stable("ts_of_first_over_time", &[Matrix], Vector).experimental(),
    stable("ts_of_last_over_time", &[Matrix], Vector).experimental(),
    stable("ts_of_max_over_time", &[Matrix], Vector).experimental(),
    stable("ts_of_min_over_time", &[Matrix], Vector).experimental(),
    stable("vector", &[Scalar], Vector),
    stable("year", &[Vector], Vector).variadic(1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
        assert!(lookup("rate").is_some_and(|f| f.arg_types == [Matrix]));
        assert!(lookup("Rate").is_none());
    }
}
