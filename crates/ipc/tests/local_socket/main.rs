//! Service and clients over a real local socket, honest clients and others.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod crowd;
mod skew;
mod support;

use std::path::Path;
use std::sync::Arc;

use everclat_ipc::{Client, ClientError, Control, LogLevel, PROTOCOL, Server};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::timeout;

use support::{PATIENCE, Service, Source, refused, status};

#[tokio::test]
async fn hello_and_status() {
    let service = Service::start().await;
    let mut client = Client::connect(&service.path, "test").await.unwrap();
    assert_eq!((client.service().protocol, client.service().program.as_str()), (PROTOCOL, "service"));
    assert_eq!(client.service().administrator, Some(rustix::process::geteuid().is_root()));
    for uptime in [0, 7] {
        service.change.send_replace(uptime);
        assert_eq!(client.status().await.unwrap(), status(uptime));
    }
}

#[tokio::test]
async fn a_watcher_gets_the_status_now_and_after_each_change() {
    let service = Service::start().await;
    let mut client = Client::connect(&service.path, "test").await.unwrap();
    client.watch().await.unwrap();
    for uptime in 0..5 {
        service.change.send_replace(uptime);
        // What is true now comes last, however many changes fell together.
        while timeout(PATIENCE, client.next()).await.unwrap().unwrap().service.uptime_s != uptime {}
    }
}

#[tokio::test]
async fn a_stopping_service_says_so() {
    let service = Service::start().await;
    let mut client = Client::connect(&service.path, "test").await.unwrap();
    service.stop.send_replace(true);
    assert!(matches!(client.status().await, Err(ClientError::Refused(_))));
}

#[tokio::test]
async fn garbage_instead_of_a_hello_is_refused_and_the_next_client_is_served() {
    let service = Service::start().await;
    for garbage in [&b"\xff\xfe\0"[..], b"", b"{}", b"[1,2]", b"{\"protocol\":-1,\"program\":\"x\"}"] {
        let mut raw = service.raw().await;
        raw.frame(garbage).await;
        assert!(refused(&raw.hear().await.unwrap(), "malformed"), "{garbage:?}");
        assert_eq!(raw.hear().await, None);
        service.serves().await;
    }
}

#[tokio::test]
async fn one_bad_request_is_answered_and_the_connection_goes_on() {
    let service = Service::start().await;
    let mut raw = service.raw().await;
    assert_eq!(raw.hello(PROTOCOL).await["reply"], "hello");
    raw.say(json!({"request": "fly"})).await;
    assert!(refused(&raw.hear().await.unwrap(), "malformed"));
    raw.say(json!({"request": "status"})).await;
    assert_eq!(raw.hear().await.unwrap()["reply"], "status");
}

#[tokio::test]
async fn a_giant_frame_is_refused_unread() {
    let service = Service::start().await;
    for greeted in [false, true] {
        for length in [16 * 1024 + 1, u32::MAX] {
            let mut raw = service.raw().await;
            if greeted {
                raw.hello(PROTOCOL).await;
            }
            raw.0.write_all(&length.to_be_bytes()).await.unwrap();
            assert!(refused(&raw.hear().await.unwrap(), "malformed"));
            assert_eq!(raw.hear().await, None, "what follows cannot be understood");
            service.serves().await;
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_harms_nobody() {
    let service = Service::start().await;
    let mut raw = service.raw().await;
    raw.0.write_all(&[0, 0, 0, 90, b'{']).await.unwrap();
    drop(raw);
    let mut raw = service.raw().await;
    raw.hello(PROTOCOL).await;
    raw.say(json!({"request": "watch"})).await;
    drop(raw);
    service.serves().await;
}

#[tokio::test]
async fn a_dead_services_socket_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let not_running = Client::connect(&path, "test").await;
    assert!(matches!(not_running, Err(ClientError::NotRunning { .. })), "{not_running:?}");
    let server = Server::bind(&path, "second").await.unwrap();
    let source = Source::new(watch::Sender::new(0).subscribe(), watch::Sender::new(false).subscribe());
    tokio::spawn(server.run(Arc::new(source)));
    assert_eq!(Client::connect(&path, "test").await.unwrap().service().program, "second");
}

#[tokio::test]
async fn a_living_services_socket_is_not() {
    let service = Service::start().await;
    let error = Server::bind(&service.path, "second").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    service.serves().await;
}

#[tokio::test]
async fn nobody_there() {
    let nowhere = Client::connect(Path::new("/nonexistent/sock"), "test").await;
    assert!(matches!(nowhere, Err(ClientError::NotRunning { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn what_may_be_changed_is_decided_by_who_asks() {
    let service = Service::start().await;
    let mut client = Client::connect(&service.path, "test 1").await.unwrap();
    client.control(Control::Resume).await.unwrap();
    let refused = client.control(Control::Rearm).await.unwrap_err();
    assert!(matches!(&refused, ClientError::NotAllowed(why) if why == "not you"), "{refused}");
    client.status().await.unwrap();
}

#[tokio::test]
async fn settings_come_with_what_is_wrong() {
    let service = Service::start().await;
    let report = Client::connect(&service.path, "test 1").await.unwrap().settings().await.unwrap();
    assert!(report.settings.iter().any(|entry| entry.key == "Enabled" && entry.value == "true"), "{report:?}");
    assert_eq!(report.problems, ["a problem"]);
}

#[tokio::test]
async fn the_log_comes_in_batches_and_is_followed() {
    let service = Service::start().await;
    service.change.send_replace(7);
    let mut client = Client::connect(&service.path, "test").await.unwrap();
    let mut times = Vec::new();
    client.log(false, Some(LogLevel::Warn), None).await.unwrap();
    loop {
        let batch = client.next_log().await.unwrap();
        times.extend(batch.entries.iter().map(|entry| (entry.unix_ms, entry.level)));
        if !batch.more {
            break;
        }
    }
    assert_eq!(times, (2..7).map(|time| (time, LogLevel::Warn)).collect::<Vec<_>>());
    client.status().await.unwrap();
    client.log(true, None, None).await.unwrap();
    while client.next_log().await.unwrap().more {}
    service.change.send_replace(8);
    assert_eq!(timeout(PATIENCE, client.next_log()).await.unwrap().unwrap().entries[0].unix_ms, 7);
}
