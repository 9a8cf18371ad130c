//! Client and service of different versions.

use everclat_ipc::{Client, ClientError, Control, LogLevel, MIN_PROTOCOL, PROTOCOL};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixListener;

use crate::support::{Raw, Service, refused, status};

/// A service of another version, which answers each request as told.
struct Other {
    path: std::path::PathBuf,
    _dir: TempDir,
}

impl Other {
    fn start(protocol: u32, answers: Vec<Value>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let mut raw = Raw(listener.accept().await.unwrap().0);
            raw.hear().await.unwrap();
            raw.say(json!({"reply": "hello", "protocol": protocol, "program": "other"})).await;
            for answer in answers {
                if raw.hear().await.is_none() {
                    return;
                }
                raw.say(answer).await;
            }
            raw.hear().await;
        });
        Self { path, _dir: dir }
    }
}

/// A status reply with some fields changed or added.
fn status_with(changes: &[(&str, Value)]) -> Value {
    let mut reply = serde_json::to_value(status(3)).unwrap();
    reply["reply"] = "status".into();
    for (field, value) in changes {
        reply[*field] = value.clone();
    }
    reply
}

#[tokio::test]
async fn a_newer_service_may_say_more() {
    let said = status_with(&[("weather", json!({"rain": true})), ("tests", json!([]))]);
    let service = Other::start(PROTOCOL, vec![said]);
    let heard = Client::connect(&service.path, "old").await.unwrap().hear().await.unwrap();
    assert_eq!(*heard.status, status(3));
    assert_eq!(heard.document["weather"]["rain"], true, "scripts get what the service said");
    assert_eq!(heard.document.get("reply"), None);
    let first = heard.document.as_object().unwrap().keys().next().unwrap();
    assert_eq!(first, "schema", "in the service's order");
}

#[tokio::test]
async fn words_that_only_a_newer_service_has_leave_the_document_readable() {
    for (field, value) in [
        ("state", json!("levitating")),
        ("code", json!("CL-998")),
        ("owner", json!("martians")),
        ("plane", json!("teleport")),
        ("pref64", json!([{"prefix": "64:ff9b::/96", "source": "dream", "expires_s": null, "uplink": null}])),
    ] {
        let service = Other::start(PROTOCOL, vec![status_with(&[(field, value.clone())]), json!({"reply": "done"})]);
        let mut client = Client::connect(&service.path, "old").await.unwrap();
        match client.status().await {
            Err(error @ ClientError::Newer { .. }) => {
                assert!(error.to_string().contains("newer than this program"), "{error}");
                let ClientError::Newer { said, .. } = error else { unreachable!() };
                assert_eq!((&said[field], said.get("reply")), (&value, None));
            }
            other => panic!("{field}: {other:?}"),
        }
        client.control(Control::Resume).await.unwrap();
    }
}

#[tokio::test]
async fn a_watch_outlives_a_word_it_does_not_know() {
    let service = Other::start(PROTOCOL, vec![status_with(&[("code", json!("CL-998"))])]);
    let mut client = Client::connect(&service.path, "old").await.unwrap();
    client.watch().await.unwrap();
    assert!(matches!(client.next().await, Err(ClientError::Newer { .. })));
}

#[tokio::test]
async fn replies_and_refusals_that_only_a_newer_service_has() {
    let answers = vec![
        json!({"reply": "poem", "lines": []}),
        json!({"reply": "refused", "kind": "full_moon", "message": "not tonight"}),
        json!({"reply": "settings", "settings": [], "problems": [], "mood": "good"}),
    ];
    let service = Other::start(PROTOCOL, answers);
    let mut client = Client::connect(&service.path, "old").await.unwrap();
    assert!(matches!(client.control(Control::Resume).await, Err(ClientError::Newer { .. })));
    let refusal = client.control(Control::Resume).await.unwrap_err();
    assert!(matches!(&refusal, ClientError::Refused(why) if why == "not tonight"), "{refusal}");
    client.settings().await.unwrap();
}

#[tokio::test]
async fn an_older_service_is_understood() {
    let mut reply = status_with(&[("product", json!({"version": "0", "protocol": MIN_PROTOCOL}))]);
    reply.as_object_mut().unwrap().remove("pause");
    assert_eq!(reply["rearms"].as_object_mut().unwrap().remove("history"), Some(json!([])));
    let service = Other::start(MIN_PROTOCOL, vec![reply]);
    let mut client = Client::connect(&service.path, "new").await.unwrap();
    assert_eq!(client.service().protocol, MIN_PROTOCOL);
    assert_eq!(client.status().await.unwrap().rearms.history, []);
}

