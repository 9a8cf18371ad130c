//! Against a real HTTPS server on the loopback interface, with names from a real resolver there.

mod server;

use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::dns::tests::server::{NXDOMAIN, RESPONSE, SAME, Server as Resolver, aaaa, soa};
use crate::dns::tests::{LINK, Loopback};
use server::{Identity, NAME, Server, ok, status};

const BUDGET: Duration = Duration::from_secs(5);
const CAPTIVE: &str =
    r#"{"captive":true,"user-portal-url":"https://portal.example/sign-in?a=b#c","seconds-remaining":3}"#;

/// A portal and who vouches for it.
struct World {
    identity: Identity,
    resolver: Resolver,
}

impl World {
    async fn new() -> Self {
        Self::with(Identity::new()).await
    }

    async fn with(identity: Identity) -> Self {
        let resolver = Resolver::start(|_, heard| {
            assert!(heard.is_about(b"\x06portal\x07example\0") && heard.kind() == 28);
            // The first address is dead.
            vec![heard.answer(RESPONSE, &[aaaa(SAME, 60, "100::1"), aaaa(SAME, 60, "::1")], &[])]
        })
        .await;
        Self { identity, resolver }
    }

    async fn ask(&self, uri: &str, budget: Duration) -> PortalAnswer {
        let certificate = self.identity.certificate.clone();
        let tls = move || Tls::trusting(vec![certificate.clone()]);
        Way { sockets: &Loopback, link: LINK, servers: &[self.resolver.address], tls }.ask(uri, budget).await
    }

    async fn hears(&self, response: Vec<u8>) -> PortalAnswer {
        let server = Server::start(&self.identity, move |_, _| response.clone()).await;
        self.ask(&server.uri(), BUDGET).await
    }
}

fn captive(page: &str) -> PortalAnswer {
    PortalAnswer::Captive { page: Some(page.into()) }
}

fn failed(reason: &str) -> PortalAnswer {
    PortalAnswer::Failed { reason: reason.into() }
}

#[tokio::test]
async fn the_question_is_one_get_for_captive_json() {
    let world = World::new().await;
    let server = Server::says(&world.identity, CAPTIVE).await;
    assert_eq!(world.ask(&server.uri(), BUDGET).await, captive("https://portal.example/sign-in?a=b#c"));
    let expected =
        format!("GET /api?v=1 HTTP/1.1\r\nhost: {NAME}:{}\r\naccept: application/captive+json\r\n\r\n", server.port);
    assert_eq!(server.asked(), [expected]);
}

#[tokio::test]
async fn open_is_open_whatever_else_is_said() {
    let world = World::new().await;
    for body in [r#"{"captive":false}"#, r#"{"captive":false,"user-portal-url":"https://portal.example/"}"#] {
        assert_eq!(world.hears(ok(body.as_bytes())).await, PortalAnswer::Open);
    }
}

