//! The embedded UI: with a build it is served, without one the answer says how to make it.

use super::server::Server;
use std::io::Read;
use std::path::Path;

#[tokio::test]
async fn every_path_is_the_page_or_says_how_to_build_it() {
    let server = Server::start(crate::ui::router()).await;
    let page = server.ask("GET /services/pay").await;
    if page.status == 200 {
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.header("content-security-policy").contains("script-src 'self'"));
        assert_eq!(page.header("cache-control"), "no-cache");
        let text = page.text();
        let script = text
            .split('"')
            .find(|word| Path::new(word).extension().is_some_and(|end| end == "js"))
            .expect("a script");
        check_encodings(&server, script).await;
    } else {
        assert_eq!(page.status, 404);
        assert!(page.text().contains("make ui"), "{}", page.text());
    }
    assert_eq!(server.ask("GET /assets/none-1234.js").await.status, 404);
    assert_eq!(server.ask("GET /api/none").await.status, 404);
    assert_eq!(server.ask("POST /").await.status, 405);
}

/// The file plain and compressed, each under a tag of its own, and not at all to who has it.
async fn check_encodings(server: &Server, path: &str) {
    let request = format!("GET {path}");
    let ask = async |headers: &[(&str, &str)]| server.ask_with(&request, headers).await;
    let plain = ask(&[("accept-encoding", "br, gzip;q=0")]).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    let zipped = ask(&[("accept-encoding", "br, gzip;q=0.8")]).await;
    assert_eq!(
        (zipped.header("content-encoding"), zipped.header("vary")),
        ("gzip", "accept-encoding"),
        "{path}"
    );
    let mut whole = Vec::new();
    flate2::read::GzDecoder::new(&zipped.body[..]).read_to_end(&mut whole).expect("gzip");
    assert!(whole == plain.body && zipped.body.len() < plain.body.len(), "{path}");
    assert_ne!(zipped.header("etag"), plain.header("etag"));
    let known = format!("\"other\", {}", zipped.header("etag"));
    let again = ask(&[("accept-encoding", "gzip"), ("if-none-match", &known)]).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
    assert_eq!(ask(&[("if-none-match", &known)]).await.status, 200, "the plain one is another");
}
