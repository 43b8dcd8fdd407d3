//! The service graph: a client span and the server span it caused make one request over an edge.
//!
//! The two sides usually come in different batches, so each waits for the other for [`PAIRING_WINDOW_NS`]. A client
//! whose server never reports is an edge to a remote (a database, a queue, a third party) when its attributes name
//! one; a server span without a parent is a request from `user`. Metric and label names are those of Tempo's and
//! Grafana's service graph: `traces_service_graph_request_total{client, server, connection_type}` and its kin.

use crate::histogram::{Latency, LatencySeries, push};
use crate::resource::ResourceInfo;
use model::attr::ValueRef;
use model::labels::METRIC_NAME;
use model::{Labels, LabelsBuilder, MetricBatch, SpanId, SpanKind, SpanRef, StatusCode, TraceId};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// How long one side of a call waits for the other, in nanoseconds.
pub(crate) const PAIRING_WINDOW_NS: i64 = 10_000_000_000;

/// Most half-seen calls per tenant; the oldest are settled early above it.
pub(crate) const PENDING_MAX: usize = 100_000;

/// Most edges per tenant; calls over further edges are not counted.
pub(crate) const EDGES_MAX: usize = 10_000;

/// Attributes that name the other side of a client span, by preference, and the connection type they mean.
const PEERS: [(&str, &str); 7] = [
    ("peer.service", "virtual_node"),
    ("db.namespace", "database"),
    ("db.name", "database"),
    ("db.system.name", "database"),
    ("db.system", "database"),
    ("messaging.destination.name", "messaging_system"),
    ("server.address", "virtual_node"),
];

/// What one side of a call knows.
#[derive(Clone, Debug)]
struct Side {
    service: String,
    duration_ns: i64,
    end_ns: i64,
    failed: bool,
    span: SpanId,
    remote: Option<(String, &'static str)>,
    messaging: bool,
}

#[derive(Debug, Default)]
struct Pending {
    client: Option<Side>,
    server: Option<Side>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct EdgeKey {
    client: String,
    server: String,
    connection: &'static str,
}

#[derive(Debug)]
struct Edge {
    requests: u64,
    failed: u64,
    server_latency: Latency,
    client_latency: Latency,
    series: Series,
    collected: bool,
}

#[derive(Debug)]
struct Series {
    requests: Labels,
    failed: Labels,
    server: LatencySeries,
    client: LatencySeries,
}

/// All edges of one tenant.
#[derive(Debug, Default)]
pub(crate) struct ServiceGraph {
    pending: HashMap<(TraceId, SpanId), Pending>,
    order: VecDeque<(i64, (TraceId, SpanId))>,
    edges: BTreeMap<EdgeKey, Edge>,
    previous_ms: Option<i64>,
    unpaired: u64,
}

impl ServiceGraph {
    /// Takes note of a span; only calls (client, server, producer, consumer) matter.
    pub(crate) fn observe(&mut self, info: &ResourceInfo, span: &SpanRef<'_>, now_ns: i64) {
        let row = span.row;
        let sends = matches!(row.kind, SpanKind::Client | SpanKind::Producer);
        let handles = matches!(row.kind, SpanKind::Server | SpanKind::Consumer);
        if !sends && !handles {
            return;
        }
        let side = Side {
            service: info.service.clone(),
            duration_ns: row.duration_ns,
            end_ns: span.end_ns(),
            failed: row.status == StatusCode::Error,
            span: row.span_id,
            remote: if sends { remote(span) } else { None },
            messaging: matches!(row.kind, SpanKind::Producer | SpanKind::Consumer),
        };
        if handles && row.parent_id.is_none() && span.links().is_empty() {
            self.count(row.trace_id, None, Some(&side));
            return;
        }
        let (trace, call) = call_id(span, sends);
        let key = (trace, call);
        if !self.pending.contains_key(&key) {
            self.order.push_back((now_ns, key));
        }
        let pending = self.pending.entry(key).or_default();
        *(if sends { &mut pending.client } else { &mut pending.server }) = Some(side);
        if let Pending { client: Some(client), server: Some(server) } = pending {
            let (client, server) = (client.clone(), server.clone());
            self.pending.remove(&key);
            self.count(trace, Some(&client), Some(&server));
        }
        if self.pending.len() > PENDING_MAX {
            self.settle_oldest();
        }
    }

