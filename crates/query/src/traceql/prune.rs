//! What a query tells storage beforehand: conditions that every trace with an answer satisfies somewhere. A hint too few
//! costs time; a hint too many would lose traces, so only plain conditions joined by "and" become hints.

use super::field::SERVICE_NAME;
use language::traceql::{
    BinaryOp, FieldExpr, FieldName, Intrinsic, Pipeline, Sides, SpansetExpr, SpansetOp, Stage, Static,
};
use model::scan::{AttrScope, SpanHint, SpanSelect};
use model::span::UNKNOWN_SERVICE;
use model::{StatusCode, TraceId};

/// What the traces of `start_ns..end_ns` with an answer have.
pub(super) fn select(pipeline: &Pipeline, start_ns: i64, end_ns: i64) -> SpanSelect {
    let mut select = SpanSelect { start_ns, end_ns, ..SpanSelect::default() };
    // Named traces of an empty range would be looked for at any time.
    if start_ns < end_ns {
        of_pipeline(pipeline, &mut select);
    }
    select
}

/// Hint of a function that needs a field's value.
pub(super) fn existence(field: &FieldName) -> Option<SpanHint> {
    match field {
        FieldName::Attribute { scope: None | Some(AttrScope::Resource), name, .. }
            if name == SERVICE_NAME =>
        {
            None
        }
        FieldName::Attribute { scope, name, .. } => Some(SpanHint::AttrExists(*scope, name.clone())),
        FieldName::Intrinsic(_) => None,
    }
}

fn of_pipeline(pipeline: &Pipeline, select: &mut SpanSelect) {
    for stage in &pipeline.stages {
        if let Stage::Spanset(expr) = stage {
            of_spanset(expr, select);
        }
    }
}

fn of_spanset(expr: &SpansetExpr, select: &mut SpanSelect) {
    match expr {
        SpansetExpr::Filter(Some(condition)) => of_condition(condition, select),
        SpansetExpr::Pipeline(pipeline) => of_pipeline(pipeline, select),
        SpansetExpr::Filter(None) | SpansetExpr::Binary { op: SpansetOp::Or, .. } => {}
        SpansetExpr::Binary { op, lhs, rhs } => {
            if !matches!(op, SpansetOp::Structural(_, Sides::NotRight)) {
                of_spanset(lhs, select);
            }
            of_spanset(rhs, select);
        }
    }
}

pub(super) fn of_condition(expr: &FieldExpr, select: &mut SpanSelect) {
    match expr {
        FieldExpr::Binary { op: BinaryOp::And, lhs, rhs, .. } => {
            of_condition(lhs, select);
            of_condition(rhs, select);
        }
        FieldExpr::Binary { op, .. }
            if !op.is_comparison() && !matches!(op, BinaryOp::Regex | BinaryOp::NotRegex) => {}
        FieldExpr::Binary { op, lhs, rhs, .. } => match (&**lhs, &**rhs) {
            (FieldExpr::Field(field), FieldExpr::Static(value)) => {
                of_comparison(*op, &field.name, value, select);
            }
            (FieldExpr::Static(value), FieldExpr::Field(field)) if *op == BinaryOp::Equal => {
                of_comparison(*op, &field.name, value, select);
            }
            _ => {}
        },
        FieldExpr::Field(field) => select.hints.extend(existence(&field.name)),
        FieldExpr::Static(_) | FieldExpr::Unary { .. } => {}
    }
}

fn of_comparison(op: BinaryOp, field: &FieldName, value: &Static, select: &mut SpanSelect) {
    match (field, op, value) {
        (FieldName::Intrinsic(Intrinsic::TraceId), BinaryOp::Equal, Static::Str(text)) => {
            // Another id beside the first is left to the condition, which no trace satisfies then.
            if select.trace_ids.is_empty() {
                select.trace_ids.extend(text.parse::<TraceId>());
            }
        }
        _ => select.hints.extend(of_term(op, field, value)),
    }
}

/// Hint of a span of `service`. Those of an unknown one have no attribute that storage could look for.
fn of_service(service: &str) -> Option<SpanHint> {
    (!service.is_empty() && service != UNKNOWN_SERVICE).then(|| SpanHint::Service(service.to_owned()))
}

