//! What a query tells storage beforehand: conditions that every trace with an answer satisfies somewhere. A hint too few
//! costs time; a hint too many would lose traces, so only plain conditions joined by "and" become hints.

use language::traceql::{
    BinaryOp, FieldExpr, FieldName, Intrinsic, Pipeline, Sides, SpansetExpr, SpansetOp, Stage, Static,
};
use model::StatusCode;
use model::scan::{AttrScope, SpanHint};

/// Hints of a pipeline.
pub(super) fn hints(pipeline: &Pipeline) -> Vec<SpanHint> {
    let mut hints = Vec::new();
    of_pipeline(pipeline, &mut hints);
    hints
}

/// Hint of a function that needs a field's value.
pub(super) fn existence(field: &FieldName) -> Option<SpanHint> {
    match field {
        FieldName::Attribute { scope, name, .. } => Some(SpanHint::AttrExists(*scope, name.clone())),
        FieldName::Intrinsic(_) => None,
    }
}

fn of_pipeline(pipeline: &Pipeline, hints: &mut Vec<SpanHint>) {
    for stage in &pipeline.stages {
        if let Stage::Spanset(expr) = stage {
            of_spanset(expr, hints);
        }
    }
}

fn of_spanset(expr: &SpansetExpr, hints: &mut Vec<SpanHint>) {
    match expr {
        SpansetExpr::Filter(Some(condition)) => of_condition(condition, hints),
        SpansetExpr::Pipeline(pipeline) => of_pipeline(pipeline, hints),
        SpansetExpr::Filter(None) | SpansetExpr::Binary { op: SpansetOp::Or, .. } => {}
        SpansetExpr::Binary { op, lhs, rhs } => {
            if !matches!(op, SpansetOp::Structural(_, Sides::NotRight)) {
                of_spanset(lhs, hints);
            }
            of_spanset(rhs, hints);
        }
    }
}

pub(super) fn of_condition(expr: &FieldExpr, hints: &mut Vec<SpanHint>) {
    match expr {
        FieldExpr::Binary { op: BinaryOp::And, lhs, rhs, .. } => {
            of_condition(lhs, hints);
            of_condition(rhs, hints);
        }
        FieldExpr::Binary { op, .. }
            if !op.is_comparison() && !matches!(op, BinaryOp::Regex | BinaryOp::NotRegex) => {}
        FieldExpr::Binary { op, lhs, rhs, .. } => match (&**lhs, &**rhs) {
            (FieldExpr::Field(field), FieldExpr::Static(value)) => {
                hints.extend(of_term(*op, &field.name, value));
            }
            (FieldExpr::Static(value), FieldExpr::Field(field)) if *op == BinaryOp::Equal => {
                hints.extend(of_term(*op, &field.name, value));
            }
            _ => {}
        },
        FieldExpr::Field(field) => hints.extend(existence(&field.name)),
        FieldExpr::Static(_) | FieldExpr::Unary { .. } => {}
    }
}

/// Hint of `field op value`.
fn of_term(op: BinaryOp, field: &FieldName, value: &Static) -> Option<SpanHint> {
    match (field, op, value) {
        (FieldName::Intrinsic(Intrinsic::Name | Intrinsic::RootName), BinaryOp::Equal, Static::Str(name)) => {
            (name != super::answer::ROOT_NOT_RECEIVED).then(|| SpanHint::Name(name.clone()))
        }
        (FieldName::Intrinsic(Intrinsic::RootServiceName), BinaryOp::Equal, Static::Str(service)) => {
            let known = !service.is_empty() && service != super::answer::ROOT_NOT_RECEIVED;
            known.then(|| SpanHint::Service(service.clone()))
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
            Some(AttrScope::Resource) if name == "service.name" => Some(SpanHint::Service(text.clone())),
            // Not `AttrEquals`: an array that holds the text satisfies the condition, but not that hint.
            _ => existence(field),
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
        assert_eq!(hints(&pipeline), expected, "{query}");
    }

    #[test]
    fn only_what_every_answer_needs_is_hinted() {
        let exists = |scope, key: &str| SpanHint::AttrExists(scope, key.to_owned());
        let service = SpanHint::Service("a".to_owned());
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
    }
}
