//! Functions of one sample at a time: mathematics, clamping, rounding, calendar, and numbers of a native histogram.

use super::super::eval::{Context, Result, merge_rows};
use super::super::histogram;
use super::super::value::{Cell, Grid, Row};
use super::{argument, calendar, missing_argument};
use language::promql::ast::Call;
use model::FloatHistogram;
use model::Labels;
use model::labels::METRIC_NAME;

/// A function of a float.
type FloatFunction = fn(f64) -> f64;

const FLOAT_FUNCTIONS: [(&str, FloatFunction); 23] = [
    ("abs", f64::abs),
    ("acos", f64::acos),
    ("acosh", f64::acosh),
    ("asin", f64::asin),
    ("asinh", f64::asinh),
    ("atan", f64::atan),
    ("atanh", f64::atanh),
    ("ceil", f64::ceil),
    ("cos", f64::cos),
    ("cosh", f64::cosh),
    ("deg", |x| x * 180.0 / std::f64::consts::PI),
    ("exp", f64::exp),
    ("floor", f64::floor),
    ("ln", f64::ln),
    ("log10", f64::log10),
    ("log2", f64::log2),
    ("rad", |x| x * std::f64::consts::PI / 180.0),
    ("sgn", |x| {
        if x < 0.0 {
            -1.0
        } else if x > 0.0 {
            1.0
        } else {
            x
        }
    }),
    ("sin", f64::sin),
    ("sinh", f64::sinh),
    ("sqrt", f64::sqrt),
    ("tan", f64::tan),
    ("tanh", f64::tanh),
];

/// A number of a day (since the epoch) and its seconds.
type DateFunction = fn(i128, i64) -> f64;

const DATE_FUNCTIONS: [(&str, DateFunction); 8] = [
    ("days_in_month", |day, _| calendar::days_in_month(day)),
    ("day_of_month", |day, _| calendar::date(day).day),
    ("day_of_week", |day, _| calendar::day_of_week(day)),
    ("day_of_year", |day, _| calendar::day_of_year(day)),
    ("hour", |_, seconds| f64::from(u32::try_from(seconds / 3600).unwrap_or_default())),
    ("minute", |_, seconds| f64::from(u32::try_from(seconds % 3600 / 60).unwrap_or_default())),
    ("month", |day, _| calendar::date(day).month),
    ("year", |day, _| calendar::date(day).year),
];

/// A number of a native histogram.
type HistogramFunction = fn(&FloatHistogram) -> f64;

const HISTOGRAM_FUNCTIONS: [(&str, HistogramFunction); 5] = [
    ("histogram_avg", |h| h.sum / h.count),
    ("histogram_count", |h| h.count),
    ("histogram_stddev", |h| histogram::variance(h).sqrt()),
    ("histogram_stdvar", histogram::variance),
    ("histogram_sum", |h| h.sum),
];

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(entry, _)| *entry == name).map(|(_, function)| *function)
}

pub(crate) fn eval(context: &Context<'_>, call: &Call, grid: Grid) -> Result<Vec<Row>> {
    let name = call.function.name;
    if let Some(function) = find(&HISTOGRAM_FUNCTIONS, name) {
        return histograms(context, call, grid, function);
    }
    if let Some(function) = find(&DATE_FUNCTIONS, name) {
        if call.args.is_empty() {
            #[expect(clippy::cast_precision_loss, reason = "PromQL's times are float seconds")]
            let at = |time: i64| Cell::Float(of_date(time.div_euclid(1000) as f64, function));
            return Ok(vec![Row::new(Labels::empty(), grid.times().map(at).collect())]);
        }
        return map_floats(context, call, grid, &|_, value| Some(of_date(value, function)));
    }
    let param = |at: usize| -> Result<Option<Vec<f64>>> {
        call.args.get(at).map(|arg| context.scalars(arg.unparen(), grid)).transpose()
    };
    let pick = |values: &Option<Vec<f64>>, at: usize, default: f64| {
        values.as_ref().map_or(default, |values| values.get(at).copied().unwrap_or(f64::NAN))
    };
    match name {
        "round" => {
            let nearest = param(1)?;
            map_floats(context, call, grid, &|at, value| {
                let inverse = 1.0 / pick(&nearest, at, 1.0);
                Some((value * inverse + 0.5).floor() / inverse)
            })
        }
        "clamp" | "clamp_min" | "clamp_max" => {
            let (low, high) = match name {
                "clamp" => (param(1)?, param(2)?),
                "clamp_min" => (param(1)?, None),
                _ => (None, param(1)?),
            };
            map_floats(context, call, grid, &|at, value| {
                let low = pick(&low, at, f64::NEG_INFINITY);
                let high = pick(&high, at, f64::INFINITY);
                let empty = high < low;
                (!empty).then(|| go_max(low, go_min(high, value)))
            })
        }
        _ => {
            let function = find(&FLOAT_FUNCTIONS, name).ok_or_else(|| missing_argument(call))?;
            map_floats(context, call, grid, &|_, value| Some(function(value)))
        }
    }
}

/// Go's `math.Max`: NaN wins over all numbers but +Inf.
pub(crate) fn go_max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// Go's `math.Min`: NaN wins over all numbers but -Inf.
pub(crate) fn go_min(a: f64, b: f64) -> f64 {
    -go_max(-a, -b)
}

/// A calendar number of `seconds` since the epoch, UTC.
fn of_date(seconds: f64, function: DateFunction) -> f64 {
    let seconds = calendar::whole_seconds(seconds);
    let of_day = i64::try_from(seconds.rem_euclid(86_400)).unwrap_or_default();
    function(seconds.div_euclid(86_400), of_day)
}

/// Applies a function to the float samples of the first argument; histograms are left out.
fn map_floats(
    context: &Context<'_>,
    call: &Call,
    grid: Grid,
    function: &dyn Fn(usize, f64) -> Option<f64>,
) -> Result<Vec<Row>> {
    let mut rows = context.rows(argument(call, 0)?, grid)?;
    for row in &mut rows {
        for (at, cell) in row.cells.iter_mut().enumerate() {
            *cell = cell.float().and_then(|value| function(at, value)).map_or(Cell::Empty, Cell::Float);
        }
        context.drop_name(row);
    }
    merge_rows(rows)
}

/// Applies a function to the native histograms of the argument; floats are left out.
fn histograms(
    context: &Context<'_>,
    call: &Call,
    grid: Grid,
    function: HistogramFunction,
) -> Result<Vec<Row>> {
    let mut rows = context.rows(argument(call, 0)?, grid)?;
    for row in &mut rows {
        for cell in &mut row.cells {
            *cell = match cell {
                Cell::Histogram(h) => Cell::Float(function(h)),
                _ => Cell::Empty,
            };
        }
        row.drop_name = true;
        if !context.options.delayed_name_removal {
            row.labels = row.labels.retain(|name| name != METRIC_NAME);
        }
    }
    merge_rows(rows)
}
