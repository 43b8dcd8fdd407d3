//! What the listing commands share: namespaces (`-n`, `-A`), watching (`-w`), and rows that are printed once or as they
//! change.

use crate::output::{Column, Show, Table, write};
use crate::time::RangeArgs;
use crate::{Common, Failure, Session};
use clap::Args;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a watch waits between two looks; span metrics come as often.
const WATCH_EVERY: Duration = Duration::from_secs(5);
/// Names that a note spells out.
const NAMED_MAX: usize = 10;

/// Flags that choose a namespace.
#[derive(Args, Clone, Debug, Default)]
pub struct NamespaceArgs {
    /// Only this namespace (`service.namespace`, else `k8s.namespace.name`).
    #[arg(short, long, env = "BINNACLE_NAMESPACE")]
    namespace: Option<String>,
    /// Every namespace, whatever -n says.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

impl NamespaceArgs {
    /// The one namespace that is wanted.
    pub(crate) fn wanted(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|name| !self.all_namespaces && !name.is_empty())
    }

    /// The column that tells rows of several namespaces apart.
    pub(crate) fn column<'a>(&self, mut namespaces: impl Iterator<Item = &'a str>) -> Show {
        let first = namespaces.next();
        let several = namespaces.any(|other| Some(other) != first);
        if several || self.all_namespaces { Show::Always } else { Show::Wide }
    }
}

/// What every listing command understands.
#[derive(Args, Clone, Debug)]
pub struct ListingArgs {
    #[command(flatten)]
    pub(crate) namespaces: NamespaceArgs,
    /// Go on, and print what is new or has changed.
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What a command lists.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) columns: Vec<Column>,
    /// Each thing as JSON, and its cells.
    pub(crate) rows: Vec<(Value, Vec<String>)>,
    /// What to say when there is no row.
    pub(crate) none: String,
    /// What people shall know besides the rows.
    pub(crate) notes: Vec<String>,
    /// Services that were asked for by name and that nobody knows.
    pub(crate) unknown: Vec<String>,
}

impl Listing {
    /// The listing; when it is empty and the server does not know the `service` that was asked for, it says so.
    pub(crate) async fn or_unknown(
        mut self,
        session: &Session,
        service: Option<&str>,
        namespaces: &NamespaceArgs,
    ) -> Result<Self, Failure> {
        if let Some(name) = service.filter(|_| self.rows.is_empty())
            && !known_services(session, namespaces.wanted()).await?.contains(name)
        {
            self.unknown.push(name.to_owned());
        }
        Ok(self)
    }
}

/// Prints what `list` finds; with `-w` looks again and again, until interrupted.
pub(crate) async fn show(
    session: &Session,
    args: &ListingArgs,
    list: impl AsyncFn() -> Result<Listing, Failure>,
) -> Result<(), Failure> {
    let watch = args.watch;
    if watch && args.range.has_end() {
        return Err(Failure::usage("--to: a watch goes on, it has no end"));
    }
    let listing = list().await?;
    let failure = unknown(&listing.unknown);
    for note in &listing.notes {
        eprintln!("note: {note}");
    }
    if watch && failure.is_none() {
        return follow(session, listing, list).await;
    }
    if failure.is_none() || !listing.rows.is_empty() {
        let (things, rows): (Vec<Value>, Vec<Vec<String>>) = listing.rows.into_iter().unzip();
        session.output.print(&Value::Array(things), &listing.columns, &rows, &listing.none)?;
    }
    failure.map_or(Ok(()), Err)
}

/// kubectl's "not found".
pub(crate) fn unknown(names: &[String]) -> Option<Failure> {
    if names.is_empty() {
        return None;
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let services = if names.len() == 1 { "service" } else { "services" };
    Some(
        Failure::new(format!("{services} {} not found", quoted.join(", ")))
            .hint("`binnacle services` lists those that have sent spans, `-A` of every namespace"),
    )
}

/// Some names, and how many more there are.
pub(crate) fn named(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let some = names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    if more == 0 { some } else { format!("{some} and {more} more") }
}

/// Prints the rows, then those that are new or differ from the last look, under the same head.
async fn follow(
    session: &Session,
    mut listing: Listing,
    list: impl AsyncFn() -> Result<Listing, Failure>,
) -> Result<(), Failure> {
    let (mut before, mut table) = (BTreeSet::new(), None);
    if listing.rows.is_empty() && !session.output.is_data() {
        eprintln!("{}", listing.none);
    }
    loop {
        let mut now = BTreeSet::new();
        for (thing, cells) in &listing.rows {
            if session.output.is_data() {
                let key = thing.to_string();
                if !before.contains(&key) {
                    session.output.record(thing)?;
                }
                now.insert(key);
            } else {
                let table = table.get_or_insert_with(|| {
                    let all: Vec<&[String]> = listing.rows.iter().map(|row| &row.1[..]).collect();
                    Table::new(&listing.columns, &all, session.output.is_wide())
                });
                let key = table.shown(cells).join("\t");
                if !before.contains(&key) {
                    write(&table.line(cells))?;
                }
                now.insert(key);
            }
        }
        before = now;
        tokio::time::sleep(WATCH_EVERY).await;
        listing = list().await?;
    }
}

/// The services that the server knows, by name, of `namespace` when there is one.
pub(crate) async fn known_services(
    session: &Session,
    namespace: Option<&str>,
) -> Result<BTreeSet<String>, Failure> {
    let params: Vec<(&str, &str)> = namespace.map(|name| ("namespace", name)).into_iter().collect();
    let answer = session.client.get("/api/binnacle/v1/services", &params).await?;
    let rows = answer["services"].as_array().into_iter().flatten();
    Ok(rows.filter_map(|row| row["name"].as_str()).map(ToOwned::to_owned).collect())
}

/// What an answer of Binnacle's own API says it misses.
pub(crate) fn incomplete(answer: &Value) -> Vec<String> {
    let missing = answer["missing"].as_array().into_iter().flatten().filter_map(Value::as_str);
    missing.map(|what| format!("this answer is not complete: {what}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_namespaces_win_and_several_are_told_apart() {
        let check = |namespace: Option<&str>, all_namespaces: bool, wanted: Option<&str>| {
            let args = NamespaceArgs { namespace: namespace.map(ToOwned::to_owned), all_namespaces };
            assert_eq!(args.wanted(), wanted);
        };
        check(Some("shop"), false, Some("shop"));
        check(Some("shop"), true, None);
        check(Some(""), false, None);
        check(None, false, None);
        let column = |all_namespaces: bool, rows: &[&str]| {
            NamespaceArgs { namespace: None, all_namespaces }.column(rows.iter().copied())
        };
        assert!(column(false, &["a", "a"]) == Show::Wide && column(false, &[]) == Show::Wide);
        assert!(column(false, &["a", "b"]) == Show::Always && column(true, &["a"]) == Show::Always);
    }

    #[test]
    fn names_are_counted_when_they_are_many() {
        assert_eq!(named(&["a", "b"]), "a, b");
        assert_eq!(named(&["a"; 13]), "a, a, a, a, a, a, a, a, a, a and 3 more");
        assert!(unknown(&[]).is_none());
        let failure = unknown(&["x".into(), "y".into()]).expect("a failure");
        assert_eq!((failure.message.as_str(), failure.code), ("services \"x\", \"y\" not found", 1));
    }
}
