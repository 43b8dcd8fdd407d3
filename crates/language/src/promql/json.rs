//! The tree as the JSON of `/api/v1/parse_query`.

use super::ast::{At, Binary, Duration, DurationExpr, Expr, Extension, Number, VectorSelector};
use super::format_number;
use serde_json::{Value, json};

/// The JSON of `expr`.
#[must_use]
pub fn to_json(expr: &Expr) -> Value {
    match expr {
        Expr::Number(number) => {
            json!({"type": "numberLiteral", "val": format_number(number.value)})
        }
        Expr::String(text) => json!({"type": "stringLiteral", "val": text.value}),
        Expr::Paren(paren) => json!({"type": "parenExpr", "expr": to_json(&paren.expr)}),
        Expr::Unary(unary) => json!({
            "type": "unaryExpr",
            "op": if unary.negative { "-" } else { "+" },
            "expr": to_json(&unary.expr),
        }),
        Expr::Binary(binary) => chain_json(binary),
        Expr::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.op.as_str(),
            "expr": to_json(&aggregate.expr),
            "param": aggregate.param.as_ref().map(to_json),
            "grouping": aggregate.grouping,
            "without": aggregate.without,
        }),
        Expr::Call(call) => {
            let types: Vec<_> = call.function.arg_types.iter().map(|arg| arg.as_str()).collect();
            json!({
                "type": "call",
                "func": {
                    "name": call.function.name,
                    "argTypes": types,
                    "variadic": call.function.variadic,
                    "returnType": call.function.return_type.as_str(),
                },
                "args": call.args.iter().map(to_json).collect::<Vec<_>>(),
            })
        }
        Expr::Vector(selector) => selector_json("vectorSelector", selector, None),
        Expr::Matrix(matrix) => selector_json("matrixSelector", &matrix.selector, Some(&matrix.range)),
        Expr::Subquery(subquery) => {
            let (offset, offset_expr) = duration_json(subquery.offset.as_ref());
            let (range, range_expr) = duration_json(Some(&subquery.range));
            let (step, step_expr) = duration_json(subquery.step.as_ref());
            let (timestamp, start_or_end) = at_json(subquery.at);
            json!({
                "type": "subquery",
                "expr": to_json(&subquery.expr),
                "range": range,
                "rangeExpr": range_expr,
                "offset": offset,
                "offsetExpr": offset_expr,
                "step": step,
                "stepExpr": step_expr,
                "timestamp": timestamp,
                "startOrEnd": start_or_end,
            })
        }
    }
}

/// A chain of operators leans to the left and is as deep as it is long, so it is printed from its first operand outwards.
fn chain_json(outermost: &Binary) -> Value {
    let mut chain = vec![outermost];
    let mut first = &outermost.lhs;
    while let Expr::Binary(inner) = first {
        chain.push(inner);
        first = &inner.lhs;
    }
    chain.into_iter().rev().fold(to_json(first), |lhs, binary| binary_json(binary, lhs))
}

fn binary_json(binary: &Binary, lhs: Value) -> Value {
    let matching = binary.matching.as_ref().map(|matching| {
        json!({
            "card": matching.cardinality.as_str(),
            "labels": matching.labels,
            "on": matching.on,
            "include": matching.include,
            "fillValues": {"lhs": fill_json(matching.fill_left), "rhs": fill_json(matching.fill_right)},
        })
    });
    let mut node = json!({
        "type": "binaryExpr",
        "op": binary.op.as_str(),
        "rhs": to_json(&binary.rhs),
        "matching": matching,
        "bool": binary.return_bool,
    });
    // Moved in: the macro would copy it.
    node["lhs"] = lhs;
    node
}

/// A whole number is written without a fraction.
fn fill_json(value: Option<f64>) -> Value {
    let Some(value) = value else { return Value::Null };
    #[expect(clippy::cast_possible_truncation, reason = "checked to be integral and exactly representable")]
    let whole = (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i64);
    whole.map_or_else(|| json!(value), |whole| json!(whole))
}

fn selector_json(kind: &str, selector: &VectorSelector, range: Option<&Duration>) -> Value {
    let (offset, offset_expr) = duration_json(selector.offset.as_ref());
    let (timestamp, start_or_end) = at_json(selector.at);
    let matchers: Vec<Value> = selector
        .matchers
        .iter()
        .map(|matcher| json!({"name": matcher.name, "value": matcher.value, "type": matcher.op.as_str()}))
        .collect();
    let mut object = json!({
        "type": kind,
        "name": selector.name,
        "offset": offset,
        "offsetExpr": offset_expr,
        "matchers": matchers,
        "timestamp": timestamp,
        "startOrEnd": start_or_end,
        "anchored": selector.extension == Some(Extension::Anchored),
        "smoothed": selector.extension == Some(Extension::Smoothed),
    });
    if let (Some(range), Value::Object(fields)) = (range, &mut object) {
        let (range, range_expr) = duration_json(Some(range));
        fields.insert("range".to_owned(), range.into());
        fields.insert("rangeExpr".to_owned(), range_expr);
    }
    object
}

fn at_json(at: Option<At>) -> (Option<i64>, Option<&'static str>) {
    match at {
        Some(At::Ms(ms)) => (Some(ms), None),
        Some(At::Start) => (None, Some("start")),
        Some(At::End) => (None, Some("end")),
        None => (None, None),
    }
}

fn duration_json(duration: Option<&Duration>) -> (i64, Value) {
    match duration {
        None => (0, Value::Null),
        Some(Duration::Fixed(ms)) => (*ms, Value::Null),
        Some(Duration::Computed(expr)) => (0, duration_expr_json(expr, false)),
    }
}

fn number_json(number: &Number) -> Value {
    json!({"type": "numberLiteral", "val": format_number(number.value), "duration": number.is_duration})
}

fn duration_expr_json(expr: &DurationExpr, wrapped: bool) -> Value {
    let node = |op: &str, lhs: Option<&DurationExpr>, rhs: Option<&DurationExpr>| {
        let side = |side: Option<&DurationExpr>| side.map(|side| duration_expr_json(side, false));
        json!({"type": "durationExpr", "op": op, "lhs": side(lhs), "rhs": side(rhs), "wrapped": wrapped})
    };
    match expr {
        DurationExpr::Number(number) if wrapped => json!({
            "type": "durationExpr", "op": "+", "lhs": null, "rhs": number_json(number), "wrapped": true,
        }),
        DurationExpr::Number(number) => number_json(number),
        DurationExpr::Step(_) => node("step", None, None),
        DurationExpr::Range(_) => node("range", None, None),
        DurationExpr::Extreme { max, lhs, rhs, .. } => {
            node(if *max { "max_of" } else { "min_of" }, Some(lhs), Some(rhs))
        }
        DurationExpr::Negate { expr, .. } => node("-", None, Some(expr)),
        DurationExpr::Binary { op, lhs, rhs } => node(op.as_str(), Some(lhs), Some(rhs)),
        DurationExpr::Paren { expr, .. } => duration_expr_json(expr, true),
    }
}
