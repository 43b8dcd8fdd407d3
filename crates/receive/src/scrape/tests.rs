//! Scraping against a real HTTP target on loopback, with the real client, parsers and clock; only where the samples end
//! up is kept in memory.

use super::series::labels_of;
use super::{ConfigError, Health, PrometheusConfig, ScrapeManager};
use crate::listen::{ListenLimits, serve_listener};
use crate::yaml::{Document, Mistake};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use model::ingest::{Accepted, Answer, Ingest};
use model::metric::is_stale_nan;
use model::{LogBatch, MetricBatch, SpanBatch, Tenant};
use platform::metrics::Registry;
use platform::{Disk, RealClock, RealDisk, SeededRandom};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Every sample as `series value`, a staleness marker as `series stale`, in the order of arrival.
#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl Kept {
    fn all(&self) -> Vec<String> {
        self.0.lock().expect("lock").clone()
    }

    fn has(&self, line: &str) -> bool {
        self.all().iter().any(|kept| kept == line)
    }

    /// Waits until `line` has arrived.
    async fn wait(&self, line: &str) {
        for _ in 0..500 {
            if self.has(line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{line} is not in\n{}", self.all().join("\n"));
    }
}

impl Ingest for Kept {
    fn metrics(&self, _: &Tenant, batch: MetricBatch) -> Answer {
        let mut kept = self.0.lock().expect("lock");
        for point in &batch.floats {
            let labels = labels_of(&batch.series[point.series as usize]);
            let value = if is_stale_nan(point.value) { "stale".into() } else { point.value.to_string() };
            kept.push(format!("{labels} {value}"));
        }
        Box::pin(std::future::ready(Ok(Accepted {
            records: batch.sample_count() as u64,
            ..Accepted::default()
        })))
    }
    fn logs(&self, _: &Tenant, _: LogBatch) -> Answer {
        unreachable!("scraping yields no logs")
    }
    fn spans(&self, _: &Tenant, _: SpanBatch) -> Answer {
        unreachable!("scraping yields no spans")
    }
}

/// What a target answers: status, content type and body; and the headers and URI it was asked with.
type Exchange = (u16, &'static str, Vec<u8>, HeaderMap, String);

#[derive(Clone)]
struct Page(Arc<Mutex<Exchange>>);

impl Page {
    fn set(&self, status: u16, content_type: &'static str, body: &[u8]) {
        let mut page = self.0.lock().expect("lock");
        (page.0, page.1, page.2) = (status, content_type, body.to_vec());
    }

    fn asked(&self) -> (HeaderMap, String) {
        let page = self.0.lock().expect("lock");
        (page.3.clone(), page.4.clone())
    }
}

async fn answer(State(page): State<Page>, request: Request) -> Response {
    let mut page = page.0.lock().expect("lock");
    page.3 = request.headers().clone();
    page.4 = request.uri().to_string();
    if request.uri().path() == "/moved" {
        return (StatusCode::FOUND, [(header::LOCATION, "/metrics")]).into_response();
    }
    let status = StatusCode::from_u16(page.0).expect("status");
    let gzip = page.2.starts_with(&[0x1f, 0x8b]);
    let mut response = (status, [(header::CONTENT_TYPE, page.1)], page.2.clone()).into_response();
    if gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
    }
    response
}

const TEXT: &str = "text/plain; version=0.0.4";

/// The configuration, and the fields that are not used.
fn read(text: &str) -> Result<(PrometheusConfig, Vec<String>), ConfigError> {
    let document = Document::parse(text).expect("yaml");
    let read = PrometheusConfig::read(&document);
    let (config, unused) = read.map_err(|mistakes| {
        let Mistake { field, message, .. } = mistakes[0].clone();
        ConfigError { field, message }
    })?;
    Ok((config, unused.into_iter().map(|mistake| mistake.field).collect()))
}

struct Bench {
    page: Page,
    addr: SocketAddr,
    kept: Arc<Kept>,
    manager: ScrapeManager,
}

/// A target that answers `body`, and a manager without jobs.
async fn bench(body: &str) -> Bench {
    let page =
        Page(Arc::new(Mutex::new((200, TEXT, body.as_bytes().to_vec(), HeaderMap::new(), String::new()))));
    let listener = platform::net::listen("127.0.0.1:0".parse().expect("addr")).await.expect("listen");
    let addr = listener.local_addr().expect("addr");
    let router = Router::new().fallback(answer).with_state(page.clone());
    drop(platform::task::spawn("target", async move {
        let stop = CancellationToken::new();
        serve_listener("target", listener, router, None, ListenLimits::default(), &Registry::default(), stop)
            .await;
    }));
    let kept = Arc::new(Kept::default());
    let (clock, random) = (Arc::new(RealClock::default()), SeededRandom::new(1));
    let manager = ScrapeManager::new(kept.clone(), clock, &random, &Registry::default(), Tenant::default());
    Bench { page, addr, kept, manager }
}

impl Bench {
    /// Runs one job with `extra` lines of configuration, `ADDR` standing for the target.
    fn apply(&self, extra: &str) -> Result<Vec<String>, ConfigError> {
        let extra = extra.replace("ADDR", &self.addr.to_string());
        let text = format!(
            "global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}\nscrape_configs:\n- job_name: j\n  {}\n",
            extra.trim().replace('\n', "\n  ")
        );
        let (config, unused) = read(&text)?;
        self.manager.apply(&config.global, &config.scrape_configs)?;
        Ok(unused)
    }

    fn line(&self, metric: &str, labels: &str, value: &str) -> String {
        format!("{metric}{{{labels}instance=\"{}\", job=\"j\"}} {value}", self.addr)
    }
}

const STATIC: &str = "static_configs: [{targets: ['ADDR']}]";

#[tokio::test]
async fn samples_get_target_labels_and_a_report() {
    let bench = bench("# TYPE a counter\na{x=\"1\"} 3\nb 4\nb{job=\"own\"} 5\n").await;
    bench.apply(STATIC).expect("config");
    bench.kept.wait(&bench.line("a", "", "3").replace("\"} 3", "\", x=\"1\"} 3")).await;
    bench.kept.wait(&bench.line("b", "", "4")).await;
    bench.kept.wait(&bench.line("b", "exported_job=\"own\", ", "5")).await;
    bench.kept.wait(&bench.line("up", "", "1")).await;
    bench.kept.wait(&bench.line("scrape_samples_scraped", "", "3")).await;
    bench.kept.wait(&bench.line("scrape_samples_post_metric_relabeling", "", "3")).await;
    bench.kept.wait(&bench.line("scrape_series_added", "", "3")).await;
    bench.kept.wait(&bench.line("scrape_series_added", "", "0")).await;
    let (headers, _) = bench.page.asked();
    assert_eq!(
        headers["accept"],
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
         application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
         text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    );
    assert_eq!(
        (&headers["accept-encoding"], &headers["x-prometheus-scrape-timeout-seconds"]),
        (&"gzip".parse().expect("header"), &"0.1".parse().expect("header"))
    );
    let target = &bench.manager.targets().active[0];
    assert_eq!((target.health, target.interval_ms, target.timeout_ms), (Health::Up, 100, 100));
    assert_eq!(target.url, format!("http://{}/metrics", bench.addr));
    assert_eq!(target.discovered["__address__"], bench.addr.to_string());
    assert_eq!(target.labels.get("job"), Some("j"));
    assert!(target.last_scrape_ns > 0);
    bench.manager.stop().await;
    let count = bench.kept.all().len();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bench.kept.all().len(), count, "a stopped manager scrapes nothing");
    assert!(!bench.kept.all().iter().any(|line| line.ends_with("stale")), "a restart ends no series");
}

