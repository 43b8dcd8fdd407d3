//! Who may come in and whose data they see: tenants, TLS, passwords and tokens on every door.

use super::{JSON, line};
use crate::common::client::{Answer, Headers, ask, ask_over, call_over, frame, post, query, request};
use crate::common::{BINNACLE, Server, Setup, write};
use http::Method;
use rustls::pki_types::{CertificateDer, ServerName};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// bcrypt of `secret`, cost 4.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
/// `ada:secret`.
const BASIC: (&str, &str) = ("authorization", "Basic YWRhOnNlY3JldA==");
const WRONG: (&str, &str) = ("authorization", "Basic YWRhOlNlY3JldA==");
const BEARER: (&str, &str) = ("authorization", "Bearer t0ken");
const GRPC: (&str, &str) = ("content-type", "application/grpc");
const TENANT: &str = "x-scope-orgid";

/// Door, path, content type and body of one record that names `shop`.
fn writes(now_ns: i64) -> Vec<(&'static str, &'static str, &'static str, Vec<u8>)> {
    let span = |id: u8| {
        format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop-otlp"}}}}]}},
            "scopeSpans":[{{"spans":[{{"traceId":"{id:032x}","spanId":"{id:016x}","name":"op","kind":2,"startTimeUnixNano":"{now_ns}","endTimeUnixNano":"{now_ns}"}}]}}]}}]}}"#
        )
    };
    let us = now_ns / 1_000;
    let zipkin = format!(
        r#"[{{"traceId":"2","id":"2","name":"op","timestamp":{us},"duration":5,"localEndpoint":{{"serviceName":"shop-zipkin"}}}}]"#
    );
    let gauge = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"shop_gauge","gauge":{{"dataPoints":[{{"timeUnixNano":"{now_ns}","asDouble":1}}]}}}}]}}]}}]}}"#
    );
    vec![
        ("otlp-http", "/v1/traces", "application/json", span(1).into_bytes()),
        ("zipkin", "/api/v2/spans", "application/json", zipkin.into_bytes()),
        ("prometheus", "/api/v1/otlp/v1/metrics", "application/json", gauge.into_bytes()),
        ("loki", "/loki/api/v1/push", "application/json", line("shop-loki", "hello")),
    ]
}

#[tokio::test]
async fn a_tenant_sees_its_own_on_every_door() {
    let server = Server::start().await;
    for (door, path, kind, body) in writes(super::now_ns()) {
        let headers = [("content-type", kind), (TENANT, "team-a")];
        let taken = post(server.door(door), path, &headers, &body).await;
        assert!(taken.status < 300, "{door}: {}", taken.text());
    }
    let reads: &[(&str, &str, Headers<'_>, &str)] = &[
        ("prometheus", "/api/v1/query", &[("query", "shop_gauge")], "shop_gauge"),
        ("prometheus", "/api/v1/label/__name__/values", &[], "shop_gauge"),
        ("loki", "/loki/api/v1/query_range", &[("query", "{app=~\".+\"}")], "shop-loki"),
        ("loki", "/loki/api/v1/label/app/values", &[], "shop-loki"),
        ("tempo", "/api/search", &[("q", "{}")], "shop-otlp"),
        ("tempo", "/api/v2/search/tag/resource.service.name/values", &[], "shop-zipkin"),
        ("jaeger-query", "/api/services", &[], "shop-otlp"),
        ("jaeger-query", "/api/traces", &[("service", "shop-zipkin")], "shop-zipkin"),
        ("jaeger-query", "/api/v3/services", &[], "shop-otlp"),
        ("zipkin", "/api/v2/services", &[], "shop-otlp"),
        ("ui", "/api/binnacle/v1/services", &[], "shop-otlp"),
        ("ui", "/loki/loki/api/v1/label/app/values", &[], "shop-loki"),
    ];
    for (door, path, params, part) in reads {
        for (tenant, seen) in [("team-a", true), ("team-b", false)] {
            let answer = query(server.door(door), path, params, &[(TENANT, tenant)]).await;
            assert_eq!(answer.status, 200, "{door} {path}: {}", answer.text());
            assert_eq!(answer.text().contains(part), seen, "{door} {path} as {tenant}: {}", answer.text());
        }
        let nobody = query(server.door(door), path, params, &[]).await;
        assert!(!nobody.text().contains(part), "{door} {path} as nobody: {}", nobody.text());
    }
    for door in ["otlp-grpc", "jaeger-collector"] {
        let refused = ask(server.door(door), Method::POST, "/nothing", &[JSON, (TENANT, "a/b")], b"{}").await;
        assert_eq!(refused.map(|answer| answer.status), Some(404), "{door}");
    }
}

/// A certificate for `localhost`, in files.
fn certificate(dir: &Path) -> CertificateDer<'static> {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("parameters");
    let certificate = params.self_signed(&key).expect("a certificate");
    write(dir, "cert.pem", &certificate.pem());
    write(dir, "key.pem", &key.serialize_pem());
    certificate.der().clone()
}

