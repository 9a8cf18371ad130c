//! What chaos has found, each as short as it gets.

use std::time::Duration;

use platform_fake::{Call, ETH};

use crate::chaos::Chaos;
use crate::events::{Change, Event};
use crate::runtime;

/// Armed on eth0, with wlan0 in reserve.
async fn armed() -> Chaos {
    let mut chaos = Chaos::start(1).await;
    chaos.pass(Duration::from_secs(5)).await;
    chaos.look().await;
    chaos.check();
    let status = chaos.status.as_ref().unwrap();
    assert_eq!(status.uplink.as_ref().unwrap().name, "eth0");
    assert!(status.spare.as_ref().unwrap().ready);
    chaos
}

impl Chaos {
    async fn then(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.happen(event).await;
        }
        self.look().await;
        self.check();
    }
}

/// Both report that they have failed, but by then the reserve is in use under another generation.
#[test]
fn a_reserve_that_dies_as_it_is_taken_is_no_black_hole() {
    runtime().block_on(async {
        let mut chaos = armed().await;
        let failure = Event::Fail(Call::PortWait, 0, Some(2));
        chaos.happen(failure).await;
        chaos.fake.rest();
        chaos.then([Event::Network(Change::Carrier(0, false))]).await;
        chaos.converge().await;
        assert_ne!(chaos.fake.view().route.unwrap().uplink, ETH);
    });
}

/// Nobody can object to a question that has not left the host.
#[test]
fn an_address_is_not_claimed_before_it_was_asked_for() {
    runtime().block_on(async {
        let mut chaos = Chaos::start(1).await;
        chaos.then([Event::Fail(Call::PortSendFrame, 0, None)]).await;
        chaos.pass(Duration::from_secs(5)).await;
        chaos.look().await;
        assert!(chaos.status.as_ref().unwrap().clat.is_some(), "optimistic");
        assert!(!chaos.observer.has_claimed(ETH));
        chaos.then([Event::Heal]).await;
        chaos.pass(Duration::from_secs(3)).await;
        assert!(chaos.observer.has_claimed(ETH), "asked as soon as it can be");
        chaos.converge().await;
    });
}
