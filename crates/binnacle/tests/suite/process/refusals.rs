//! What keeps a server from starting or writing: one plain sentence that names the cause and the fix, and an exit code.

use super::line;
use crate::common::client::{get, post, query};
use crate::common::{Server, Setup, run, write};
use std::fmt::Write as _;
use std::path::Path;

/// `error: ` and one sentence with all the parts, and nothing on standard output.
async fn refused(args: &[&str], code: i32, parts: &[&str]) {
    let (got, stdout, stderr) = run(args).await;
    assert_eq!((got, stdout.as_str()), (code, ""), "{args:?}: {stderr}");
    let sentence = stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(parts.iter().all(|part| stderr.contains(part)), "{args:?}: {stderr}");
    assert!(!sentence.is_empty() && !stderr.contains("panicked"), "{args:?}: {stderr}");
}

#[tokio::test]
async fn check_config_names_line_and_fix() {
    let dir = tempfile::tempdir().expect("a directory");
    let cases: &[(&str, &str, &[&str])] = &[
        ("", "data: x\nretenton: {}\n", &["line 2, column 1: retenton: ", "did you mean retention?"]),
        ("", "data: [\n", &["line 1, column 7: not YAML"]),
        ("", "doors: {loki: nowhere}\n", &["line 1, column 15: doors.loki: ", "IP:PORT"]),
        (
            "",
            "scrape_configs:\n  - job_nam: a\n",
            &["line 2, column 5: scrape_configs[0].job_nam", "job_name?"],
        ),
        (
            "",
            "scrape_configs:\n  - job_name: a\n    basic_auth: {username: u, password: hunter2}\n    scrape_interval: 15\n",
            &["line 4, column 22: scrape_configs[0].scrape_interval: ", "write it as 15s"],
        ),
        (
            "",
            "bearer_tokens_file: none.txt\n",
            &[
                "line 1, column 1: bearer_tokens_file: ",
                "none.txt cannot be read (no such file or directory)",
            ],
        ),
        (
            "",
            "web_config: none.yml\n",
            &["line 1, column 1: web_config: ", "none.yml cannot be read (no such file or directory)"],
        ),
        (
            "--prometheus",
            "scrape_configs:\n  - job_name: a\n    authorization: {credentials_file: none}\n",
            &["line 3, column 21: scrape_configs[0].authorization.credentials_file: ", "none cannot be read"],
        ),
        (
            "--prometheus",
            "scrape_configs:\n  - scrape_interval: 5s\n",
            &["scrape_configs[0].job_name: is missing"],
        ),
        ("--prometheus", "globl: {}\n", &["line 1, column 1: globl: ", "did you mean global?"]),
    ];
    for (flag, text, parts) in cases {
        let path = write(dir.path(), "config.yml", text);
        let path = path.to_str().expect("a path");
        let args: Vec<&str> =
            ["check", "config", path, flag].into_iter().filter(|word| !word.is_empty()).collect();
        refused(&args, 3, &[&[path], *parts].concat()).await;
        let (_, _, stderr) = run(&args).await;
        assert!(!stderr.contains("hunter2") && stderr.matches("error: ").count() == 1, "{stderr}");
    }
    refused(&["check", "config", "/nowhere/x.yml"], 1, &["/nowhere/x.yml"]).await;
    for flag in [["--doors", "foo"], ["--otlp-translation-strategy", "foo"], ["--retention-time", "5"]] {
        let (code, _, stderr) = run(&[&["up"], &flag[..]].concat()).await;
        assert!(code == 2 && stderr.contains(flag[0]), "{flag:?}: {code} {stderr}");
    }
    write(dir.path(), "tokens.txt", "t0ken\n");
    let good = write(dir.path(), "config.yml", "retention: {time: 30d}\nbearer_tokens_file: tokens.txt\n");
    let (code, stdout, stderr) = run(&["check", "config", good.to_str().expect("a path")]).await;
    assert_eq!((code, stdout.ends_with(": good\n"), stderr.as_str()), (0, true, ""));
}

#[tokio::test]
async fn a_prometheus_file_is_taken_unchanged_and_each_ignored_key_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = "global: {scrape_interval: 15s, external_labels: {a: b}}\nrule_files: [a.yml]\n\
                alerting: {alertmanagers: []}\nremote_write: [{url: 'http://a'}]\n\
                scrape_configs:\n  - job_name: self\n    static_configs: [{targets: ['127.0.0.1:1']}]\n";
    let path = write(dir.path(), "prometheus.yml", text);
    let path = path.to_str().expect("a path");
    let ignored = ["rule_files", "alerting", "remote_write"];
    let (code, _, stderr) = run(&["check", "config", "--prometheus", path]).await;
    assert!(code == 0 && ignored.iter().all(|key| stderr.contains(key)), "{code} {stderr}");
    let server =
        Server::start_with(&Setup { flags: &["--prometheus-config", path], ..Setup::default() }).await;
    let stderr = server.stderr();
    assert!(
        ignored.iter().all(|key| stderr.contains(&format!("{key}: is not used by Binnacle"))),
        "{stderr}"
    );
    let pools = get(server.door("prometheus"), "/api/v1/scrape_pools").await.expect("an answer");
    assert!(pools.text().contains("self"), "{}", pools.text());
}

