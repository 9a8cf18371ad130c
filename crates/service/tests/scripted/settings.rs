//! Configuration and policy of a service that runs.

use ipc::{ClientError, Control, SettingsReport};
use model::Origin;
use platform_fake::{Fake, ipv6_only};

use crate::support::Service;

fn settings(service: &Service) -> SettingsReport {
    let mut client = service.client();
    service.runtime.block_on(client.settings()).unwrap()
}

fn reload(service: &Service) -> Result<(), ClientError> {
    let mut client = service.client();
    service.runtime.block_on(client.control(Control::Reload))
}

fn value(service: &Service, key: &str) -> (String, Origin, bool) {
    let entry = settings(service).settings.into_iter().find(|entry| entry.key == key).unwrap();
    (entry.value, entry.origin, entry.locked)
}

#[test]
fn a_policy_locks_and_goes() {
    let fake = Fake::new(ipv6_only());
    let service = Service::start_with(&fake, "Mtu = 1450\n");
    assert_eq!(value(&service, "Mtu"), ("1450".into(), Origin::Config, false));
    let policy = service.policy("10.json", "{\"Mtu\": 1300, \"Dadd\": 1}");
    reload(&service).unwrap();
    assert_eq!(value(&service, "Mtu"), ("1300".into(), Origin::Policy, true));
    let report = settings(&service);
    assert!(report.problems[0].ends_with("10.json:1: unknown key `Dadd`; did you mean `Dad`?"), "{report:?}");
    assert!(report.problems[1].ends_with("sets it to 1300; 1450 here has no effect"), "{report:?}");
    assert_eq!(report.details.len(), 2);
    std::fs::remove_file(policy).unwrap();
    reload(&service).unwrap();
    assert_eq!(value(&service, "Mtu"), ("1450".into(), Origin::Config, false));
    service.end().unwrap();
}

#[test]
fn a_change_reaches_the_host_and_an_idle_reload_does_not() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    assert_eq!(service.status().clat.unwrap().mtu, 1472);
    let applied = fake.intents().len();
    reload(&service).unwrap();
    assert_eq!(fake.intents().len(), applied, "nothing changed");
    service.policy("10.json", "{\"Mtu\": 1300}");
    reload(&service).unwrap();
    service.ask_until("the smaller MTU", |status| status.clat.as_ref().is_some_and(|clat| clat.mtu == 1300));
    service.end().unwrap();
}

#[test]
fn a_file_that_changes_is_taken_without_being_told() {
    let fake = Fake::new(ipv6_only());
    let service = Service::armed(&fake);
    let applied = fake.intents().len();
    service.policy("10.json", "{\"PauseMaxMinutes\": 5}");
    let entry = ("5".into(), Origin::Policy, true);
    wait_until("the policy", || value(&service, "PauseMaxMinutes") == entry);
    assert_eq!(fake.intents().len(), applied, "traffic has nothing to do with it");
    service.policy("20.json", "{\"Mtu\": 1300}");
    service.ask_until("the smaller MTU", |status| status.clat.as_ref().is_some_and(|clat| clat.mtu == 1300));
    service.end().unwrap();
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !condition() {
        assert!(std::time::Instant::now() < end, "waited in vain for {what}");
    }
}
