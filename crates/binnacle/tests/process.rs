//! The process as an operator meets it: flags and files, signals, and one plain sentence for each thing that goes wrong.

mod common;

use common::Server;

#[tokio::test]
async fn sigterm_drains_and_flushes() {
    let server = Server::start().await;
    let (status, stderr) = server.stop().await;
    assert!(status.success(), "{status}: {stderr}");
    assert!(stderr.contains("flushed"), "{stderr}");
    assert!(!stderr.contains("ERROR"), "{stderr}");
}
