//! Listeners over real sockets and real TLS.

use super::*;
use crate::scrape::PrometheusConfig;
use crate::tls::{ClientAuth, TlsServerConfig};
use axum::routing::get;
use platform::{Disk, RealDisk};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt;

struct Bench {
    addr: SocketAddr,
    registry: Registry,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<Option<()>>,
}

async fn bench(limits: ListenLimits, tls: Option<ServerTls>) -> Bench {
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "slow"
    };
    let router = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
    let listener = platform::net::listen("127.0.0.1:0".parse().expect("addr")).await.expect("listen");
    let addr = listener.local_addr().expect("addr");
    let (registry, stop) = (Registry::default(), CancellationToken::new());
    let (metrics, token) = (registry.clone(), stop.clone());
    let served = platform::task::spawn("listener", async move {
        serve_listener("test", listener, router, tls.map(Arc::new), limits, &metrics, token).await;
    });
    Bench { addr, registry, stop, served }
}

async fn ask(addr: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = platform::net::connect(&addr.to_string()).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Waits until the server closes `stream`.
async fn closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_and_places_come_back() {
    let bench = bench(ListenLimits { room: Room::new(2), ..ListenLimits::default() }, None).await;
    let address = bench.addr.to_string();
    let first = platform::net::connect(&address).await.expect("connect");
    let second = platform::net::connect(&address).await.expect("connect");
    let mut third = platform::net::connect(&address).await.expect("connect");
    assert!(closed(&mut third).await);
    assert!(bench.registry.render().contains("binnacle_connections_refused_total{door=\"test\"} 1"));
    drop((first, second));
    for _ in 0..100 {
        if ask(bench.addr, "/").await.is_ok_and(|answer| answer.ends_with("hello")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the places did not come back");
}

#[tokio::test]
async fn clients_that_dribble_or_say_nothing_are_cut_off() {
    let bench = bench(ListenLimits { header_read_seconds_max: 1, ..ListenLimits::default() }, None).await;
    for said in ["", "GET / HTTP/1.1\r\nhost:"] {
        let mut stream = platform::net::connect(&bench.addr.to_string()).await.expect("connect");
        stream.write_all(said.as_bytes()).await.expect("write");
        assert!(closed(&mut stream).await, "{said:?}");
    }
}

#[tokio::test]
async fn requests_at_work_are_finished_before_the_listener_ends() {
    let bench = bench(ListenLimits::default(), None).await;
    let mut idle = platform::net::connect(&bench.addr.to_string()).await.expect("connect");
    let addr = bench.addr;
    let asked = platform::task::spawn("client", async move { ask(addr, "/slow").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.stop.cancel();
    bench.served.await.expect("joined").expect("no panic");
    let answer = asked.await.expect("joined").expect("no panic").expect("answer");
    assert!(answer.ends_with("slow"), "{answer}");
    assert!(closed(&mut idle).await);
    assert!(bench.registry.render().contains("binnacle_connections{door=\"test\"} 0"));
}

struct Files {
    dir: tempfile::TempDir,
    disk: RealDisk,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let disk = RealDisk::open(dir.path()).expect("disk");
        Self { dir, disk }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        self.disk.write_atomic(name, text.as_bytes()).expect("write");
        self.dir.path().join(name)
    }

    /// An authority, and a certificate of it for `localhost` with its key.
    fn make(&self) -> (PathBuf, PathBuf, PathBuf) {
        let key = rcgen::KeyPair::generate().expect("key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = rcgen::CertifiedIssuer::self_signed(params, key).expect("authority");
        let leaf_key = rcgen::KeyPair::generate().expect("key");
        let leaf = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("params");
        let leaf = leaf.signed_by(&leaf_key, &authority).expect("leaf");
        let ca = self.write("ca.pem", &authority.pem());
        (ca, self.write("cert.pem", &leaf.pem()), self.write("key.pem", &leaf_key.serialize_pem()))
    }
}

/// The outcome of fetching from `addr` with a scrape job's `tls_config`.
async fn fetch(addr: SocketAddr, tls_config: &str) -> Result<String, String> {
    use crate::scrape::fetch_for_test;
    let text = format!("scrape_configs: [{{job_name: j, scheme: https, tls_config: {tls_config}}}]");
    let document = crate::yaml::Document::parse(&text).expect("yaml");
    let (config, _) = PrometheusConfig::read(&document).expect("a configuration");
    fetch_for_test(&config.scrape_configs[0], &format!("https://localhost:{}/", addr.port())).await
}

#[tokio::test]
async fn tls_is_served_and_spoken_with_and_without_client_certificates() {
    let files = Files::new();
    let (ca, cert, key) = files.make();
    let show = |path: &Path| path.display().to_string();
    let trusting = format!("{{ca_file: '{}'}}", show(&ca));
    let known =
        format!("{{ca_file: '{}', cert_file: '{}', key_file: '{}'}}", show(&ca), show(&cert), show(&key));
    let config = TlsServerConfig { cert_file: cert, key_file: key, ..TlsServerConfig::default() };
    let open = bench(ListenLimits::default(), Some(ServerTls::load(config.clone()).expect("tls"))).await;
    assert_eq!(fetch(open.addr, &trusting).await.as_deref(), Ok("hello"));
    assert_eq!(fetch(open.addr, "{insecure_skip_verify: true}").await.as_deref(), Ok("hello"));
    assert!(fetch(open.addr, "{}").await.expect_err("unknown authority").contains("certificate"));
    let wrong_name = format!("{{ca_file: '{}', server_name: other}}", show(&ca));
    assert!(fetch(open.addr, &wrong_name).await.is_err());
    let client_auth_type = ClientAuth::RequireAndVerifyClientCert;
    let strict = TlsServerConfig { client_auth_type, client_ca_file: Some(ca), ..config };
    let strict = bench(ListenLimits::default(), Some(ServerTls::load(strict).expect("tls"))).await;
    assert_eq!(fetch(strict.addr, &known).await.as_deref(), Ok("hello"));
    assert!(fetch(strict.addr, &trusting).await.is_err());
}

#[test]
fn files_that_cannot_serve_tls_are_named() {
    let files = Files::new();
    let (ca, cert_file, key_file) = files.make();
    let empty = files.write("empty.pem", "");
    let good = TlsServerConfig { cert_file, key_file, ..TlsServerConfig::default() };
    let read = |text: &str| {
        let document = crate::yaml::Document::parse(text).expect(text);
        let (read, _): (TlsServerConfig, _) = document.read(&[]).expect(text);
        TlsServerConfig { cert_file: good.cert_file.clone(), key_file: good.key_file.clone(), ..read }
    };
    let with_ca = TlsServerConfig { client_ca_file: Some(ca.clone()), ..good.clone() };
    for (config, part) in [
        (TlsServerConfig::default(), "cert_file: is missing"),
        (
            TlsServerConfig { cert_file: "/no/such.pem".into(), ..good.clone() },
            "cert_file: /no/such.pem cannot",
        ),
        (TlsServerConfig { cert_file: empty, ..good.clone() }, "holds no PEM certificate"),
        (TlsServerConfig { key_file: ca.clone(), ..good.clone() }, "key_file"),
        (TlsServerConfig { cert_file: ca.clone(), ..good.clone() }, "cert_file"),
        (with_ca, "client_auth_type: is missing"),
        (read("client_auth_type: RequireAndVerifyClientCert"), "client_ca_file: is missing"),
        (read("client_auth_type: RequestClientCert"), "client_auth_type: is not offered"),
        (read("client_allowed_sans: [a]"), "client_allowed_sans: is not offered"),
        (read("max_version: TLS10"), "max_version: is not offered"),
        (read("{min_version: TLS13, max_version: TLS12}"), "max_version: is below min_version"),
        (
            read("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]"),
            "cipher_suites: \"TLS_RSA_WITH_RC4_128_SHA\" is not",
        ),
        (
            read("{max_version: TLS12, cipher_suites: [TLS_AES_128_GCM_SHA256]}"),
            "cipher_suites: names no suite",
        ),
        (
            read("curve_preferences: [CurveP521]"),
            "curve_preferences: \"CurveP521\" is not offered: use CurveP256",
        ),
        (read("cert: x"), "cert_file: is set, and cert too"),
    ] {
        let error = ServerTls::load(config).expect_err(part).to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
    for text in [
        "{min_version: TLS12, max_version: TLS13, prefer_server_cipher_suites: true}",
        "{min_version: TLS12, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384]}",
        "curve_preferences: [X25519, CurveP256]",
        "min_version: TLS10",
        "client_auth_type: NoClientCert",
    ] {
        assert!(ServerTls::load(read(text)).is_ok(), "{text}");
    }
}

#[tokio::test]
async fn versions_suites_and_inline_certificates_count() {
    let files = Files::new();
    let (ca, cert, key) = files.make();
    let text = |path: &Path| platform::files::read_text(path).expect("a file");
    let config = TlsServerConfig {
        cert: Some(text(&cert)),
        key_file: key,
        min_version: Some(crate::tls::TlsVersion::V13),
        without_http2: true,
        ..TlsServerConfig::default()
    };
    let served = bench(ListenLimits::default(), Some(ServerTls::load(config).expect("tls"))).await;
    let inline = serde_json::Value::from(text(&ca));
    let with = |rest: &str| format!("{{ca: {inline}{rest}}}");
    assert_eq!(fetch(served.addr, &with("")).await.as_deref(), Ok("hello"));
    assert_eq!(fetch(served.addr, &with(", min_version: TLS13")).await.as_deref(), Ok("hello"));
    assert!(fetch(served.addr, &with(", max_version: TLS12")).await.is_err());
    let plain = ask(served.addr, "/").await.expect("an answer");
    assert!(
        plain.starts_with("HTTP/1.0 400 ") && plain.contains("HTTP request to an HTTPS server"),
        "{plain}"
    );
}