#[tokio::test]
async fn an_address_in_the_uri_needs_no_resolver() {
    let world = World::new().await;
    let server = Server::says(&world.identity, r#"{"captive":false}"#).await;
    assert_eq!(world.ask(&format!("https://[::1]:{}", server.port), BUDGET).await, PortalAnswer::Open);
    assert!(server.asked()[0].starts_with("GET / HTTP/1.1\r\n"));
    assert!(world.resolver.heard().is_empty());
}

#[tokio::test]
async fn a_chunked_answer_is_put_together() {
    let chunked =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\n{\"captiv\r\n9\r\ne\":false}\r\n0\r\n\r\n";
    assert_eq!(World::new().await.hears(chunked.to_vec()).await, PortalAnswer::Open);
}

#[tokio::test]
async fn what_is_no_answer_is_none() {
    let world = World::new().await;
    for (response, reason) in [
        (ok(b"<html>Sign in</html>"), "an answer that is not JSON"),
        (ok(b""), "an answer that is not JSON"),
        (ok(b"\xff\xfe"), "an answer that is not JSON"),
        (ok(b"{}"), "an answer without \"captive\""),
        (ok(b"[true]"), "an answer without \"captive\""),
        (ok(br#"{"captive":"true"}"#), "an answer without \"captive\""),
        (ok(br#"{"captive":null}"#), "an answer without \"captive\""),
        (status("404 Not Found", ""), "an answer other than 200"),
        (status("204 No Content", ""), "an answer other than 200"),
        (status("500 Sorry", ""), "an answer other than 200"),
        (b"SSH-2.0-portal\r\n".to_vec(), "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"captive\":".to_vec(), "an answer too long or cut short"),
    ] {
        assert_eq!(world.hears(response).await, failed(reason));
    }
}

#[tokio::test]
async fn a_long_answer_is_not_read_to_its_end() {
    let world = World::new().await;
    let body = |size: usize| format!(r#"{{"captive":false,"x":"{}"}}"#, "y".repeat(size)).into_bytes();
    assert_eq!(world.hears(ok(&body(60_000))).await, PortalAnswer::Open);
    assert_eq!(world.hears(ok(&body(MAX_BODY))).await, failed("an answer too long or cut short"));
    let endless = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body(50 * MAX_BODY)].concat();
    assert_eq!(world.hears(endless).await, failed("an answer too long or cut short"));
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(2 * MAX_BODY)).into_bytes();
    assert_eq!(world.hears(head).await, failed("no HTTP answer"));
}

#[tokio::test]
async fn silence_ends_with_the_budget() {
    let world = World::new().await;
    let started = Instant::now();
    let budget = Duration::from_millis(700);
    let server = Server::start(&world.identity, |_, _| Vec::new()).await;
    assert_eq!(world.ask(&server.uri(), budget).await, failed("no answer in time"));
    assert!(started.elapsed() < budget * 2, "{:?}", started.elapsed());
}

#[tokio::test]
async fn only_https_will_do() {
    let world = World::new().await;
    for (uri, reason) in [
        ("http://portal.example/api", "its URI is not https"),
        ("ftp://portal.example/api", "its URI is not https"),
        ("/api", "its URI is not https"),
        ("https://", "not a URI"),
        ("", "not a URI"),
        ("https://portal.example/a b", "not a URI"),
        ("https://user:secret@portal.example/api", "its URI names a user"),
        ("https://192.0.2.1/api", "its URI has an IPv4 address"),
    ] {
        assert_eq!(world.ask(uri, BUDGET).await, failed(reason), "{uri}");
    }
    let long = format!("https://portal.example/{}", "x".repeat(MAX_URI));
    assert_eq!(world.ask(&long, BUDGET).await, failed("its URI is too long"));
    assert!(world.resolver.heard().is_empty(), "none was worth a question");
}

#[tokio::test]
async fn a_certificate_has_to_be_trusted_valid_and_of_that_name() {
    for identity in [Identity::expired(), Identity::of_somebody_else()] {
        let world = World::with(identity).await;
        assert_eq!(world.hears(ok(br#"{"captive":false}"#)).await, failed("no trusted TLS connection"));
    }
    let world = World::new().await;
    let server = Server::says(&Identity::new(), r#"{"captive":false}"#).await;
    assert_eq!(world.ask(&server.uri(), BUDGET).await, failed("no trusted TLS connection"));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_system_without_certificates_says_so() {
    let way = Way { sockets: &Loopback, link: LINK, servers: &[], tls: || Tls::trusting(Vec::new()) };
    let answer = way.ask("https://portal.example/", BUDGET).await;
    assert_eq!(answer, failed("no trusted certificates on this system"));
}

#[tokio::test]
async fn a_few_redirects_are_followed_and_no_more() {
    let world = World::new().await;
    let moved = |steps: usize| {
        Server::start(&world.identity, move |number, port| {
            let place = match number {
                0 => "/next".to_owned(),
                _ => format!("https://{NAME}:{port}/next/{number}"),
            };
            let moved = status("302 Found", &format!("location: {place}\r\n"));
            if number < steps { moved } else { ok(br#"{"captive":false}"#) }
        })
    };
    let server = moved(3).await;
    assert_eq!(world.ask(&server.uri(), BUDGET).await, PortalAnswer::Open);
    let paths: Vec<_> = server.asked().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(paths, ["/api?v=1", "/next", "/next/1", "/next/2"]);

    let loops = moved(usize::MAX).await;
    assert_eq!(world.ask(&loops.uri(), BUDGET).await, failed("too many redirects"));
    assert_eq!(loops.asked().len(), 4);
}

#[tokio::test]
async fn a_redirect_does_not_lead_out_of_https() {
    let world = World::new().await;
    for (location, reason) in [
        ("location: http://portal.example/\r\n", "its URI is not https"),
        ("location: //portal.example/\r\n", "its URI is not https"),
        ("location: javascript:alert(1)\r\n", "its URI is not https"),
        ("", "a redirect to nowhere"),
    ] {
        assert_eq!(world.hears(status("301 Moved", location)).await, failed(reason), "{location}");
    }
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_a_failure() {
    let mut world = World::new().await;
    world.resolver = Resolver::start(|_, heard| vec![heard.answer(NXDOMAIN, &[], &[soa(60, 60)])]).await;
    assert_eq!(world.ask("https://portal.example/", BUDGET).await, failed("its name has no IPv6 address"));
    world.resolver = Resolver::start(|_, heard| vec![heard.answer(RESPONSE, &[aaaa(SAME, 60, "::1")], &[])]).await;
    assert_eq!(world.ask("https://portal.example:1/", BUDGET).await, failed("cannot be reached"));
}

#[test]
fn a_page_is_an_ordinary_address() {
    let page = |page: &str| {
        let body = serde_json::json!({ "captive": true, "user-portal-url": page }).to_string();
        let answer = understand(body.as_bytes());
        let Ok(PortalAnswer::Captive { page }) = answer else { panic!("{answer:?}") };
        page
    };
    for good in ["https://portal.example/", "http://portal.example", "https://[2001:db8::1]/sign-in?mac=1#top"] {
        assert_eq!(page(good).as_deref(), Some(good));
    }
    let long = format!("https://portal.example/{}", "x".repeat(MAX_URI));
    for bad in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://",
        "/sign-in",
        "",
        "https://portal.example/\u{202e}",
        "https://portal.example/a b",
        "https://portal.example/\n",
        "https://portal.example/\u{1b}[2J",
        "https://pörtal/",
        long.as_str(),
    ] {
        assert_eq!(page(bad), None, "{bad:?}");
    }
    assert_eq!(understand(br#"{"captive":true,"user-portal-url":7}"#), Ok(PortalAnswer::Captive { page: None }));
}

#[tokio::test]
async fn nothing_runs_on_after_the_answer() {
    let world = World::new().await;
    let server = Server::start(&world.identity, |_, _| Vec::new()).await;
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    world.ask(&server.uri(), Duration::from_millis(300)).await;
    sleep(Duration::from_millis(100)).await;
    assert!(tokio::runtime::Handle::current().metrics().num_alive_tasks() <= before + 1, "the server's own connection");
}

/// The environment is for a whole process, so the test runs itself once more.
#[tokio::test]
async fn roots_are_the_system_s_or_those_of_ssl_cert_file() {
    if let Ok(uri) = std::env::var("EVERCLAT_TEST_PORTAL") {
        assert_eq!(ask(&Loopback, LINK, &[], &uri, BUDGET).await, PortalAnswer::Open);
        return;
    }
    let identity = Identity::new();
    let server = Arc::new(Server::says(&identity, r#"{"captive":false}"#).await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, &identity.pem).unwrap();
    let uri = format!("https://[::1]:{}/", server.port);
    assert_eq!(ask(&Loopback, LINK, &[], &uri, BUDGET).await, failed("no trusted TLS connection"));
    let again = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "portal::tests::roots_are_the_system_s_or_those_of_ssl_cert_file"])
            .env("EVERCLAT_TEST_PORTAL", uri)
            .env("SSL_CERT_FILE", file)
            .output()
            .unwrap()
    });
    let output = again.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(server.asked().len(), 1);
}