#[tokio::test]
async fn a_busy_door_that_was_named_is_an_error_a_default_one_is_skipped() {
    let holder = platform::net::listen("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
    let port = holder.local_addr().expect("an address").port();
    let doors = format!("doors: {{loki: {port}}}\n");
    let Err((status, stderr)) =
        Server::try_start(&Setup { doors: Some(&doors), flags: &["--doors", "loki"], ..Setup::default() })
            .await
    else {
        panic!("port {port} is busy");
    };
    assert_eq!(status.code(), Some(1), "{stderr}");
    let mine = format!("(pid {})", std::process::id());
    for part in ["error: door loki", &port.to_string(), &mine, "--port-offset"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    // Now as a default one: the offset moves all doors below the ports that the system gives to clients.
    let offset = 12_000 + u16::try_from(std::process::id() % 3_000).expect("small");
    let zipkin = format!("127.0.0.1:{}", 9411 + offset).parse().expect("an address");
    let Ok(_holder) = platform::net::listen(zipkin).await else {
        println!("skipped: {zipkin} is taken");
        return;
    };
    let offset = offset.to_string();
    let setup = Setup { doors: Some(""), flags: &["--port-offset", &offset], ..Setup::default() };
    let server = Server::start_with(&setup).await;
    assert!(
        server.stderr().contains("door zipkin") && !server.doors().contains_key("zipkin"),
        "{}",
        server.stderr()
    );
    let verbose = get(server.door("ui"), "/-/ready?verbose").await.expect("an answer");
    assert!(verbose.status == 200 && verbose.text().contains("door zipkin: port"), "{}", verbose.text());
    let terse = get(server.door("ui"), "/-/ready").await.expect("an answer");
    assert!(!terse.text().contains("zipkin"), "{}", terse.text());
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_used_is_named() {
    let server = Server::start().await;
    let held = server.dir.join("data");
    let held = held.to_str().expect("a path");
    refused(
        &["up", "--doors", "ui", "--port-offset", "50000", "--data", held],
        1,
        &[held, "in use by another process", "--data"],
    )
    .await;
    let file = write(&server.dir, "file", "");
    let inside = file.join("data");
    let inside = inside.to_str().expect("a path");
    refused(&["up", "--doors", "ui", "--data", inside], 1, &[inside, "cannot be used", "--data"]).await;
    refused(&["up", "--doors", "ui", "--data", "/proc/binnacle"], 1, &["/proc/binnacle", "cannot be used"])
        .await;
}

#[tokio::test]
async fn beyond_loopback_a_door_wants_credentials() {
    let server = Server::start().await;
    assert!(server.doors().values().all(|addr| addr.ip().is_loopback()), "{:?}", server.doors());
    assert_eq!(server.doors().len(), 12);
    let data = server.dir.join("other");
    let data = data.to_str().expect("a path");
    let args = ["up", "--data", data, "--doors", "ui", "--listen", "0.0.0.0"];
    refused(
        &args,
        1,
        &["door ui would listen on 0.0.0.0", "--web-config", "--bearer-tokens-file", "--insecure"],
    )
    .await;
    let setup = Setup { flags: &["--listen", "0.0.0.0", "--insecure"], ..Setup::default() };
    let open = Server::start_with(&setup).await;
    assert!(open.doors().values().all(|addr| addr.ip().is_unspecified()));
    let usage = run(&["up", "--port-offset", "many"]).await;
    assert!(usage.0 == 2 && usage.2.contains("--port-offset"), "{usage:?}");
}

/// A directory on a small file system of its own, for the server alone.
fn small_disk(dir: &str) -> [&str; 6] {
    ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=48m tmpfs \"$0\" && exec \"$@\"", dir]
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_still_answers() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let wrapper = small_disk(path);
    let probe = tokio::process::Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").output().await;
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let data = Path::new(path);
    let server = Server::start_with(&Setup { wrapper: &wrapper, data: Some(data), ..Setup::default() }).await;
    let mut accepted = 0;
    let full = loop {
        assert!(accepted < 200, "the disk is never full");
        // Text that does not compress, a megabyte at a time.
        let mut text = String::new();
        for at in 0..1_u64 << 16 {
            let word = (at + accepted * 77_777).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            write!(text, "{word:016x}").expect("written");
        }
        let body = line("full", &text);
        let answer =
            post(server.door("loki"), "/loki/api/v1/push", &[("content-type", "application/json")], &body)
                .await;
        if answer.status != 204 {
            break answer;
        }
        accepted += 1;
    };
    assert_eq!((full.status, full.header("retry-after")), (503, "1"), "{}", full.text());
    assert!(full.text().contains("data directory") && full.text().lines().count() == 1, "{}", full.text());
    assert!(accepted > 0);
    let params = [("query", "count_over_time({app=\"full\"}[10m])")];
    let count = query(server.door("loki"), "/loki/api/v1/query", &params, &[]).await.json();
    assert_eq!(count["data"]["result"][0]["value"][1], accepted.to_string(), "{count}");
    let (status, stderr) = server.stop().await;
    assert!(status.success() && !stderr.contains("panicked"), "{stderr}");
}
