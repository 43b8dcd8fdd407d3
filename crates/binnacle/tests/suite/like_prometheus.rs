//! The same bytes to a real Prometheus and to the real binary: OTLP metrics must become the same series, and a scrape must
//! be accepted or refused alike, with the same samples.
//!
//! Skipped, and says so, where Prometheus or the test data is absent.
#![expect(clippy::disallowed_methods, reason = "a test that is a client and a target itself")]

mod otlp;
mod peer;
mod scrape;

use crate::common::{Server, Setup, client};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Every series of a range or instant answer by its labels, without the given ones.
async fn series(addr: SocketAddr, query: &str, at_s: i64, without: &[&str]) -> BTreeMap<String, Value> {
    let answer =
        client::query(addr, "/api/v1/query", &[("query", query), ("time", &at_s.to_string())], &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let series = answer["data"]["result"].as_array().expect("series");
    let entry = |one: &Value| {
        let mut one = one.clone();
        let labels = one["metric"].as_object_mut().expect("labels");
        labels.retain(|name, _| !without.contains(&name.as_str()));
        let labels: BTreeMap<_, _> = labels.clone().into_iter().collect();
        one.as_object_mut().expect("a series").remove("metric");
        (serde_json::to_string(&labels).expect("text"), one)
    };
    series.iter().map(entry).collect()
}

/// The first differences, for people.
fn differences<T: std::fmt::Debug + PartialEq>(
    ours: &BTreeMap<String, T>,
    theirs: &BTreeMap<String, T>,
) -> Vec<String> {
    let mut found = Vec::new();
    for key in ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key))) {
        if ours.get(key) != theirs.get(key) {
            found.push(format!("{key}\n  ours   {:?}\n  theirs {:?}", ours.get(key), theirs.get(key)));
        }
    }
    found
}

fn now_s() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    i64::try_from(now.as_secs()).expect("seconds")
}

#[tokio::test]
async fn otlp_metrics_become_the_series_that_prometheus_makes() {
    let Some(peer) = peer::Peer::start("global: {scrape_interval: 1m}\n").await else { return };
    let ours = Server::start().await;
    let now = now_s();
    for request in otlp::requests(now) {
        let body = serde_json::to_vec(&request).expect("json");
        let headers = &[("content-type", "application/json")];
        let theirs = client::post(peer.addr, "/api/v1/otlp/v1/metrics", headers, &body).await;
        let mine = client::post(ours.door("otlp-http"), "/v1/metrics", headers, &body).await;
        assert_eq!((mine.status, theirs.status), (200, 200), "{} {}", mine.text(), theirs.text());
    }
    let query = "{__name__!=\"\"}[20m]";
    let mine = series(ours.door("prometheus"), query, now + 5, &[]).await;
    let theirs = series(peer.addr, query, now + 5, &[]).await;
    assert!(theirs.len() > 150, "{} series", theirs.len());
    let found = differences(&mine, &theirs);
    assert!(found.is_empty(), "{} of {} differ:\n{}", found.len(), theirs.len(), found.join("\n"));
    let exemplars = |addr| async move {
        let params = &[
            ("query", "{__name__!=\"\"}"),
            ("start", &*(now - 1200).to_string()),
            ("end", &*(now + 5).to_string()),
        ];
        let answer = client::query(addr, "/api/v1/query_exemplars", params, &[]).await.json();
        let list = answer["data"].as_array().expect("a list").clone();
        assert!(!list.is_empty(), "{answer}");
        list.iter().map(|one| (one["seriesLabels"].to_string(), one["exemplars"].clone())).collect()
    };
    let (mine, theirs): (BTreeMap<String, Value>, BTreeMap<String, Value>) =
        (exemplars(ours.door("prometheus")).await, exemplars(peer.addr).await);
    assert_eq!(mine.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    // Prometheus drops the exemplars of a series that come out of order.
    for (series, theirs) in &theirs {
        let mine = mine[series].as_array().expect("a list");
        for one in theirs.as_array().expect("a list") {
            assert!(mine.contains(one), "{series}: {one} is not among {mine:?}");
        }
    }
}

#[tokio::test]
async fn a_scrape_is_accepted_or_refused_as_by_prometheus() {
    let Some(cases) = scrape::cases() else { return };
    let target = scrape::serve(&cases).await;
    let config = scrape::config(target, &cases);
    let Some(peer) = peer::Peer::start("global: {scrape_interval: 1m}\n").await else { return };
    // Whether Prometheus takes a sample of 1970, as one case has it, depends on whether it is its very first.
    let now = now_s();
    let first = serde_json::to_vec(&otlp::requests(now)[0]).expect("json");
    let headers = &[("content-type", "application/json")];
    let taken = client::post(peer.addr, "/api/v1/otlp/v1/metrics", headers, &first).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    peer.reload(&config).await;
    let ours = Server::start_with(&Setup { config: &config, ..Setup::default() }).await;
    let done = format!("count(scrape_samples_scraped) == {}", cases.len());
    for addr in [ours.door("prometheus"), peer.addr] {
        let mut tries = 0;
        while series(addr, &done, now_s(), &[]).await.is_empty() {
            tries += 1;
            assert!(tries < 300, "not every target was scraped");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // How many samples stood before the damage in a refused answer is not counted here.
    let query = "{job=\"openmetrics\", __name__!~\"scrape_.+\"} \
        or (scrape_samples_scraped and on (case) up == 1) or (scrape_samples_post_metric_relabeling and on (case) up == 1)";
    let value =
        |(labels, one): (String, Value)| (labels, (one["value"][1].clone(), one["histogram"][1].clone()));
    let value_of = async |addr| -> BTreeMap<_, _> {
        series(addr, query, now_s(), &[]).await.into_iter().map(value).collect()
    };
    let (mut mine, mut theirs) = (value_of(ours.door("prometheus")).await, value_of(peer.addr).await);
    // Of a target whose first scrape took longer than its interval the next one tells.
    for _ in 0..15 {
        if differences(&mine, &theirs).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        (mine, theirs) = (value_of(ours.door("prometheus")).await, value_of(peer.addr).await);
    }
    assert!(theirs.len() > 2 * cases.len(), "{} series", theirs.len());
    let found = differences(&mine, &theirs);
    assert!(found.is_empty(), "{} of {} differ:\n{}", found.len(), theirs.len(), found.join("\n"));
}
