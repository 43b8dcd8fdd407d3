//! Exposition files as scrape targets: one path for each, one server for all.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// File name to text; nothing, and a word about it, where the folder is absent.
pub(crate) fn cases() -> Option<BTreeMap<String, Vec<u8>>> {
    let root = PathBuf::from("../../../shared/conformance/openmetrics");
    let Ok(entries) = std::fs::read_dir(root) else {
        println!("skipped: openmetrics data");
        return None;
    };
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, std::fs::read(path.join("metrics")).ok()?))
    };
    Some(entries.filter_map(read).collect())
}

/// A job whose targets are the cases; both programs read it.
pub(crate) fn config(target: SocketAddr, cases: &BTreeMap<String, Vec<u8>>) -> String {
    let mut text =
        "global: {scrape_interval: 3s, scrape_timeout: 3s}\nscrape_configs:\n  - job_name: openmetrics\n    \
        static_configs:\n"
            .to_owned();
    for case in cases.keys() {
        let _ = writeln!(
            text,
            "      - {{targets: ['{target}'], labels: {{__metrics_path__: /{case}, case: {case}}}}}"
        );
    }
    text
}

/// Serves every case under its name.
pub(crate) async fn serve(cases: &BTreeMap<String, Vec<u8>>) -> SocketAddr {
    let cases = Arc::new(cases.clone());
    let answer = async move |Path(name): Path<String>| match cases.get(&name) {
        Some(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([("content-type", kind)], text.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/{name}", get(answer))).await });
    addr
}