#[tokio::test]
async fn a_series_a_scrape_and_a_target_that_vanish_are_marked() {
    let bench = bench("a 1\nb 2\n").await;
    bench.apply(STATIC).expect("config");
    bench.kept.wait(&bench.line("b", "", "2")).await;
    bench.page.set(200, TEXT, b"a 1\n");
    bench.kept.wait(&bench.line("b", "", "stale")).await;
    assert!(!bench.kept.has(&bench.line("a", "", "stale")));
    bench.page.set(500, TEXT, b"");
    bench.kept.wait(&bench.line("a", "", "stale")).await;
    bench.kept.wait(&bench.line("up", "", "0")).await;
    let target = &bench.manager.targets().active[0];
    assert_eq!(
        (target.health, target.last_error.as_str()),
        (Health::Down, "server returned HTTP status 500 Internal Server Error")
    );
    assert!(!bench.kept.has(&bench.line("up", "", "stale")));
    bench.apply("static_configs: []").expect("config");
    bench.kept.wait(&bench.line("up", "", "stale")).await;
    assert!(bench.manager.targets().active.is_empty());
}

#[tokio::test]
async fn a_series_that_an_answer_repeats_is_what_it_was_first() {
    let bench = bench("a 1 1000\nc 3\na 2\nc 4\n").await;
    bench.apply(STATIC).expect("config");
    bench.kept.wait(&bench.line("scrape_series_added", "", "2")).await;
    bench.kept.wait(&bench.line("scrape_series_added", "", "0")).await;
    bench.page.set(200, TEXT, b"c 5\n");
    bench.kept.wait(&bench.line("c", "", "5")).await;
    let found = |metric, value| bench.kept.has(&bench.line(metric, "", value));
    assert!(found("a", "1") && found("c", "3"));
    assert!(
        !found("a", "2") && !found("c", "4"),
        "without a time of its own a repeated sample does not count"
    );
    assert!(!found("a", "stale"), "its end is not marked: it brought its own time");
}