    /// Decides calls that waited too long; returns how many sides stayed without a meaning.
    pub(crate) fn settle(&mut self, now_ns: i64) -> u64 {
        while self.order.front().is_some_and(|(since, _)| now_ns - since >= PAIRING_WINDOW_NS) {
            self.settle_oldest();
        }
        std::mem::take(&mut self.unpaired)
    }

    fn settle_oldest(&mut self) {
        let Some((_, key)) = self.order.pop_front() else { return };
        match self.pending.remove(&key) {
            Some(Pending { client: Some(client), server: None }) if client.remote.is_some() => {
                self.count(key.0, Some(&client), None);
            }
            Some(_) => self.unpaired += 1,
            None => {}
        }
    }

    fn count(&mut self, trace: TraceId, client: Option<&Side>, server: Option<&Side>) {
        let key = match (client, server) {
            (Some(client), Some(server)) => EdgeKey {
                client: client.service.clone(),
                server: server.service.clone(),
                connection: if client.messaging || server.messaging { "messaging_system" } else { "" },
            },
            (Some(client), None) => {
                let Some((name, connection)) = client.remote.clone() else { return };
                EdgeKey { client: client.service.clone(), server: name, connection }
            }
            (None, Some(server)) => EdgeKey {
                client: "user".to_owned(),
                server: server.service.clone(),
                connection: "virtual_node",
            },
            (None, None) => return,
        };
        if self.edges.len() >= EDGES_MAX && !self.edges.contains_key(&key) {
            self.unpaired += 1;
            return;
        }
        let edge = self.edges.entry(key).or_insert_with_key(|key| Edge::new(Series::new(key)));
        edge.requests += 1;
        edge.failed +=
            u64::from(client.is_some_and(|side| side.failed) || server.is_some_and(|side| side.failed));
        let (from, to) = (client.or(server), server.or(client));
        if let (Some(from), Some(to)) = (from, to) {
            edge.client_latency.observe(from.duration_ns, trace, from.span, from.end_ns);
            edge.server_latency.observe(to.duration_ns, trace, to.span, to.end_ns);
        }
    }

    /// Appends every edge's samples.
    pub(crate) fn collect(&mut self, now_ms: i64, out: &mut MetricBatch) {
        let before = self.previous_ms.replace(now_ms).unwrap_or(now_ms - 1_000).min(now_ms - 1);
        for edge in self.edges.values_mut() {
            let first = (!std::mem::replace(&mut edge.collected, true)).then_some(before);
            push(out, &edge.series.requests, edge.requests, now_ms, first);
            push(out, &edge.series.failed, edge.failed, now_ms, first);
            edge.server_latency.collect(&edge.series.server, now_ms, first, out);
            edge.client_latency.collect(&edge.series.client, now_ms, first, out);
        }
    }
}

/// What names a call: the client span's id. A consumer that starts a trace of its own names it by its first link.
fn call_id(span: &SpanRef<'_>, sends: bool) -> (TraceId, SpanId) {
    let row = span.row;
    if sends {
        return (row.trace_id, row.span_id);
    }
    match span.links().first() {
        Some(link) if row.parent_id.is_none() => (link.trace_id, link.span_id),
        _ => (row.trace_id, row.parent_id),
    }
}

fn remote(span: &SpanRef<'_>) -> Option<(String, &'static str)> {
    PEERS.iter().find_map(|(key, connection)| match span.attr(key) {
        Some(ValueRef::Str(name)) if !name.is_empty() => Some((name.to_owned(), *connection)),
        _ => None,
    })
}

impl Series {
    fn new(key: &EdgeKey) -> Self {
        let mut labels = LabelsBuilder::default();
        labels.set("client", &key.client);
        labels.set("server", &key.server);
        labels.set("connection_type", key.connection);
        let named = |name: &str| {
            let mut labels = labels.clone();
            labels.set(METRIC_NAME, name);
            labels.build()
        };
        Self {
            requests: named("traces_service_graph_request_total"),
            failed: named("traces_service_graph_request_failed_total"),
            server: LatencySeries::new("traces_service_graph_request_server_seconds", &labels),
            client: LatencySeries::new("traces_service_graph_request_client_seconds", &labels),
        }
    }
}

impl Edge {
    fn new(series: Series) -> Self {
        Self {
            requests: 0,
            failed: 0,
            server_latency: Latency::default(),
            client_latency: Latency::default(),
            series,
            collected: false,
        }
    }
}
