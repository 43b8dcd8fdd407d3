//! Names and values of attributes: what completes a query while it is typed.

use super::answer::{AttrValue, TagScope, TagValue, TagValuesAnswer, TagsAnswer, TagsParams, TraceQlError};
use super::field::each_value;
use super::plan::{Plan, together};
use super::prune;
use super::search::each_trace;
use super::trace::Trace;
use super::value::{Val, elements};
use language::traceql::{
    Body, ErrorKind, FieldName, INTRINSICS, Intrinsic, ParseError, Pipeline, check, parse_field,
};
use model::scan::{AttrScope, Budget, SpanSelect, SpanSource};
use model::span::SpanRef;
use model::tenant::Tenant;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

type Names = BTreeMap<TagScope, BTreeSet<String>>;

/// See [`super::tags`].
pub(super) fn tags(
    source: &dyn SpanSource,
    tenant: &Tenant,
    params: &TagsParams,
    budget: &Budget,
) -> Result<TagsAnswer, TraceQlError> {
    let mut names = Names::new();
    let mut answer = TagsAnswer::default();
    if params.scope != Some(TagScope::Intrinsic) {
        let wanted = |scope: &TagScope| params.scope.is_none_or(|wanted| wanted == *scope);
        if let Some(pipeline) = restriction(&params.query)? {
            let mut selected = Selected::new(source, tenant, params, &pipeline)?;
            answer.completeness = selected.each(budget, &mut |trace, at| {
                trace.span(at).iter().for_each(|span| span_names(span, &mut names));
                ControlFlow::Continue(())
            })?;
        } else {
            let select =
                SpanSelect { start_ns: params.start_ns, end_ns: params.end_ns, ..SpanSelect::default() };
            for (scope, name) in source.attribute_names(tenant, &select, budget)? {
                names.entry(tag_scope(scope)).or_default().insert(name);
            }
        }
        names.retain(|scope, _| wanted(scope));
    }
    if params.scope.is_none_or(|scope| scope == TagScope::Intrinsic) {
        let spellings = INTRINSICS.iter().filter(|(_, intrinsic, _)| *intrinsic != Intrinsic::Parent);
        names.insert(TagScope::Intrinsic, spellings.map(|(spelling, ..)| (*spelling).to_owned()).collect());
    }
    let limit = if params.limit == 0 { usize::MAX } else { params.limit };
    let scopes = names.into_iter().map(|(scope, names)| (scope, names.into_iter().take(limit).collect()));
    answer.scopes = scopes.collect();
    Ok(answer)
}

/// See [`super::tag_values`].
pub(super) fn tag_values(
    source: &dyn SpanSource,
    tenant: &Tenant,
    tag: &str,
    params: &TagsParams,
    budget: &Budget,
) -> Result<TagValuesAnswer, TraceQlError> {
    let bare = |_| FieldName::Attribute { parent: false, scope: None, name: tag.to_owned() };
    let field = parse_field(tag).unwrap_or_else(bare);
    let everything = Pipeline { stages: Vec::new() };
    let pipeline = restriction(&params.query)?.unwrap_or(everything);
    let mut selected = Selected::new(source, tenant, params, &pipeline)?;
    selected.hint(&field);
    let limit = if params.limit == 0 { usize::MAX } else { params.limit };
    let mut values = BTreeSet::new();
    let completeness = selected.each(budget, &mut |trace, at| {
        each_value(&field, trace, at, &mut |value| {
            match &value {
                Val::Json(array) => values.extend(elements(array).iter().flatten().filter_map(tag_value)),
                other => values.extend(tag_value(other)),
            }
            if values.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    })?;
    Ok(TagValuesAnswer { values: values.into_iter().take(limit).collect(), completeness })
}

/// The span filter of a request; `None` when it restricts nothing.
fn restriction(query: &str) -> Result<Option<Pipeline>, TraceQlError> {
    if query.trim().is_empty() {
        return Ok(None);
    }
    match check(query)?.body {
        Body::Search(pipeline) => Ok(Some(pipeline)),
        Body::Metrics(_) => {
            let message = "a tag's query selects spans: leave the metrics function out".to_owned();
            Err(ParseError { kind: ErrorKind::Invalid, message, offset: 0 }.into())
        }
    }
}

/// The spans of a request: those that its query selects and that start in its range.
struct Selected<'a> {
    source: &'a dyn SpanSource,
    tenant: &'a Tenant,
    select: SpanSelect,
    plan: Plan,
}

impl<'a> Selected<'a> {
    fn new(
        source: &'a dyn SpanSource,
        tenant: &'a Tenant,
        params: &TagsParams,
        pipeline: &Pipeline,
    ) -> Result<Self, TraceQlError> {
        let select = prune::select(pipeline, params.start_ns, params.end_ns);
        Ok(Self { source, tenant, select, plan: Plan::new(pipeline)? })
    }

    fn hint(&mut self, field: &FieldName) {
        self.select.hints.extend(prune::existence(field));
    }

    fn each(
        &mut self,
        budget: &Budget,
        visit: &mut dyn FnMut(&Trace, u32) -> ControlFlow<()>,
    ) -> Result<model::Completeness, TraceQlError> {
        let range: Range<i64> = self.select.start_ns..self.select.end_ns;
        each_trace(self.source, self.tenant, &self.select, budget, &mut |trace| {
            let spans = together(self.plan.run(trace)).into_iter();
            let in_range = |at: &u32| trace.span(*at).is_some_and(|span| range.contains(&span.row.start_ns));
            spans.filter(in_range).try_for_each(|at| visit(trace, at))
        })
    }
}

fn tag_scope(scope: AttrScope) -> TagScope {
    match scope {
        AttrScope::Resource => TagScope::Resource,
        AttrScope::Span => TagScope::Span,
        AttrScope::Event => TagScope::Event,
        AttrScope::Link => TagScope::Link,
        AttrScope::Instrumentation => TagScope::Instrumentation,
    }
}

fn span_names(span: &SpanRef, names: &mut Names) {
    let batch = span.batch();
    let mut add = |scope: TagScope, range: &Range<u32>| {
        for (key, _) in batch.attrs(range) {
            let known = names.entry(scope).or_default();
            if !known.contains(key) {
                known.insert(key.to_owned());
            }
        }
    };
    add(TagScope::Span, &span.row.attrs);
    batch
        .resources
        .get(span.row.resource as usize)
        .iter()
        .for_each(|found| add(TagScope::Resource, &found.attrs));
    span.scope().iter().for_each(|scope| add(TagScope::Instrumentation, &scope.attrs));
    span.events().iter().for_each(|event| add(TagScope::Event, &event.attrs));
    span.links().iter().for_each(|link| add(TagScope::Link, &link.attrs));
}

/// A value with Tempo's name of its type; nil has none.
fn tag_value(value: &Val) -> Option<TagValue> {
    let kind = match value {
        Val::Nil => return None,
        Val::Int(_) => "int",
        Val::Float(_) => "float",
        Val::Duration(_) => "duration",
        Val::Bool(_) => "bool",
        Val::Status(_) | Val::Kind(_) => "keyword",
        Val::Str(_) | Val::Json(_) | Val::Bytes(_) => "string",
    };
    let value = match value.answer() {
        AttrValue::Str(text) => text,
        other => other.to_string(),
    };
    Some(TagValue { kind, value })
}