#[tokio::test]
async fn rules_of_samples_are_applied_and_a_reload_ends_what_they_renamed() {
    let bench = bench("keep_me{a=\"1\"} 1\ndrop_me 2\n").await;
    let drop_rule =
        "metric_relabel_configs:\n- {source_labels: [__name__], regex: 'drop_.*', action: drop}\n";
    bench.apply(&format!("{STATIC}\n{drop_rule}")).expect("config");
    bench.kept.wait(&bench.line("scrape_samples_post_metric_relabeling", "", "1")).await;
    assert!(!bench.kept.all().iter().any(|line| line.starts_with("drop_me")));
    bench.apply(&format!("{STATIC}\n{drop_rule}- {{regex: a, action: labeldrop}}")).expect("config");
    bench.kept.wait(&bench.line("keep_me", "", "1")).await;
    bench.kept.wait(&bench.line("keep_me", "a=\"1\", ", "stale")).await;
    assert!(!bench.kept.has(&bench.line("up", "", "stale")), "the target itself went on");
}

#[tokio::test]
async fn a_scrape_over_a_limit_fails_as_a_whole() {
    for (limit, error) in [
        ("sample_limit: 1", "sample limit exceeded"),
        ("label_limit: 3", "label_limit exceeded (metric: b, number of labels: 4, limit: 3)"),
        (
            "label_name_length_limit: 8",
            "label_name_length_limit exceeded (metric: b, label name: long_name, length: 9, limit: 8)",
        ),
        ("body_size_limit: 10B", "body size limit exceeded"),
    ] {
        let bench = bench("b{long_name=\"1\"} 1\nc 1\n").await;
        bench.apply(&format!("{STATIC}\n{limit}")).expect("config");
        bench.kept.wait(&bench.line("up", "", "0")).await;
        assert!(!bench.kept.all().iter().any(|line| line.starts_with("b{")), "{limit}");
        assert_eq!(bench.manager.targets().active[0].last_error, error);
        bench.manager.stop().await;
    }
    let bench = bench("a 1\n").await;
    bench.apply("static_configs: [{targets: ['ADDR', 'localhost:1']}]\ntarget_limit: 1").expect("config");
    bench.kept.wait(&bench.line("up", "", "0")).await;
    assert_eq!(
        bench.manager.targets().active[0].last_error,
        "target_limit exceeded (number of targets: 2, limit: 1)"
    );
}

