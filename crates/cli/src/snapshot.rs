//! `binnacle snapshot`: a consistent copy of everything acknowledged so far, made by the server.

use crate::output::write;
use crate::{Common, Failure, Session};
use clap::Args;
use serde_json::json;

/// Arguments of `snapshot`.
#[derive(Args, Debug)]
pub struct SnapshotArgs {
    /// Directory name under snapshots/.
    name: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Asks for it and prints where it is.
pub(crate) async fn snapshot(session: &Session, args: &SnapshotArgs) -> Result<(), Failure> {
    let path = crate::client::with_params("/-/snapshot", &[("name", &args.name)]);
    let answer = session.client.post(&path, &json!({})).await?;
    if session.output.is_data() {
        return session.output.data(&answer);
    }
    write(&format!("{}\n", answer["path"].as_str().unwrap_or_default()))
}
