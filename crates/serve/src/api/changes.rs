//! `/changes`: what changed and when; a deploy pipeline posts here, people and screens read here.

use super::failure::Failure;
use super::params;
use crate::State;
use crate::body;
use crate::call::Call;
use crate::call::{TENANT_HEADER, tenant};
use axum::extract::{Request, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use model::change::ChangeKind;
use model::{Change, Entity, EntityKind};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Largest posted change, bytes.
const CHANGE_BYTES_MAX: usize = 64 << 10;
/// Longest summary, bytes.
const SUMMARY_BYTES_MAX: usize = 1_000;
/// Longest id, bytes.
const ID_BYTES_MAX: usize = 200;
/// Most entities or attributes of one change.
const PARTS_MAX: usize = 100;
/// Changes of an answer when a call names no limit, and most.
const ROWS_DEFAULT: usize = 1_000;
const ROWS_MAX: usize = 10_000;

/// What a client posts. `service` and `version` are short for the entities they name, and make a summary where none is
/// given.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Posted {
    id: Option<String>,
    time: Option<Value>,
    kind: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    entities: Vec<Entity>,
    source: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// A change as answers show it.
pub(crate) fn view(change: &Change) -> Value {
    json!({
        "id": change.id, "tsMs": change.ts_ns / 1_000_000, "tsNs": change.ts_ns.to_string(), "kind": change.kind,
        "entities": change.entities, "summary": change.summary, "source": change.source,
        "attributes": change.attributes,
    })
}

/// Whether `change` is about the service, one of its versions or one of its operations.
pub(crate) fn touches(change: &Change, namespace: &str, service: &str) -> bool {
    change.entities.iter().any(|entity| {
        let name = if entity.kind == EntityKind::Service { &entity.name } else { &entity.of };
        name == service
            && (entity.namespace == namespace || namespace.is_empty() || entity.namespace.is_empty())
    })
}

/// `GET /changes`: oldest first; of one service when `service` names one.
pub(crate) async fn list(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let range = params::range(&call.params, state.clock.now_ns())?;
    let limit = params::count(&call.params, "limit", ROWS_DEFAULT, ROWS_MAX)?;
    let (log, tenant) = (state.changes.clone(), call.tenant.clone());
    let work = move |_: &model::scan::Budget| log.changes(&tenant, range.start_ns..range.end_ns);
    let mut changes = state.gate.run("changes", None, work).await??;
    if let Some(service) = call.params.some("service") {
        let namespace = call.params.get("namespace");
        changes.retain(|change| touches(change, namespace, service));
    }
    if let Some(kind) = call.params.some("kind") {
        changes.retain(|change| json!(change.kind) == json!(kind));
    }
    let left_out = changes.len().saturating_sub(limit);
    let rows: Vec<Value> = changes.iter().skip(left_out).map(view).collect();
    let (start_ms, end_ms) = range.ms();
    let missing: Vec<String> = match left_out {
        0 => Vec::new(),
        count => vec![format!("{count} older changes: narrow the range or raise limit")],
    };
    let answer = json!({
        "startMs": start_ms, "endMs": end_ms, "changes": rows, "complete": missing.is_empty(), "missing": missing,
    });
    Ok(body::json(StatusCode::OK, &answer))
}

/// `POST /changes`: 201 and the change as stored. JSON only, which also keeps other sites' forms out.
pub(crate) async fn post(Extract(state): Extract<State>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let tenant = tenant(&parts.headers)?;
    if !is_json(&parts.headers) {
        let hint =
            format!("send the change as JSON: Content-Type: application/json (tenant: {TENANT_HEADER})");
        return Err(Failure { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, ..Failure::field("", hint) });
    }
    let bytes = Limited::new(body, CHANGE_BYTES_MAX).collect().await.map_err(|error| Failure {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        ..Failure::field("", format!("cannot read the change (at most {CHANGE_BYTES_MAX} bytes): {error}"))
    })?;
    let change = checked(posted(&bytes.to_bytes())?, state.clock.now_ns())?;
    state.changes.append(&tenant, change.clone()).await?;
    Ok(crate::body::json(StatusCode::CREATED, &view(&change)))
}

fn posted(body: &[u8]) -> Result<Posted, Failure> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Failure::field("", format!("the body is no change: it is no JSON at {place}"))
    })?;
    serde_json::from_value(value)
        .map_err(|error| Failure::field("", format!("the body is no change: {error}")))
}

