//! What is scraped: `targets`, `targets/metadata`, `scrape_pools`.

use super::envelope::{Notes, success};
use super::exemplars::object;
use super::failure::Failure;
use super::params;
use super::series::kind;
use crate::State;
use crate::call::Call;
use crate::ports::{ActiveTarget, DroppedTarget};
use crate::time::to_rfc3339;
use axum::extract::State as Extract;
use axum::response::Response;
use language::promql;
use model::Matcher;
use serde_json::{Value, json};

/// What Go prints for a time that was never set.
const NEVER: &str = "0001-01-01T00:00:00Z";

fn active(target: &ActiveTarget) -> Value {
    let scraped =
        if target.last_scrape_ns > 0 { to_rfc3339(target.last_scrape_ns) } else { NEVER.to_owned() };
    let duration = |ms: u64| promql::duration::format(i64::try_from(ms).unwrap_or(i64::MAX));
    json!({
        "discoveredLabels": object(&target.discovered),
        "labels": object(&target.labels),
        "scrapePool": target.pool,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": target.last_error,
        "lastScrape": scraped,
        "lastScrapeDuration": target.last_duration_s,
        "health": target.health.as_str(),
        "scrapeInterval": duration(target.interval_ms),
        "scrapeTimeout": duration(target.timeout_ms),
    })
}

/// `/api/v1/targets`
pub(crate) async fn targets(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let state_asked = call.params.get("state").to_ascii_lowercase();
    let asked_for = |kind: &str| ["", "any", kind].contains(&&*state_asked);
    let (show_active, show_dropped) = (asked_for("active"), asked_for("dropped"));
    let pool = call.params.some("scrapePool");
    let in_pool = |name: &str| pool.is_none_or(|pool| pool == name);
    let mut rows: Vec<Value> = Vec::new();
    if show_active {
        rows.extend(state.targets.active().iter().filter(|target| in_pool(&target.pool)).map(active));
    }
    let mut dropped: Vec<Value> = Vec::new();
    if show_dropped {
        let shown = |target: &DroppedTarget| json!({"discoveredLabels": object(&target.discovered), "scrapePool": target.pool});
        dropped.extend(state.targets.dropped().iter().filter(|target| in_pool(&target.pool)).map(shown));
    }
    let mut counts = show_dropped.then(|| state.targets.dropped_counts());
    if let Some(counts) = &mut counts {
        counts.retain(|pool, _| in_pool(pool));
    }
    let data = json!({"activeTargets": rows, "droppedTargets": dropped, "droppedTargetCounts": counts});
    Ok(success(&data, Notes::default()))
}

/// `/api/v1/targets/metadata`: families of the targets that `match_target` selects. Families are kept per tenant, not
/// per target, so every selected target shows the families that its tenant has.
pub(crate) async fn metadata(
    Extract(state): Extract<State>,
    call: Call<Failure>,
) -> Result<Response, Failure> {
    let limit = params::limit(&call.params, "limit")?;
    let matchers: Vec<Matcher> = match call.params.some("match_target") {
        None => Vec::new(),
        Some(text) => {
            promql::parse_selector(text).map_err(|error| Failure::parameter("match_target", error))?
        }
    };
    let metric = call.params.some("metric").map(str::to_owned);
    let (source, tenant) = (state.metrics.clone(), call.tenant.clone());
    let asked = metric.clone();
    let families =
        state.gate.run("metadata", None, move |_| source.metadata(&tenant, asked.as_deref())).await?;
    let mut rows: Vec<Value> = Vec::new();
    'targets: for target in state.targets.active() {
        let holds = |m: &Matcher| m.matches(target.labels.get(&m.name).unwrap_or_default());
        if !matchers.iter().all(holds) {
            continue;
        }
        for family in &families {
            if limit.is_some_and(|limit| rows.len() >= limit) {
                break 'targets;
            }
            let mut row = json!({
                "target": object(&target.labels), "type": kind(family.kind), "help": family.help,
                "unit": family.unit,
            });
            if metric.is_none() {
                row["metric"] = json!(family.family);
            }
            rows.push(row);
        }
    }
    Ok(success(&rows, Notes::default()))
}

/// `/api/v1/scrape_pools`
pub(crate) async fn pools(Extract(state): Extract<State>) -> Response {
    success(&json!({"scrapePools": state.targets.pools()}), Notes::default())
}
