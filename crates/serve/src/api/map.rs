//! `/map`: who calls whom, with the numbers of each edge; of one service and its neighbours when `service` names one.

use super::failure::Failure;
use super::params;
use super::red::{Asker, EDGES};
use super::services::red_json;
use crate::State;
use crate::body;
use crate::call::Call;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use model::scan::{Budget, Completeness};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Most edges of an answer, busiest first; the rest is counted in `edgesFolded`.
const EDGES_MAX: usize = 2_000;

/// `/map`
pub(crate) async fn map(Extract(state): Extract<State>, call: Call<Failure>) -> Result<Response, Failure> {
    let range = params::range(&call.params, state.clock.now_ns())?;
    let (source, tenant) = (state.metrics.clone(), call.tenant.clone());
    let work = move |budget: &Budget| {
        let completeness = Completeness::default();
        let mut asker = Asker { source: &*source, tenant: &tenant, budget, range, completeness };
        asker.red(&EDGES, false).map(|table| (table, asker.completeness))
    };
    let (table, completeness) = state.gate.run("map", None, work).await??;
    let focus = call.params.some("service");
    let mut edges: Vec<_> = table
        .iter()
        .map(|(labels, red)| {
            let text = |name: &str| labels.get(name).unwrap_or_default();
            (text("client"), text("server"), text("connection_type"), red)
        })
        .filter(|edge| focus.is_none_or(|service| edge.0 == service || edge.1 == service))
        .collect();
    edges.sort_by(|a, b| b.3.rate.total_cmp(&a.3.rate));
    let folded = edges.len().saturating_sub(EDGES_MAX);
    edges.truncate(EDGES_MAX);
    let mut nodes: BTreeMap<&str, &str> = BTreeMap::new();
    for (client, server, connection, _) in &edges {
        nodes.entry(client).or_insert("service");
        let kind = if connection.is_empty() { "service" } else { connection };
        nodes.entry(server).or_insert(kind);
    }
    let rows: Vec<Value> = edges
        .iter()
        .map(|(client, server, connection, red)| {
            let mut row = red_json(Some(red));
            row["client"] = json!(client);
            row["server"] = json!(server);
            row["connectionType"] = json!(connection);
            row
        })
        .collect();
    let nodes: Vec<Value> = nodes.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
    let (start_ms, end_ms) = range.ms();
    let answer = json!({
        "startMs": start_ms, "endMs": end_ms, "nodes": nodes, "edges": rows, "edgesFolded": folded,
        "complete": completeness.is_complete(), "missing": completeness.missing,
    });
    Ok(body::json(StatusCode::OK, &answer))
}
