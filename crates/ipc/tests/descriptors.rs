//! A service without descriptors: alone in its process, whose limit it changes.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "this test needs a part of it")]
#[path = "local_socket/support.rs"]
mod support;

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use everclat_ipc::PROTOCOL;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{Raw, Service};

/// The honest client's turn comes long before those in front of it would have been given up as silent (2 s each score).
#[tokio::test]
async fn want_of_descriptors_does_not_starve_who_has_something_to_say() {
    let service = Service::start().await;
    let mut honest = Vec::new();
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(std::os::unix::net::UnixStream::connect(&service.path).unwrap());
    }
    honest.push(Raw(tokio::net::UnixStream::connect(&service.path).await.unwrap()));
    // Room for ten more; the service has not had a turn yet.
    let highest = honest.iter().map(|raw| raw.0.as_raw_fd()).max().unwrap();
    let limit = getrlimit(Resource::Nofile);
    let few = Rlimit { current: Some(u64::try_from(highest).unwrap() + 10), maximum: limit.maximum };
    setrlimit(Resource::Nofile, few).unwrap();
    let begin = Instant::now();
    assert_eq!(honest[0].hello(PROTOCOL).await["reply"], "hello");
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    setrlimit(Resource::Nofile, limit).unwrap();
    service.serves().await;
}