/// A connector that trusts `certificate` and speaks `protocol`.
fn connector(certificate: CertificateDer<'static>, protocol: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn secure(
    addr: SocketAddr,
    connector: &TlsConnector,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let stream = platform::net::connect(&addr.to_string()).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    connector.connect(name, stream).await.expect("a handshake")
}

async fn get_over_tls(addr: SocketAddr, connector: &TlsConnector, headers: Headers<'_>) -> Answer {
    let stream = secure(addr, connector).await;
    ask_over(stream, request(Method::GET, "/nothing/here", headers, &[])).await.expect("an answer")
}

#[tokio::test]
async fn every_door_wants_tls_and_a_password_or_a_token() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = certificate(dir.path());
    let web = format!(
        "tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\nbasic_auth_users: {{ada: '{HASH}'}}\n"
    );
    let web = write(dir.path(), "web.yml", &web);
    let tokens = write(dir.path(), "tokens", "t0ken\n");
    let flags = [
        "--web-config",
        web.to_str().expect("a path"),
        "--bearer-tokens-file",
        tokens.to_str().expect("a path"),
    ];
    let server = Server::start_locked(&Setup { flags: &flags, ..Setup::default() }).await;
    let (http1, http2) = (connector(root.clone(), b"http/1.1"), connector(root, b"h2"));
    assert_eq!(server.doors().len(), 12);
    for (door, addr) in server.doors() {
        let plain = ask(*addr, Method::GET, "/", &[], &[]).await.expect("a refusal");
        assert!(plain.status == 400 && plain.text().contains("HTTPS server"), "{door} speaks without TLS");
        for (headers, admitted) in [(&[][..], false), (&[WRONG], false), (&[BASIC], true), (&[BEARER], true)]
        {
            let answer = get_over_tls(*addr, &http1, headers).await;
            assert_eq!(answer.status != 401, admitted, "{door} {headers:?}: {}", answer.status);
            assert_eq!(answer.header("www-authenticate").is_empty(), admitted, "{door} {headers:?}");
        }
        let call = async |headers: Headers<'_>| {
            let stream = secure(*addr, &http2).await;
            call_over(stream, *addr, "/nobody.Home/Call", headers, &frame(0, &[])).await
        };
        assert_eq!(call(&[GRPC]).await.header("grpc-status"), "16", "{door}");
        assert_ne!(call(&[GRPC, BEARER]).await.header("grpc-status"), "16", "{door}");
    }
    let stderr = server.stderr();
    assert!(!stderr.contains("t0ken") && !stderr.contains("secret"), "{stderr}");
}

#[tokio::test]
async fn useless_secrets_are_one_sentence() {
    let dir = tempfile::tempdir().expect("a directory");
    let cases: &[(&str, &[&str])] = &[
        ("basic_auth_users: {ada: secret}\n", &["basic_auth_users", "bcrypt"]),
        (
            "tls_server_config: {cert_file: none.pem, key_file: none.pem}\n",
            &["tls_server_config", "none.pem"],
        ),
        ("basic_auth: {}\n", &["web.yml", "basic_auth"]),
    ];
    for (text, parts) in cases {
        let web = write(dir.path(), "web.yml", text);
        let flags = ["--web-config", web.to_str().expect("a path")];
        let Err((status, stderr)) = Server::try_start(&Setup { flags: &flags, ..Setup::default() }).await
        else {
            panic!("{text:?} was accepted");
        };
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert!(
            parts.iter().all(|part| stderr.contains(part)) && !stderr.contains("panicked"),
            "{text:?}: {stderr}"
        );
        assert!(!stderr.contains(": secret"), "{stderr}");
    }
}

#[tokio::test]
async fn the_command_line_trusts_only_certificates_it_can_verify() {
    let (dir, elsewhere) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    certificate(dir.path());
    certificate(elsewhere.path());
    let web = write(dir.path(), "web.yml", "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n");
    let flags = ["--web-config", web.to_str().expect("a path")];
    let server = Server::start_locked(&Setup { flags: &flags, ..Setup::default() }).await;
    let port = server.door("ui").port();
    let check = async |address: &str, authorities: Option<&Path>, words: &[&str], code: i32, part: &str| {
        let mut command = tokio::process::Command::new(BINNACLE);
        command.args(words).args(["--server", &format!("{address}:{port}")]);
        if let Some(folder) = authorities {
            command.arg("--ca-file").arg(folder.join("cert.pem"));
        }
        let output = command.output().await.expect("the program");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.code() == Some(code) && text.contains(part), "{address} {words:?}: {text}");
    };
    let (query, own) = (&["query", "vector(7)"][..], Some(dir.path()));
    check("https://localhost", own, query, 0, "7").await;
    check("https://localhost", None, query, 1, "--ca-file names").await;
    check("https://localhost", Some(elsewhere.path()), query, 1, "--ca-file names").await;
    check("https://127.0.0.1", own, query, 1, "must have the name").await;
    check("http://localhost", None, query, 2, "HTTPS server").await;
    // Following goes over a WebSocket; the server refuses this query there, so TLS was passed.
    check("https://localhost", own, &["logs", "-f", "{app=~\".*\"}"], 2, "matcher").await;
    check("https://localhost", None, &["logs", "-f", "{a=\"b\"}"], 1, "--ca-file names").await;
}
