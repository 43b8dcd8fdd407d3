//! `/services`: every service with its RED numbers, version and last change; `/services/{name}`: all that is known of one.

use super::changes;
use super::failure::Failure;
use super::params::{self, Range};
use super::red::{Asker, Red, SERVICES};
use crate::State;
use crate::body;
use crate::call::Call;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use model::scan::{Budget, Completeness};
use model::{Change, Labels};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use topology::ServiceInfo;

/// A service's identity: namespace and name.
type Key = (String, String);

/// What the stores know of services over a range.
struct Known {
    red: BTreeMap<Key, Red>,
    changes: Vec<Change>,
    completeness: Completeness,
}

async fn known(state: &State, call: &Call<Failure>, range: Range) -> Result<Known, Failure> {
    let (source, tenant, log) = (state.metrics.clone(), call.tenant.clone(), state.changes.clone());
    let work = move |budget: &Budget| {
        let completeness = Completeness::default();
        let mut asker = Asker { source: &*source, tenant: &tenant, budget, range, completeness };
        let red = asker.red(&SERVICES, true)?;
        let changes = log.changes(&tenant, range.start_ns..range.end_ns)?;
        let red = red.into_iter().map(|(labels, red)| (key(&labels), red)).collect();
        Ok::<_, Failure>(Known { red, changes, completeness: asker.completeness })
    };
    state.gate.run("services", None, work).await?
}

fn key(labels: &Labels) -> Key {
    let text = |name: &str| labels.get(name).unwrap_or_default().to_owned();
    (text("service_namespace"), text("service"))
}

/// RED numbers as JSON; `null` throughout when there is none.
pub(crate) fn red_json(red: Option<&Red>) -> Value {
    let ms = |at: usize| red.and_then(|red| red.quantiles_s.get(at).copied().flatten()).map(|s| s * 1_000.0);
    json!({
        "rate": red.map(|red| red.rate),
        "errorRatio": red.map(|red| red.error_ratio),
        "p50Ms": ms(0),
        "p95Ms": ms(1),
        "p99Ms": ms(2),
    })
}

fn row(key: &Key, info: Option<&ServiceInfo>, known: &Known) -> Value {
    let red = known.red.get(key);
    let mut row = red_json(red);
    row["namespace"] = json!(key.0);
    row["name"] = json!(key.1);
    row["workload"] = json!(info.map_or("", |info| &info.workload));
    row["version"] = json!(info.and_then(|info| info.versions.last()).map(|version| &version.version));
    row["pods"] = json!(info.map_or(0, |info| info.pods.len()));
    row["lastSeenMs"] = json!(info.map(|info| info.last_ns / 1_000_000));
    let last = known.changes.iter().rev().find(|change| changes::touches(change, &key.0, &key.1));
    row["lastChange"] = last.map_or(Value::Null, changes::view);
    row["sparkline"] = json!(red.map_or(&[][..], |red| &red.sparkline));
    row
}

/// `/services`: those that spans or metrics know, by namespace and name.
pub(crate) async fn list(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let range = params::range(&call.params, state.clock.now_ns())?;
    let known = known(&state, &call, range).await?;
    let infos: BTreeMap<Key, ServiceInfo> = state
        .topology
        .services(&call.tenant)
        .into_iter()
        .map(|info| ((info.entity.namespace.clone(), info.entity.name.clone()), info))
        .collect();
    let mut keys: Vec<&Key> = infos.keys().chain(known.red.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let wanted = call.params.some("namespace");
    keys.retain(|key| wanted.is_none_or(|namespace| namespace == key.0));
    let rows: Vec<Value> = keys.into_iter().map(|key| row(key, infos.get(key), &known)).collect();
    let (start_ms, end_ms) = range.ms();
    let answer = json!({
        "startMs": start_ms, "endMs": end_ms, "services": rows,
        "complete": known.completeness.is_complete(), "missing": known.completeness.missing,
    });
    Ok(body::json(StatusCode::OK, &answer))
}

/// `/services/{name}`: versions, pods, nodes, RED numbers and changes of one service (of `namespace`, when given).
pub(crate) async fn one(
    Extract(state): Extract<State>,
    Path(name): Path<String>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let range = params::range(&call.params, state.clock.now_ns())?;
    let known = known(&state, &call, range).await?;
    let namespace = call.params.some("namespace");
    let fits = |ns: &str, n: &str| n == name && namespace.is_none_or(|namespace| namespace == ns);
    let info = state
        .topology
        .services(&call.tenant)
        .into_iter()
        .find(|info| fits(&info.entity.namespace, &info.entity.name));
    let found = match &info {
        Some(info) => Some((info.entity.namespace.clone(), name.clone())),
        None => known.red.keys().find(|(ns, n)| fits(ns, n)).cloned(),
    };
    let key = found.ok_or_else(|| Failure::not_found(format!("no service {name:?} has sent spans")))?;
    let mut answer = row(&key, info.as_ref(), &known);
    let seen = |all: &BTreeMap<String, i64>| -> Vec<Value> {
        all.iter().map(|(name, ns)| json!({"name": name, "lastSeenMs": ns / 1_000_000})).collect()
    };
    if let Some(info) = &info {
        let version = |v: &topology::VersionInfo| json!({"version": v.version, "firstSeenMs": v.first_ns / 1_000_000, "lastSeenMs": v.last_ns / 1_000_000});
        answer["versions"] = info.versions.iter().map(version).collect();
        answer["pods"] = json!(seen(&info.pods));
        answer["nodes"] = json!(seen(&info.nodes));
    }
    let of_service = known.changes.iter().filter(|change| changes::touches(change, &key.0, &key.1));
    answer["changes"] = of_service.map(changes::view).collect();
    answer["complete"] = json!(known.completeness.is_complete());
    answer["missing"] = json!(known.completeness.missing);
    Ok(body::json(StatusCode::OK, &answer))
}
