//! The log of a service that runs: alone in its process, which has one log.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "this test needs a part of it")]
#[path = "scripted/support.rs"]
mod support;

use std::time::{Duration, Instant};

use ipc::{Client, LogEntry, LogLevel};
use platform_fake::{Fake, ipv6_only};
use support::Service;

fn read(service: &Service, level: LogLevel) -> Vec<LogEntry> {
    let mut client = service.client();
    service.runtime.block_on(async {
        client.log(false, Some(level), None).await.unwrap();
        let mut entries = Vec::new();
        loop {
            let batch = client.next_log().await.unwrap();
            entries.extend(batch.entries);
            if !batch.more {
                return entries;
            }
        }
    })
}

fn last_says(service: &Service, words: &str) -> bool {
    read(service, LogLevel::Info).iter().any(|entry| entry.message == words)
}

/// For everybody, hence without addresses.
fn one_line_tells_the_rearming(service: &Service) {
    service.wait_code("CL-004");
    let entries = read(service, LogLevel::Info);
    let lines: Vec<_> = entries.iter().filter(|entry| entry.message == "re-armed").collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let gap = service.status().rearms.last_ms.unwrap().to_string();
    let fields: Vec<(&str, &str)> =
        lines[0].fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        fields,
        [
            ("number", "1"),
            ("reason", "asked-for"),
            ("gap_ms", &*gap),
            ("from", "eth0"),
            ("to", "eth0"),
            ("done", "opened-tunnel put-route-back")
        ]
    );
}

/// Reads until there is nothing more for the moment. Gives how many entries there were and how many were lost.
async fn catch_up(follower: &mut Client) -> (usize, u64) {
    let (mut entries, mut lost) = (0, 0);
    while let Ok(batch) = tokio::time::timeout(Duration::from_millis(300), follower.next_log()).await {
        let batch = batch.unwrap();
        entries += batch.entries.len();
        lost += batch.lost;
    }
    (entries, lost)
}

#[test]
fn more_for_a_while_and_a_slow_follower_loses_what_is_old() {
    everclat_service::log::start_to(std::io::sink, false);
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    assert!(last_says(&service, "started") && last_says(&service, "translating"));
    assert!(read(&service, LogLevel::Trace).iter().all(|entry| entry.level <= LogLevel::Info));

    let mut client = service.client();
    service.runtime.block_on(client.log_level(LogLevel::Debug, Duration::from_secs(1))).unwrap();
    service.runtime.block_on(client.control(ipc::Control::Rearm)).unwrap();
    assert!(read(&service, LogLevel::Debug).iter().any(|entry| entry.level == LogLevel::Debug), "more for a while");
    one_line_tells_the_rearming(&service);
    let end = Instant::now() + Duration::from_secs(10);
    while !last_says(&service, "log level as usual again") {
        assert!(Instant::now() < end, "the usual level comes back");
    }
    let debug = read(&service, LogLevel::Debug).len();
    tracing::debug!(target: "everclat_test", "not any more");
    assert_eq!(read(&service, LogLevel::Debug).len(), debug);

    // A follower that does not read, while far more happens than a socket and the book hold.
    let mut follower = service.client();
    service.runtime.block_on(follower.log(true, None, None)).unwrap();
    let mut slowest = Duration::ZERO;
    for number in 0..40 {
        for _ in 0..500 {
            tracing::info!(target: "everclat_test", number, "much happens");
        }
        let begin = Instant::now();
        service.status();
        slowest = slowest.max(begin.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "others do not notice: {slowest:?}");
    let (entries, lost) = service.runtime.block_on(catch_up(&mut follower));
    assert!(lost > 1000, "{lost} lost");
    assert!(entries > 4000, "{entries} read");
    tracing::info!(target: "everclat_test", "and goes on");
    assert_eq!(service.runtime.block_on(follower.next_log()).unwrap().entries[0].message, "and goes on");
    service.end().unwrap();
}
