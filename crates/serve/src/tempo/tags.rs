//! Tag names and values, in Tempo's two versions.

use super::encode::{cost, warn};
use super::failure::Failure;
use super::params;
use crate::State;
use crate::body;
use crate::call::{Call, Params};
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use query::traceql::{self, TagScope, TagValuesAnswer, TagsAnswer, TagsParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Most tags per scope, or values, of one answer.
pub(crate) const TAGS_MAX: usize = 100_000;

pub(crate) fn scope_name(scope: TagScope) -> &'static str {
    match scope {
        TagScope::Resource => "resource",
        TagScope::Span => "span",
        TagScope::Event => "event",
        TagScope::Link => "link",
        TagScope::Instrumentation => "instrumentation",
        TagScope::Intrinsic => "intrinsic",
    }
}

/// The scope that a request names, if any.
pub(crate) fn scope(name: &str) -> Result<Option<TagScope>, Failure> {
    let all = [
        TagScope::Resource,
        TagScope::Span,
        TagScope::Event,
        TagScope::Link,
        TagScope::Instrumentation,
        TagScope::Intrinsic,
    ];
    match name {
        "" | "none" => Ok(None),
        name => match all.into_iter().find(|scope| scope_name(*scope) == name) {
            Some(scope) => Ok(Some(scope)),
            None => Err(Failure::Parameter(format!(
                "invalid scope: {name}; use one of resource, span, event, link, instrumentation, intrinsic, none"
            ))),
        },
    }
}

fn tags_params(params: &Params) -> Result<TagsParams, Failure> {
    let (start_ns, end_ns) = params::range(params)?;
    let limit = params::count(params, "limit", TAGS_MAX, TAGS_MAX)?;
    Ok(TagsParams {
        start_ns,
        end_ns,
        scope: scope(params.get("scope"))?,
        query: params.get("q").to_owned(),
        limit,
    })
}

async fn names(state: &State, call: &Call<Failure>) -> Result<TagsAnswer, Failure> {
    let params = tags_params(&call.params)?;
    let (source, tenant) = (state.spans.clone(), call.tenant.clone());
    let work = move |budget: &model::scan::Budget| traceql::tags(&*source, &tenant, &params, budget);
    Ok(state.gate.run("traceql", None, work).await??)
}

/// Names of all scopes together; intrinsics only when the request names their scope.
pub(crate) fn plain_names<'a>(answer: &'a TagsAnswer, scope: &str) -> BTreeSet<&'a String> {
    let only_intrinsics = scope == scope_name(TagScope::Intrinsic);
    let shown = |of: TagScope| only_intrinsics || of != TagScope::Intrinsic;
    answer.scopes.iter().filter(|(of, _)| shown(*of)).flat_map(|(_, tags)| tags).collect()
}

/// `/api/search/tags`
pub(crate) async fn names_v1(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let answer = names(&state, &call).await?;
    let tags = plain_names(&answer, call.params.get("scope"));
    let value = json!({"tagNames": tags, "metrics": cost(0, 0, &answer.completeness)});
    Ok(warn(body::json(StatusCode::OK, &value), &answer.completeness))
}

/// `/api/v2/search/tags`
pub(crate) async fn names_v2(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let answer = names(&state, &call).await?;
    let scopes: Vec<Value> =
        answer.scopes.iter().map(|(scope, tags)| json!({"name": scope_name(*scope), "tags": tags})).collect();
    let value = json!({"scopes": scopes, "metrics": cost(0, 0, &answer.completeness)});
    Ok(warn(body::json(StatusCode::OK, &value), &answer.completeness))
}

async fn values(state: &State, call: &Call<Failure>, tag: String) -> Result<TagValuesAnswer, Failure> {
    let params = tags_params(&call.params)?;
    let (source, tenant) = (state.spans.clone(), call.tenant.clone());
    let work =
        move |budget: &model::scan::Budget| traceql::tag_values(&*source, &tenant, &tag, &params, budget);
    Ok(state.gate.run("traceql", None, work).await??)
}

/// `/api/search/tag/{tag}/values`
pub(crate) async fn values_v1(
    Extract(state): Extract<State>,
    Path(tag): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let answer = values(&state, &call, tag).await?;
    let values: Vec<&String> = answer.values.iter().map(|value| &value.value).collect();
    let value = json!({"tagValues": values, "metrics": cost(0, 0, &answer.completeness)});
    Ok(warn(body::json(StatusCode::OK, &value), &answer.completeness))
}

/// `/api/v2/search/tag/{tag}/values`
pub(crate) async fn values_v2(
    Extract(state): Extract<State>,
    Path(tag): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let answer = values(&state, &call, tag).await?;
    let values: Vec<Value> =
        answer.values.iter().map(|value| json!({"type": value.kind, "value": value.value})).collect();
    let value = json!({"tagValues": values, "metrics": cost(0, 0, &answer.completeness)});
    Ok(warn(body::json(StatusCode::OK, &value), &answer.completeness))
}
