//! Clients of a real service over a real socket.

use ipc::{Client, ClientError, Server};
use platform_fake::{ETH, Fake, ipv6_only, unplug};

use crate::support::Service;

#[test]
fn hello_status_and_watch() {
    let fake = Fake::new(ipv6_only());
    let service = Service::start(&fake);
    let mut watcher = service.client();
    assert_eq!(watcher.service().program, "everclatd test");
    assert_eq!(watcher.service().protocol, ipc::PROTOCOL);
    let first = service.runtime.block_on(async {
        watcher.watch().await.unwrap();
        watcher.next().await.unwrap()
    });
    assert_eq!(first.schema, "everclat.status/1");
    assert_eq!(first.service.pid, std::process::id());
    service.hear_prefix();
    let later = service.runtime.block_on(async {
        loop {
            let status = watcher.next().await.unwrap();
            if status.is_ready() {
                return status;
            }
        }
    });
    assert_eq!(later.code.as_str(), "CL-004");
    fake.edit(|network| unplug(network, ETH));
    service.wait_code("CL-101");
    service.end().unwrap();
}

#[test]
fn a_second_service_on_the_same_socket_is_refused() {
    let fake = Fake::new(ipv6_only());
    let service = Service::start(&fake);
    let error = service.runtime.block_on(Server::bind(&service.socket, "second")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(service.client().service().program, "everclatd test", "the first one still answers");
    service.end().unwrap();
}

#[test]
fn the_socket_goes_with_the_service() {
    let service = Service::start(&Fake::default());
    let socket = service.socket.clone();
    assert!(socket.exists());
    let error = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        service.end().unwrap();
        assert!(!socket.exists());
        runtime.block_on(Client::connect(&socket, "test")).unwrap_err()
    };
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
}
