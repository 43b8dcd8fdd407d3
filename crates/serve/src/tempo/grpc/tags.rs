//! `SearchTags`, `SearchTagValues` and their second versions.

use super::{ask, metadata_metrics, seconds};
use crate::rpc::{Context, Messages, messages};
use crate::tempo::tags::{TAGS_MAX, plain_names, scope, scope_name};
use prost::Message;
use query::traceql::{self, TagValuesAnswer, TagsAnswer, TagsParams};
use tonic::Status;
use wire::tempo as message;

/// Which tags.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SearchTagsRequest {
    #[prost(string, tag = "1")]
    scope: String,
    #[prost(string, tag = "2")]
    query: String,
    #[prost(uint32, tag = "3")]
    start_s: u32,
    #[prost(uint32, tag = "4")]
    end_s: u32,
    #[prost(uint32, tag = "5")]
    tags_per_scope_max: u32,
}

/// Values of which tag.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SearchTagValuesRequest {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(string, tag = "2")]
    query: String,
    #[prost(uint32, tag = "4")]
    start_s: u32,
    #[prost(uint32, tag = "5")]
    end_s: u32,
    #[prost(uint32, tag = "6")]
    values_max: u32,
}

/// 0 is no wish.
fn limit(wish: u32) -> usize {
    usize::try_from(wish).ok().filter(|wish| *wish > 0).map_or(TAGS_MAX, |wish| wish.min(TAGS_MAX))
}

async fn names(context: Context, request: &SearchTagsRequest) -> Result<TagsAnswer, Status> {
    let (start_ns, end_ns) = seconds(request.start_s, request.end_s);
    let scope = scope(&request.scope).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let (query, limit) = (request.query.clone(), limit(request.tags_per_scope_max));
    let params = TagsParams { start_ns, end_ns, scope, query, limit };
    ask(context, move |source, tenant, budget| traceql::tags(source, tenant, &params, budget)).await
}

pub(super) async fn names_v1(
    context: Context,
    request: SearchTagsRequest,
) -> Result<Messages<message::SearchTagsResponse>, Status> {
    let answer = names(context, &request).await?;
    Ok(messages([message::SearchTagsResponse {
        tag_names: plain_names(&answer, &request.scope).into_iter().cloned().collect(),
        metrics: Some(metadata_metrics(&answer.completeness)),
    }]))
}

pub(super) async fn names_v2(
    context: Context,
    request: SearchTagsRequest,
) -> Result<Messages<message::SearchTagsV2Response>, Status> {
    let answer = names(context, &request).await?;
    let metrics = Some(metadata_metrics(&answer.completeness));
    let scopes = answer.scopes.into_iter();
    let scopes = scopes.map(|(scope, tags)| message::TagsScope { name: scope_name(scope).to_owned(), tags });
    Ok(messages([message::SearchTagsV2Response { scopes: scopes.collect(), metrics }]))
}

async fn values(context: Context, request: SearchTagValuesRequest) -> Result<TagValuesAnswer, Status> {
    let (start_ns, end_ns) = seconds(request.start_s, request.end_s);
    let limit = limit(request.values_max);
    let (tag, query) = (request.tag, request.query);
    let params = TagsParams { start_ns, end_ns, scope: None, query, limit };
    ask(context, move |source, tenant, budget| traceql::tag_values(source, tenant, &tag, &params, budget))
        .await
}

pub(super) async fn values_v1(
    context: Context,
    request: SearchTagValuesRequest,
) -> Result<Messages<message::SearchTagValuesResponse>, Status> {
    let answer = values(context, request).await?;
    Ok(messages([message::SearchTagValuesResponse {
        metrics: Some(metadata_metrics(&answer.completeness)),
        tag_values: answer.values.into_iter().map(|value| value.value).collect(),
    }]))
}

pub(super) async fn values_v2(
    context: Context,
    request: SearchTagValuesRequest,
) -> Result<Messages<message::SearchTagValuesV2Response>, Status> {
    let answer = values(context, request).await?;
    let metrics = Some(metadata_metrics(&answer.completeness));
    let typed = answer.values.into_iter();
    let typed = typed.map(|value| message::TagValue { r#type: value.kind.to_owned(), value: value.value });
    Ok(messages([message::SearchTagValuesV2Response { tag_values: typed.collect(), metrics }]))
}