/// A re-arming for a reason, by steps and with fields that only a newer service has, and without one that was dropped.
#[tokio::test]
async fn a_newer_history_is_read_as_far_as_it_is_known() {
    let one = json!({"number": 7, "time": "2026-11-21T08:14:26Z", "reason": "solar-flare", "gap_ms": 3, "standby_ms": null,
        "from": "eth0", "to": "wlan0", "left": "eclipsed", "done": ["took-reserve", "flew"], "flows_ended": 4});
    let rearms = json!({"count": 7, "last_ms": 3, "last_reason": "solar-flare", "history": [one], "mood": "good"});
    let service = Other::start(PROTOCOL, vec![status_with(&[("rearms", rearms.clone())])]);
    let heard = Client::connect(&service.path, "old").await.unwrap().hear().await.unwrap();
    assert_eq!(heard.document["rearms"], rearms, "scripts get what the service said");
    let known = &heard.status.rearms.history[0];
    assert_eq!((known.number, known.gap_ms, known.reason.as_str()), (7, 3, "solar-flare"));
    assert_eq!((known.left.as_deref(), known.first_reply_ms), (Some("eclipsed"), None));
    assert_eq!(known.done, ["took-reserve", "flew"]);
}

#[tokio::test]
async fn what_an_older_service_cannot_do_is_said_without_asking_it() {
    let service = Other::start(1, vec![status_with(&[])]);
    let mut client = Client::connect(&service.path, "new").await.unwrap();
    for error in [
        client.log(true, None, None).await.unwrap_err(),
        client.log_level(LogLevel::Debug, std::time::Duration::from_secs(1)).await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, ClientError::VersionSkew(skew) if skew.message.starts_with("other is older")),
            "{error}"
        );
    }
    client.status().await.unwrap();
}

#[tokio::test]
async fn a_newer_clients_requests_and_fields_do_not_end_the_connection() {
    let service = Service::start().await;
    let mut raw = service.raw().await;
    raw.say(json!({"protocol": PROTOCOL + 1, "program": "new", "wishes": 3})).await;
    assert_eq!(raw.hear().await.unwrap()["protocol"], PROTOCOL);
    for unknown in [
        json!({"request": "sing", "song": 1}),
        json!({"request": "control", "control": "levitate"}),
        json!({"request": "control"}),
        json!({}),
    ] {
        raw.say(unknown.clone()).await;
        assert!(refused(&raw.hear().await.unwrap(), "malformed"), "{unknown}");
    }
    raw.say(json!({"request": "status", "verbosely": true})).await;
    assert_eq!(raw.hear().await.unwrap()["reply"], "status");
}

#[tokio::test]
async fn a_client_that_is_too_old_is_refused_and_a_newer_one_is_met_halfway() {
    let service = Service::start().await;
    let mut old = service.raw().await;
    assert!(refused(&old.hello(0).await, "version"));
    assert_eq!(old.hear().await, None);
    let mut new = service.raw().await;
    assert_eq!(new.hello(PROTOCOL + 6).await["protocol"], PROTOCOL);
}

#[tokio::test]
async fn a_client_refuses_a_service_of_another_version() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    for (answer, service, newer) in [
        (json!({"reply": "hello", "protocol": PROTOCOL + 1, "program": "newer 9"}), "newer 9", true),
        (json!({"reply": "hello", "protocol": 0, "program": "older 0"}), "older 0", false),
        (json!({"reply": "refused", "kind": "version", "message": "newer 9 speaks protocol 7 to 9"}), "newer 9", true),
    ] {
        let (client, accepted) = tokio::join!(Client::connect(&path, "test"), async {
            let mut raw = Raw(listener.accept().await.unwrap().0);
            assert_eq!(raw.hear().await.unwrap()["protocol"], PROTOCOL);
            raw.say(answer).await;
            raw
        });
        let Err(ClientError::VersionSkew(skew)) = client else { panic!("{client:?}") };
        assert_eq!((skew.service.as_str(), skew.service_is_newer), (service, newer));
        drop(accepted);
    }
}