#[tokio::test]
async fn targets_are_relabelled_dropped_and_parametrised() {
    let bench = bench("a 1\n").await;
    let ignored = bench
        .apply(
            "static_configs: [{targets: ['ADDR', 'x:1'], labels: {team: shop}}]
params: {module: [http_2xx, second], q: ['a b&c']}
metrics_path: /probe
scrape_timeout: 50ms
basic_auth: {username: ada, password: secret}
kubernetes_sd_configs: [{role: pod}]
relabel_configs:
- {source_labels: [__address__], regex: 'x:1', action: drop}
- {source_labels: [__param_module], target_label: module}
- {target_label: __param_module, replacement: icmp}
- {target_label: instance, replacement: db}",
        )
        .expect("config");
    assert_eq!(ignored, ["scrape_configs[0].kubernetes_sd_configs"]);
    bench.kept.wait("a{instance=\"db\", job=\"j\", module=\"http_2xx\", team=\"shop\"} 1").await;
    let (headers, uri) = bench.page.asked();
    assert_eq!(uri, "/probe?module=icmp&module=second&q=a+b%26c");
    assert_eq!(headers["authorization"], "Basic YWRhOnNlY3JldA==");
    let targets = bench.manager.targets();
    assert_eq!((targets.dropped.len(), targets.dropped_counts["j"]), (1, 1));
    assert_eq!(targets.dropped[0].discovered["__address__"], "x:1");
}

#[tokio::test]
async fn answers_are_read_by_content_type_compressed_and_redirected() {
    let bench = bench("").await;
    bench.page.set(
        200,
        "application/openmetrics-text; version=1.0.0",
        b"# TYPE a counter\na_total 1\n# EOF\n",
    );
    bench.apply(&format!("{STATIC}\nmetrics_path: /moved")).expect("config");
    bench.kept.wait(&bench.line("a_total", "", "1")).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"zipped 1\n").expect("gzip");
    bench.page.set(200, TEXT, &gzip.finish().expect("gzip"));
    bench.kept.wait(&bench.line("zipped", "", "1")).await;
    bench.page.set(200, "text/html", b"a 1\n");
    bench.kept.wait(&bench.line("up", "", "0")).await;
    let error = bench.manager.targets().active[0].last_error.clone();
    assert!(error.starts_with("received unsupported Content-Type \"text/html\""), "{error}");
    bench.apply(&format!("{STATIC}\nfallback_scrape_protocol: PrometheusText0.0.4")).expect("config");
    bench.page.set(200, "text/html", b"fallen_back 1\n");
    bench.kept.wait(&bench.line("fallen_back", "", "1")).await;
}

#[tokio::test]
async fn a_target_that_hangs_or_refuses_is_down() {
    let bench = bench("a 1\n").await;
    let silent = platform::net::listen("127.0.0.1:0".parse().expect("addr")).await.expect("listen");
    let addr = silent.local_addr().expect("addr").to_string();
    bench.apply(&format!("static_configs: [{{targets: ['{addr}']}}]")).expect("config");
    bench.kept.wait(&format!("up{{instance=\"{addr}\", job=\"j\"}} 0")).await;
    let error = bench.manager.targets().active[0].last_error.clone();
    assert!(error.ends_with("context deadline exceeded"), "{error}");
    drop(silent);
    let closed = platform::net::listen("127.0.0.1:0".parse().expect("addr")).await.expect("listen");
    let addr = closed.local_addr().expect("addr").to_string();
    drop(closed);
    bench.apply(&format!("static_configs: [{{targets: ['{addr}']}}]")).expect("config");
    bench.kept.wait(&format!("up{{instance=\"{addr}\", job=\"j\"}} 0")).await;
    let error = bench.manager.targets().active[0].last_error.clone();
    assert_eq!(error, format!("Get \"http://{addr}/metrics\": dial tcp {addr}: connect: connection refused"));
}

