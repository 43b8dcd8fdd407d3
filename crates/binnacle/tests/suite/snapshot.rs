//! A snapshot taken from a running server is a data directory that another server starts from, with everything that was
//! acknowledged before it and nothing that came after.

use crate::common::{BINNACLE, Server, Setup, client};
use std::path::Path;
use tokio::process::Command;

async fn push(server: &Server, ts_s: u64, line: &str) {
    let body = format!(
        r#"{{"streams": [{{"stream": {{"app": "shop"}}, "values": [["{ts_s}000000000", "{line}"]]}}]}}"#
    );
    let headers = &[("content-type", "application/json")];
    let answer = client::post(server.door("loki"), "/loki/api/v1/push", headers, body.as_bytes()).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

async fn lines(server: &Server) -> Vec<String> {
    let params = &[("query", "{app=\"shop\"}"), ("start", "1"), ("end", "9999"), ("direction", "forward")];
    let answer = client::query(server.door("loki"), "/loki/api/v1/query_range", params, &[]).await;
    let answer = answer.json();
    let values = answer["data"]["result"][0]["values"].as_array().cloned().unwrap_or_default();
    values.iter().map(|entry| entry[1].as_str().unwrap_or_default().to_owned()).collect()
}

async fn run(server: &Server, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(BINNACLE)
        .args(["--server", &format!("http://{}", server.door("ui"))])
        .args(arguments)
        .output()
        .await
        .expect("the program");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn a_snapshot_starts_another_server() {
    let data = tempfile::tempdir().expect("a directory");
    let server = Server::start_with(&Setup { data: Some(data.path()), ..Setup::default() }).await;
    push(&server, 100, "before").await;
    assert_eq!(run(&server, &["snapshot", "monday"]).await, (true, "snapshots/monday\n".to_owned()));
    push(&server, 200, "after").await;

    let (done, words) = run(&server, &["snapshot", "monday"]).await;
    assert!(!done && words.contains("exists already: choose another name"), "{words}");
    let (done, words) = run(&server, &["snapshot", "../etc"]).await;
    assert!(!done && words.contains("is not valid"), "{words}");

    let copy = tempfile::tempdir().expect("a directory");
    let from = data.path().join("snapshots/monday");
    copy_all(&from, copy.path()).await;
    let restored = Server::start_with(&Setup { data: Some(copy.path()), ..Setup::default() }).await;
    assert_eq!(lines(&restored).await, ["before"]);
    push(&restored, 300, "later").await;
    assert_eq!(lines(&restored).await, ["before", "later"]);
    assert_eq!(lines(&server).await, ["before", "after"]);
}

async fn copy_all(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").arg(from.join(".")).arg(to).status().await;
    assert!(status.expect("cp").success());
}
