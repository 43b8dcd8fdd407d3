//! The process as an operator meets it: flags and files, signals, and one plain sentence for each thing that goes wrong.

mod refusals;
mod strangers;

use crate::common::client::{get, post, query};
use crate::common::{Server, Setup, run, write};
use std::time::Duration;
use tokio::time::Instant;

const JSON: (&str, &str) = ("content-type", "application/json");

fn now_ns() -> i64 {
    platform::Clock::now_ns(&platform::RealClock::default())
}

/// A push of one line of `app`.
pub fn line(app: &str, text: &str) -> Vec<u8> {
    format!(r#"{{"streams":[{{"stream":{{"app":"{app}"}},"values":[["{}","{text}"]]}}]}}"#, now_ns())
        .into_bytes()
}

#[tokio::test]
async fn sigterm_drains_flushes_and_says_nothing_bad() {
    let data = tempfile::tempdir().expect("a directory");
    let setup = Setup { data: Some(data.path()), ..Setup::default() };
    let server = Server::start_with(&setup).await;
    let taken = post(server.door("loki"), "/loki/api/v1/push", &[JSON], &line("kept", "before")).await;
    assert_eq!(taken.status, 204, "{}", taken.text());
    let (status, stderr) = server.stop().await;
    assert!(status.success(), "{status}: {stderr}");
    assert!(stderr.contains("flushed") && !stderr.contains("ERROR") && !stderr.contains("WARN"), "{stderr}");
    let server = Server::start_with(&setup).await;
    assert!(server.stderr().contains("wal_bytes=0"), "nothing to replay: {}", server.stderr());
    let lines =
        query(server.door("loki"), "/loki/api/v1/query_range", &[("query", "{app=\"kept\"}")], &[]).await;
    assert!(lines.text().contains("before"), "{}", lines.text());
}

#[tokio::test]
async fn sighup_reloads_what_is_right_and_keeps_the_old_when_it_is_wrong() {
    let job = |name: &str| {
        format!(
            "{}scrape_configs:\n  - job_name: {name}\n    static_configs: [{{targets: ['127.0.0.1:1']}}]\n",
            crate::common::ANY_PORTS
        )
    };
    let first = job("first");
    let config = first.strip_prefix(crate::common::ANY_PORTS).expect("the doors");
    let server = Server::start_with(&Setup { config, ..Setup::default() }).await;
    let pools =
        async || get(server.door("prometheus"), "/api/v1/scrape_pools").await.expect("an answer").text();
    let reloaded = async || {
        let info = get(server.door("prometheus"), "/api/v1/status/runtimeinfo").await.expect("an answer");
        info.json()["data"]["reloadConfigSuccess"].clone()
    };
    assert!(pools().await.contains("first"));
    write(&server.dir, "binnacle.yml", &job("second"));
    server.signal("HUP").await;
    server.until_said("configuration reloaded").await;
    assert!(pools().await.contains("second"), "{}", pools().await);
    write(&server.dir, "binnacle.yml", "nonsense: 1\n");
    server.signal("HUP").await;
    server.until_said("configuration not reloaded").await;
    assert!(server.stderr().contains("nonsense"), "{}", server.stderr());
    assert_eq!(reloaded().await, false);
    assert!(pools().await.contains("second"));
    write(&server.dir, "binnacle.yml", &job("third"));
    server.signal("HUP").await;
    let deadline = Instant::now() + crate::common::PATIENCE;
    while reloaded().await != true {
        assert!(Instant::now() < deadline, "{}", server.stderr());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(pools().await.contains("third"));
    let door = server.door("prometheus");
    write(&server.dir, "binnacle.yml", &job("fourth"));
    let done = post(door, "/-/reload", &[], b"").await;
    assert!(done.status == 200 && pools().await.contains("fourth"), "{}", done.text());
    write(&server.dir, "binnacle.yml", &format!("{}nonsense: 1\n", job("fifth")));
    let failed = post(server.door("ui"), "/-/reload", &[], b"").await;
    assert!(
        failed.status == 500 && failed.text().contains("nonsense: there is no such key"),
        "{}",
        failed.text()
    );
    assert!(
        pools().await.contains("fourth")
            && server.metric("binnacle_config_last_reload_successful ").await == 0.0
    );
    assert_eq!(post(door, "/-/quit", &[], b"").await.status, 403);
}

#[tokio::test]
async fn probes_and_metrics_are_readable_by_those_who_read_them() {
    let server = Server::start().await;
    for (door, path, part) in [
        ("ui", "/-/ready", "ready"),
        ("ui", "/-/healthy", "healthy"),
        ("prometheus", "/-/ready", "eady"),
        ("prometheus", "/-/healthy", "ealthy"),
        ("loki", "/ready", "ready"),
        ("tempo", "/ready", "ready"),
        ("tempo", "/api/echo", "echo"),
        ("zipkin", "/health", "UP"),
    ] {
        let answer = get(server.door(door), path).await.expect("an answer");
        assert!(answer.status == 200 && answer.text().contains(part), "{door} {path}: {answer:?}");
    }
    for door in ["ui", "prometheus", "loki", "tempo"] {
        let answer = get(server.door(door), "/metrics").await.expect("an answer");
        let options = wire::prometheus::ExpositionOptions::default();
        let parsed = wire::prometheus::text::parse(&answer.body, &options);
        let series = parsed.unwrap_or_else(|error| panic!("{error}: {}", answer.text())).batch.series.len();
        assert!(
            series > 30 && answer.header("content-type").starts_with("text/plain; version=0.0.4"),
            "{door}"
        );
        assert!(answer.text().contains("\nprocess_open_fds "), "{door}: {}", answer.text());
    }
}

#[tokio::test]
async fn the_environment_wins_over_the_file_and_flags_over_both() {
    let config = "data: from-file\nretention: {time: 1d}\nquery: {lookback: 10s}\n";
    let env = [("BINNACLE_RETENTION_TIME", "2d"), ("BINNACLE_RETENTION_BYTES", "1GB")];
    let flags = ["--retention-bytes", "2GB"];
    let server = Server::start_with(&Setup { config, env: &env, flags: &flags, ..Setup::default() }).await;
    let info = get(server.door("prometheus"), "/api/v1/status/runtimeinfo").await.expect("an answer").json();
    assert_eq!(info["data"]["storageRetention"], "2d or 2000000000B");
    // The lookback of the file is the engine's: a sample of 30 seconds ago is out of sight.
    let metrics = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"old","gauge":{{"dataPoints":[{{"timeUnixNano":"{}","asDouble":1}}]}}}}]}}]}}]}}"#,
        now_ns() - 30_000_000_000
    );
    let taken = post(server.door("otlp-http"), "/v1/metrics", &[JSON], metrics.as_bytes()).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    for (text, rows) in [("old", 0), ("last_over_time(old[1m])", 1)] {
        let found = query(server.door("prometheus"), "/api/v1/query", &[("query", text)], &[]).await.json();
        assert_eq!(found["data"]["result"].as_array().map(Vec::len), Some(rows), "{text}: {found}");
    }
}