#[tokio::test]
async fn files_and_http_tell_of_targets() {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("t1.yml");
    let bench = bench("a 1\n").await;
    let disk = RealDisk::open(dir.path()).expect("disk");
    let write = |text: &str| disk.write_atomic("t1.yml", text.as_bytes()).expect("write");
    write(&format!("- targets: ['{}']\n  labels: {{from: file}}\n", bench.addr));
    let pattern = dir.path().join("t*.yml");
    bench
        .apply(&format!("file_sd_configs: [{{files: ['{}'], refresh_interval: 1s}}]", pattern.display()))
        .expect("config");
    bench.kept.wait(&format!("a{{from=\"file\", instance=\"{}\", job=\"j\"}} 1", bench.addr)).await;
    let meta = bench.manager.targets().active[0].discovered["__meta_filepath"].clone();
    assert_eq!(meta, file.display().to_string());
    write("[]");
    bench.kept.wait(&format!("a{{from=\"file\", instance=\"{}\", job=\"j\"}} stale", bench.addr)).await;
    let list = format!("[{{\"targets\": [\"{}\"], \"labels\": {{\"from\": \"http\"}}}}]", bench.addr);
    bench.page.set(200, "application/json", list.as_bytes());
    bench
        .apply("http_sd_configs: [{url: 'http://ADDR/sd'}]\nfallback_scrape_protocol: PrometheusText0.0.4")
        .expect("config");
    bench.kept.wait(&format!("up{{from=\"http\", instance=\"{}\", job=\"j\"}} 0", bench.addr)).await;
}

#[tokio::test]
async fn a_configuration_that_cannot_work_names_job_field_and_fix() {
    let bench = bench("").await;
    for (extra, expected) in [
        (
            "scrape_timeout: 1s",
            "scrape_configs[0].scrape_timeout: 1s is greater than the scrape interval 100ms: shorten it",
        ),
        ("scheme: ftp", "scrape_configs[0].scheme: \"ftp\" is neither http nor https"),
        (
            "static_configs: [{targets: ['http://a']}]",
            "scrape_configs[0].static_configs[0].targets[0]: \"http://a\" is not a valid hostname",
        ),
        (
            "relabel_configs: [{action: hashmod, target_label: a}]",
            "scrape_configs[0].relabel_configs[0].modulus: relabel configuration for hashmod",
        ),
        (
            "metric_relabel_configs: [{regex: '(', target_label: a}]",
            "scrape_configs[0].metric_relabel_configs[0].regex: \"(\": unclosed group",
        ),
        ("basic_auth: {username: a}\nbearer_token: b", "scrape_configs[0].authorization: at most one of"),
        (
            "tls_config: {cert_file: /x}",
            "scrape_configs[0].tls_config.cert_file: goes with key_file: set both or none",
        ),
        (
            "tls_config: {ca_file: /no/such.pem}",
            "scrape_configs[0].tls_config.ca_file: /no/such.pem cannot be read (no such file or directory)",
        ),
        (
            "dns_sd_configs: [{names: [a], type: TXT}]",
            "scrape_configs[0].dns_sd_configs[0].type: \"TXT\" is none of",
        ),
        ("dns_sd_configs: [{names: [a], type: A}]", "scrape_configs[0].dns_sd_configs[0].port: is missing"),
        (
            "file_sd_configs: [{files: [a.txt]}]",
            "scrape_configs[0].file_sd_configs[0].files: a.txt does not end in",
        ),
        ("http_sd_configs: [{url: 'ftp://a'}]", "scrape_configs[0].http_sd_configs[0].url: \"ftp://a\""),
        ("scrape_interval: 1fortnight", "scrape_configs[0].scrape_interval: not a valid duration string"),
        (
            "scrape_intervall: 1s",
            "scrape_configs[0].scrape_intervall: there is no such key: did you mean scrape_interval?",
        ),
        (
            "relabel_configs: [{sorce_labels: [a]}]",
            "sorce_labels: there is no such key: did you mean source_labels?",
        ),
        (
            "relabel_configs: [{action: dorp}]",
            "relabel_configs[0].action: unknown relabel action \"dorp\": use replace",
        ),
        ("tls_config: {max_version: TLS11}", "tls_config.max_version: is not offered"),
        (
            "http_sd_configs: [{url: 'http://a', bearer_token: a, bearer_token_file: b}]",
            "http_sd_configs[0].authorization: at most one of",
        ),
        ("static_configs: [~]", "scrape_configs[0].static_configs[0]: is empty"),
        ("tls_config: {ca: x, ca_file: y}", "tls_config.ca_file: is set, and ca too: keep one"),
        ("scrape_protocols: []", "scrape_configs[0].scrape_protocols: is empty"),
        ("honor_labels: 'yes'", "scrape_configs[0].honor_labels: must be true or false"),
    ] {
        let error = bench.apply(extra).expect_err(extra).to_string();
        assert!(error.contains(expected), "{extra}: {error}");
    }
}

