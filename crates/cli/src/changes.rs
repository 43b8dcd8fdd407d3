//! `binnacle changes`: what changed; `changes add` reports a deploy from a pipeline.

use crate::listing::{Listing, ListingArgs, incomplete, show};
use crate::output::{Align, Column, Show, write};
use crate::services::text;
use crate::time::{RECORD_SINCE, shown};
use crate::{Common, Failure, Session};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// Kinds of changes, as the API takes them.
const KINDS: [&str; 6] = ["deploy", "config", "scale", "policy", "fault", "action"];

/// Arguments of `changes`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ChangeArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: ListArgs,
}

impl ChangeArgs {
    /// Whom to ask, and how to print.
    pub(crate) fn common(&self) -> &Common {
        match &self.action {
            Some(Action::Add(add)) => &add.common,
            None => &self.list.listing.common,
        }
    }
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Report a change of a service.
    Add(AddArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Only changes of this service.
    #[arg(long)]
    service: Option<String>,
    #[command(flatten)]
    listing: ListingArgs,
}

#[derive(Args, Debug)]
#[command(disable_version_flag = true)]
struct AddArgs {
    /// The service that changed.
    service: String,
    /// Its namespace.
    #[arg(short, long, env = "BINNACLE_NAMESPACE", default_value = "")]
    namespace: String,
    /// What kind of change it is.
    #[arg(long, default_value = "deploy", value_parser = KINDS)]
    kind: String,
    /// The new version.
    #[arg(long)]
    version: Option<String>,
    /// One sentence; service and version when left out.
    #[arg(long)]
    summary: Option<String>,
    /// Makes a resend the same change; the server makes one when it is left out.
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Lists changes, or adds one.
pub(crate) async fn changes(session: &Session, args: &ChangeArgs) -> Result<(), Failure> {
    let args = match &args.action {
        Some(Action::Add(change)) => return add(session, change).await,
        None => &args.list,
    };
    show(session, &args.listing, async || {
        let range = args.listing.range.at(RECORD_SINCE, session.clock.now_ns())?;
        let (start, end) = (range.start(), range.end());
        let mut params = vec![("start", start.as_str()), ("end", end.as_str())];
        params.extend(args.service.as_deref().map(|service| ("service", service)));
        let answer = session.client.get("/api/binnacle/v1/changes", &params).await?;
        let mut listing = listing(&answer, args.listing.namespaces.wanted());
        listing.none = format!("nothing changed {}", args.listing.range.words(RECORD_SINCE));
        Ok(listing)
    })
    .await
}

/// The changes of an answer, of `namespace` when there is one.
fn listing(answer: &Value, namespace: Option<&str>) -> Listing {
    let touches = |change: &&Value| {
        let mut entities = change["entities"].as_array().into_iter().flatten();
        namespace.is_none_or(|namespace| entities.any(|entity| text(entity, "namespace") == namespace))
    };
    let cells = |change: &Value| {
        let at = text(change, "tsNs").parse().map_or_else(|_| String::new(), shown);
        let own = |key: &str| text(change, key).to_owned();
        vec![at, own("kind"), own("summary"), own("source"), own("id")]
    };
    let changes = answer["changes"].as_array().into_iter().flatten().filter(touches);
    Listing {
        columns: vec![
            Column("time", Show::Always, Align::Left),
            Column("kind", Show::Always, Align::Left),
            Column("change", Show::Always, Align::Left),
            Column("source", Show::Always, Align::Left),
            Column("id", Show::Wide, Align::Left),
        ],
        rows: changes.map(|change| (change.clone(), cells(change))).collect(),
        notes: incomplete(answer),
        ..Listing::default()
    }
}

/// Posts a change and prints it as the server stored it.
async fn add(session: &Session, args: &AddArgs) -> Result<(), Failure> {
    let mut body = json!({
        "kind": args.kind, "summary": args.summary.as_deref().unwrap_or_default(), "source": "cli",
        "service": args.service, "namespace": args.namespace,
        "version": args.version.as_deref().unwrap_or_default(),
    });
    if let Some(id) = &args.id {
        body["id"] = id.as_str().into();
    }
    let stored = session.client.post("/api/binnacle/v1/changes", &body).await?;
    if session.output.is_data() {
        return session.output.data(&stored);
    }
    write(&format!("change {} noted: {}\n", text(&stored, "id"), text(&stored, "summary")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::table;

    #[test]
    fn the_server_knows_every_kind() {
        for kind in KINDS {
            let known = serde_json::from_value::<model::change::ChangeKind>(kind.into());
            assert!(known.is_ok(), "{kind}");
        }
    }

    #[test]
    fn changes_of_a_namespace_are_listed() {
        let change = |id: &str, namespace: &str| {
            json!({"id": id, "tsNs": "1500000000", "kind": "deploy", "summary": format!("{id} 2"), "source": "cli",
                   "entities": [{"kind": "service", "namespace": namespace, "name": id, "of": ""}]})
        };
        let answer = json!({"changes": [change("web", "shop"), change("core", "bank")]});
        let check = |namespace: Option<&str>, expected: &[&str]| {
            let listing = listing(&answer, namespace);
            let rows: Vec<Vec<String>> = listing.rows.into_iter().map(|row| row.1).collect();
            let lines = table(&listing.columns, &rows, true);
            assert_eq!(lines.lines().skip(1).collect::<Vec<_>>(), expected);
        };
        let web = "1970-01-01 00:00:01.500  deploy  web 2   cli     web";
        let core = "1970-01-01 00:00:01.500  deploy  core 2  cli     core";
        check(None, &[web, core]);
        check(Some("bank"), &[core]);
        check(Some("nope"), &[]);
    }
}
