//! The engine calls that v1, v3 and gRPC share; each runs under the gate and answers nouns.

use super::failure::Cause;
use crate::State;
use model::scan::{Budget, Completeness};
use model::{SpanBatch, SpanKind, SpanSource, Tenant, TraceId};
use query::jaeger::{self, Dependency, FoundTraces, Operation, TraceQuery};
use query::traceql;
use std::ops::Range;

/// All time: names of services and operations do not age.
const ANY_TIME: Range<i64> = 0..i64::MAX;

/// Traces of an answer when a call names no limit.
pub(crate) const TRACES_DEFAULT: usize = 100;
/// Most traces of an answer; Jaeger's `search_depth` limit.
pub(crate) const TRACES_MAX: usize = 1_500;

async fn run<T: Send + 'static>(
    state: &State,
    tenant: &Tenant,
    work: impl FnOnce(&dyn SpanSource, &Tenant, &Budget) -> Result<T, Cause> + Send + 'static,
) -> Result<T, Cause> {
    let (source, tenant) = (state.spans.clone(), tenant.clone());
    state.gate.run("jaeger", None, move |budget| work(&*source, &tenant, budget)).await?
}

/// Names of services, sorted.
pub(crate) async fn services(state: &State, tenant: &Tenant) -> Result<Vec<String>, Cause> {
    run(state, tenant, |source, tenant, budget| Ok(jaeger::services(source, tenant, ANY_TIME, budget)?)).await
}

/// Operations of a service, of one kind when `kind` names one.
pub(crate) async fn operations(
    state: &State,
    tenant: &Tenant,
    service: &str,
    kind: &str,
) -> Result<Vec<Operation>, Cause> {
    let all =
        [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    let kind = match kind {
        "" => None,
        name => match all.into_iter().find(|kind| kind.as_str() == name.to_ascii_lowercase()) {
            Some(kind) => Some(kind),
            None => return Err(Cause::Parameter(format!("unsupported span kind: '{name}'"))),
        },
    };
    let service = service.to_owned();
    run(state, tenant, move |source, tenant, budget| {
        Ok(jaeger::operations(source, tenant, &service, kind, ANY_TIME, budget)?)
    })
    .await
}

/// A `limit` or `searchDepth` as Jaeger's storage accepts it; no more than [`TRACES_MAX`] are answered.
pub(crate) fn depth(limit: i64) -> Result<usize, Cause> {
    let depth = usize::try_from(limit).ok().filter(|depth| *depth > 0);
    let refused =
        || Cause::Parameter("search depth must be greater than 0 and less than max traces".to_owned());
    depth.map(|depth| depth.min(TRACES_MAX)).ok_or_else(refused)
}

/// Traces with a span that satisfies `query`.
pub(crate) async fn traces(state: &State, tenant: &Tenant, query: TraceQuery) -> Result<FoundTraces, Cause> {
    run(state, tenant, move |source, tenant, budget| Ok(jaeger::find_traces(source, tenant, &query, budget)?))
        .await
}

/// One trace; `range` (empty: any time) only prunes.
pub(crate) async fn trace(
    state: &State,
    tenant: &Tenant,
    id: TraceId,
    range: Range<i64>,
) -> Result<(SpanBatch, Completeness), Cause> {
    let answer = run(state, tenant, move |source, tenant, budget| {
        Ok(traceql::trace_by_id(source, tenant, id, range, budget)?)
    });
    let answer = answer.await?;
    Ok((answer.trace.ok_or(Cause::NotFound)?, answer.completeness))
}

/// Who called whom in `range`.
pub(crate) async fn dependencies(
    state: &State,
    tenant: &Tenant,
    range: Range<i64>,
) -> Result<Vec<Dependency>, Cause> {
    run(state, tenant, |source, tenant, budget| Ok(jaeger::dependencies(source, tenant, range, budget)?))
        .await
}

/// An id of a path or parameter.
pub(crate) fn trace_id(text: &str) -> Result<TraceId, Cause> {
    text.parse().map_err(|error| Cause::Parameter(format!("malformed trace ID {text:?}: {error}")))
}