/// Hint of `field op value`.
fn of_term(op: BinaryOp, field: &FieldName, value: &Static) -> Option<SpanHint> {
    match (field, op, value) {
        (FieldName::Intrinsic(Intrinsic::Name | Intrinsic::RootName), BinaryOp::Equal, Static::Str(name)) => {
            (name != super::answer::ROOT_NOT_RECEIVED).then(|| SpanHint::Name(name.clone()))
        }
        (FieldName::Intrinsic(Intrinsic::RootServiceName), BinaryOp::Equal, Static::Str(service)) => {
            (service != super::answer::ROOT_NOT_RECEIVED).then(|| of_service(service))?
        }
        (FieldName::Intrinsic(Intrinsic::Status), BinaryOp::Equal, Static::Status(StatusCode::Error)) => {
            Some(SpanHint::Error)
        }
        (
            FieldName::Intrinsic(Intrinsic::Duration),
            BinaryOp::Greater | BinaryOp::GreaterEqual | BinaryOp::Equal,
            Static::Duration(ns),
        ) => Some(SpanHint::DurationMin(*ns)),
        (FieldName::Attribute { scope, name, .. }, BinaryOp::Equal, Static::Str(text)) => match scope {
            Some(AttrScope::Resource) if name == SERVICE_NAME => of_service(text),
            None if name == SERVICE_NAME && text == UNKNOWN_SERVICE => None,
            _ => Some(SpanHint::AttrEquals(*scope, name.clone(), text.clone())),
        },
        (FieldName::Attribute { .. }, BinaryOp::Equal, Static::Nil) | (FieldName::Intrinsic(_), ..) => None,
        (FieldName::Attribute { .. }, ..) => existence(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use language::traceql::{Body, check};

    fn check_hints(query: &str, expected: &[SpanHint]) {
        let Ok(Body::Search(pipeline)) = check(query).map(|query| query.body) else { panic!("{query}") };
        assert_eq!(select(&pipeline, 0, 1).hints, expected, "{query}");
    }

    fn check_ids(query: &str, range: (i64, i64), expected: &[&str]) {
        let Ok(Body::Search(pipeline)) = check(query).map(|query| query.body) else { panic!("{query}") };
        let ids: Vec<String> =
            select(&pipeline, range.0, range.1).trace_ids.iter().map(ToString::to_string).collect();
        assert_eq!(ids, expected, "{query}");
    }

    #[test]
    fn a_named_trace_is_looked_up() {
        let [a, b] = ["0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319d"];
        check_ids(&format!("{{ trace:id = \"{a}\" }}"), (0, 1), &[a]);
        check_ids(&format!("{{ \"{a}\" = trace:id && .x = 1 }} >> {{ status = error }}"), (0, 1), &[a]);
        check_ids(&format!("{{ trace:id = \"{a}\" }} && {{ trace:id = \"{b}\" }}"), (0, 1), &[a]);
        check_ids(&format!("{{ trace:id = \"{a}\" || .x = 1 }}"), (0, 1), &[]);
        check_ids(&format!("{{ trace:id != \"{a}\" }}"), (0, 1), &[]);
        check_ids("{ trace:id = \"checkout\" }", (0, 1), &[]);
        check_ids(&format!("{{ trace:id = \"{a}\" }}"), (1, 1), &[]);
    }

    #[test]
    fn only_what_every_answer_needs_is_hinted() {
        let exists = |scope, key: &str| SpanHint::AttrExists(scope, key.to_owned());
        let service = SpanHint::Service("a".to_owned());
        let equals = |scope, key: &str, text: &str| SpanHint::AttrEquals(scope, key.into(), text.into());
        check_hints(
            "{ .a = \"x\" && \"y\" = span.b }",
            &[equals(None, "a", "x"), equals(Some(AttrScope::Span), "b", "y")],
        );
        check_hints("{ .a =~ \"x\" }", &[exists(None, "a")]);
        check_hints("{ .a || true }", &[]);
        check_hints("{ .a = nil }", &[]);
        check_hints("{ !(.a = 1) }", &[]);
        check_hints("{ .a != 1 && span.b }", &[exists(None, "a"), exists(Some(AttrScope::Span), "b")]);
        check_hints(
            "{ resource.service.name = \"a\" } >> { status = error }",
            &[service.clone(), SpanHint::Error],
        );
        check_hints("{ resource.service.name = \"a\" } !>> { status = error }", &[SpanHint::Error]);
        check_hints("{ resource.service.name = \"a\" } || { status = error }", &[]);
        check_hints(
            "{ duration >= 2ms } | count() > 1 | { rootServiceName = \"a\" }",
            &[SpanHint::DurationMin(2_000_000), service],
        );
        check_hints("{ duration < 2ms || .a = 1 }", &[]);
        check_hints("{ resource.service.name = \"unknown_service\" && .service.name =~ \"u.*\" }", &[]);
        check_hints("{ .service.name = \"unknown_service\" && rootServiceName = \"unknown_service\" }", &[]);
    }
}