/// The kind of that name.
fn kind(text: &str) -> Result<ChangeKind, Failure> {
    serde_json::from_value(json!(text)).map_err(|_| {
        let kinds = "deploy, config, scale, policy, fault or action";
        Failure::field("kind", format!("kind must be {kinds}, not {text:?}"))
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

fn bounded(field: &str, text: &str, most: usize) -> Result<(), Failure> {
    match text.len() {
        0 => Err(Failure::field(field, format!("{field} must not be empty"))),
        len if len > most => {
            Err(Failure::field(field, format!("{field} has {len} bytes, at most {most} fit")))
        }
        _ => Ok(()),
    }
}

/// The change to store, or which field is wrong.
fn checked(posted: Posted, now_ns: i64) -> Result<Change, Failure> {
    let kind = kind(&posted.kind)?;
    let summary = match &*posted.summary {
        "" => format!("{} {}", posted.service, posted.version).trim().to_owned(),
        given => given.to_owned(),
    };
    let ts_ns = match &posted.time {
        None => now_ns,
        Some(Value::String(text)) => params::time("time", text)?,
        Some(Value::Number(number)) => params::time("time", &number.to_string())?,
        Some(_) => return Err(Failure::field("time", "time must be a text or a number")),
    };
    let mut entities = Vec::new();
    if !posted.version.is_empty() {
        let (namespace, name, of) =
            (posted.namespace.clone(), posted.version.clone(), posted.service.clone());
        entities.push(Entity { kind: EntityKind::Version, namespace, name, of });
    }
    if !posted.service.is_empty() {
        entities.push(Entity::service(&posted.namespace, &posted.service));
    }
    entities.extend(posted.entities);
    if entities.is_empty() || (!posted.version.is_empty() && posted.service.is_empty()) {
        return Err(Failure::field("service", "name the service (or the entities) that changed"));
    }
    bounded("summary", &summary, SUMMARY_BYTES_MAX)?;
    if entities.len() > PARTS_MAX || posted.attributes.len() > PARTS_MAX {
        return Err(Failure::field("entities", format!("more than {PARTS_MAX} entities or attributes")));
    }
    let source = posted.source.unwrap_or_else(|| "api".to_owned());
    let id = match posted.id {
        Some(id) => id,
        None => derived_id(&summary, &entities, ts_ns),
    };
    bounded("id", &id, ID_BYTES_MAX)?;
    Ok(Change { id, ts_ns, kind, entities, summary, source, attributes: posted.attributes })
}

/// An id that a resend of the same change (with its time) gets again.
fn derived_id(summary: &str, entities: &[Entity], ts_ns: i64) -> String {
    let mut pairs = vec![("summary".to_owned(), summary.to_owned()), ("ts".to_owned(), ts_ns.to_string())];
    for (at, entity) in entities.iter().enumerate() {
        pairs.push((format!("entity{at}"), format!("{entity:?}")));
    }
    format!("{:032x}", model::Labels::from_pairs(pairs).hash128())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &Value, expected: Result<&[&str], &str>) {
        let result = serde_json::from_value(body.clone())
            .map_err(|error| Failure::field("body", error.to_string()))
            .and_then(|posted| checked(posted, 7));
        match (result, expected) {
            (Ok(change), Ok(names)) => {
                let found: Vec<&str> = change.entities.iter().map(|entity| entity.name.as_str()).collect();
                assert_eq!(found, names, "{body}");
            }
            (Err(failure), Err(field)) => assert_eq!(failure.field, field, "{body}: {}", failure.message),
            (result, expected) => panic!("{body}: {result:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_change_names_what_it_touched() {
        check(
            &json!({"kind": "deploy", "summary": "s", "service": "pay", "version": "2"}),
            Ok(&["2", "pay"]),
        );
        check(&json!({"kind": "deploy", "summary": "s", "version": "2"}), Err("service"));
        check(&json!({"kind": "deploy", "summary": "s"}), Err("service"));
        check(&json!({"kind": "deploy", "service": "pay"}), Ok(&["pay"]));
        let entity = json!({"kind": "service", "namespace": "", "name": "pay", "of": ""});
        check(&json!({"kind": "deploy", "entities": [entity]}), Err("summary"));
        check(&json!({"kind": "other", "summary": "s", "service": "pay"}), Err("kind"));
        check(&json!({"kind": "config", "summary": "s", "service": "pay", "typo": 1}), Err("body"));
        check(&json!({"kind": "config", "summary": "s", "service": "pay", "time": "soon"}), Err("time"));
        check(&json!({"kind": "config", "summary": "s", "service": "pay", "time": true}), Err("time"));
        check(&json!({"kind": "config", "summary": "s", "service": "pay", "id": ""}), Err("id"));
    }

    #[test]
    fn a_resend_has_the_same_id() {
        let posted = || {
            let body = json!({"kind": "deploy", "summary": "s", "service": "pay", "time": 5});
            checked(serde_json::from_value(body).expect("a change"), 7).expect("checked")
        };
        assert_eq!(posted(), posted());
        assert_eq!(posted().ts_ns, 5_000_000_000);
    }
}