#[tokio::test]
async fn a_deploy_that_the_command_line_reports_is_a_change() {
    let server = Server::start().await;
    let address = format!("http://{}", server.door("ui"));
    let add = [
        "--server",
        &address,
        "changes",
        "add",
        "payments",
        "-n",
        "shop",
        "--version",
        "1.4.2",
        "--id",
        "deploy-7",
    ];
    for _ in 0..2 {
        let (code, stdout, stderr) = run(&add).await;
        let noted = "change deploy-7 noted: payments 1.4.2\n";
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, noted, ""));
    }
    let (code, stdout, stderr) =
        run(&["--server", &address, "-o", "json", "changes", "--service", "payments"]).await;
    assert_eq!(code, 0, "{stderr}");
    let changes: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(changes.as_array().map(Vec::len), Some(1), "a resend is the same change: {changes}");
    let change = &changes[0];
    assert_eq!(
        (&change["id"], &change["kind"], &change["source"]),
        (&"deploy-7".into(), &"deploy".into(), &"cli".into())
    );
    assert!(stdout.contains("\"1.4.2\"") && stdout.contains("\"shop\""), "{stdout}");
    let (code, _, stderr) = run(&["--server", &address, "changes", "add", "payments", "--kind", "odd"]).await;
    assert!(code == 2 && stderr.starts_with("error: ") && stderr.contains("odd"), "{code} {stderr}");
    assert!(!stderr.contains('{'), "a sentence, not JSON: {stderr}");
}
