//! `binnacle changes`: what changed; `changes add` reports a deploy from a pipeline.

use crate::output::{Align, Column, Show};
use crate::time::shown;
use crate::{Failure, Session};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// Arguments of `changes`.
#[derive(Args, Debug)]
pub struct ChangeArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only changes of this service.
    #[arg(long)]
    service: Option<String>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Report a change of a service.
    Add(AddArgs),
}

#[derive(Args, Debug)]
#[command(disable_version_flag = true)]
struct AddArgs {
    /// The service that changed.
    service: String,
    /// Its namespace.
    #[arg(short = 'n', long, default_value = "")]
    namespace: String,
    /// deploy, config, scale, policy, fault or action.
    #[arg(long, default_value = "deploy")]
    kind: String,
    /// The new version.
    #[arg(long)]
    version: Option<String>,
    /// One sentence; made from service and version when left out.
    #[arg(long)]
    summary: Option<String>,
    /// Makes a resend the same change; the server makes one when it is left out.
    #[arg(long)]
    id: Option<String>,
}

/// Lists changes, or adds one.
pub(crate) async fn changes(session: &Session, args: &ChangeArgs) -> Result<(), Failure> {
    if let Some(Action::Add(change)) = &args.action {
        return add(session, change).await;
    }
    let (start, end) = (session.range.start(), session.range.end());
    let mut params = vec![("start", start.as_str()), ("end", end.as_str())];
    if let Some(service) = &args.service {
        params.push(("service", service));
    }
    let answer = session.client.get("/api/binnacle/v1/changes", &params).await?;
    let found = answer["changes"].as_array().cloned().unwrap_or_default();
    let columns = [
        Column("time", Show::Always, Align::Left),
        Column("kind", Show::Always, Align::Left),
        Column("change", Show::Always, Align::Left),
        Column("source", Show::Always, Align::Left),
        Column("id", Show::Wide, Align::Left),
    ];
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|change| {
            let text = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
            let at = change["tsNs"].as_str().and_then(|at| at.parse().ok()).map_or_else(String::new, shown);
            vec![at, text("kind"), text("summary"), text("source"), text("id")]
        })
        .collect();
    session.output.print(&Value::Array(found), &columns, &rows, "nothing changed in this range")
}

async fn add(session: &Session, change: &AddArgs) -> Result<(), Failure> {
    let version = change.version.as_deref().unwrap_or_default();
    let summary =
        change.summary.clone().unwrap_or_else(|| format!("{} {version}", change.service).trim().to_owned());
    let mut body = json!({
        "kind": change.kind, "summary": summary, "source": "cli",
        "service": change.service, "namespace": change.namespace, "version": version,
    });
    if let Some(id) = &change.id {
        body["id"] = id.as_str().into();
    }
    session.client.post("/api/binnacle/v1/changes", &body).await?;
    eprintln!("noted: {summary}");
    Ok(())
}