#[test]
fn a_configuration_whose_jobs_do_not_go_together_is_refused() {
    for (text, expected) in [
        (
            "scrape_configs: [{job_name: a}, {job_name: a}]",
            "scrape_configs[1].job_name: \"a\" is the name of scrape_configs[0] too: rename one of them",
        ),
        ("scrape_configs: [{}]", "scrape_configs[0].job_name: is missing: give the job a name"),
        (
            "global: {scrape_timeout: 2m}",
            "global.scrape_timeout: 2m is greater than the scrape interval 1m: shorten it",
        ),
    ] {
        let (config, _) = read(text).expect("yaml");
        let checked = ScrapeManager::check(&config.global, &config.scrape_configs);
        assert_eq!(checked.expect_err(text).to_string(), expected);
    }
    for (otlp, expected) in [
        ("{translation_strategy: X}", "otlp.translation_strategy: "),
        (
            "{promote_resource_attributes: [a, ' a ']}",
            "otlp.promote_resource_attributes[1]: stands in the list twice",
        ),
        (
            "{promote_all_resource_attributes: true, ignore_resource_attributes: ['']}",
            "otlp.ignore_resource_attributes[0]: is empty",
        ),
        ("{ignore_resource_attributes: [a]}", "otlp.ignore_resource_attributes: needs promote_all"),
    ] {
        let (config, _) = read(&format!("otlp: {otlp}")).expect("yaml");
        let error = config.otlp.translation().expect_err(otlp).to_string();
        assert!(error.starts_with(expected), "{otlp}: {error}");
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    let text = "scrape_configs:\n- job_name: a\n  bearer_token_file: /no/token\n  \
                file_sd_configs: [{files: [/no/targets.yml]}]\n  \
                http_sd_configs: [{url: 'http://a', basic_auth: {username: u, password_file: p}}]\n";
    let (mut config, _) = read(text).expect("yaml");
    config.resolve_paths(std::path::Path::new("/no/dir"));
    let said: Vec<String> = config.unreadable_files().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "scrape_configs[0].bearer_token_file: /no/token cannot be read (no such file or directory): name a file that is there",
            "scrape_configs[0].http_sd_configs[0].basic_auth.password_file: /no/dir/p cannot be read (no such file or directory): name a file that is there",
        ]
    );
}
