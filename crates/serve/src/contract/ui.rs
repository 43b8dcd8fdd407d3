//! The embedded UI: with a build it is served, without one the answer says how to make it.

use super::server::Server;

#[tokio::test]
async fn every_path_is_the_page_or_says_how_to_build_it() {
    let server = Server::start(crate::ui::router()).await;
    let page = server.ask("GET /services/pay").await;
    if page.status == 200 {
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.header("content-security-policy").contains("script-src 'self'"));
        assert_eq!(page.header("cache-control"), "no-cache");
    } else {
        assert_eq!(page.status, 404);
        assert!(page.text().contains("make ui"), "{}", page.text());
    }
    assert_eq!(server.ask("GET /assets/none-1234.js").await.status, 404);
    assert_eq!(server.ask("GET /api/none").await.status, 404);
    assert_eq!(server.ask("POST /").await.status, 405);
}
