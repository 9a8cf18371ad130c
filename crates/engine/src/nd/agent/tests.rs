use super::*;

const OURS: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const THEIRS: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn config(dad: Dad) -> AgentConfig {
    AgentConfig {
        address: address("2001:db8:1::a"),
        mac: OURS,
        gateway: address("fe80::1"),
        dad,
        owned: false,
        round: 0,
        own_macs: Vec::new(),
        answers: true,
    }
}

fn ms(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn sent(agent: &mut Agent) -> Vec<Message> {
    std::iter::from_fn(|| agent.poll_frame()).map(|frame| Message::parse(OURS, &frame[14..]).unwrap()).collect()
}

fn asks(source: &str) -> Message {
    Message::Solicitation { from_mac: THEIRS, source: address(source), target: address("2001:db8:1::a") }
}

fn overrides(message: &Message) -> bool {
    matches!(message, Message::Advertisement { overrides: true, .. })
}

/// Claimed, and nothing left to say.
fn claimed() -> Agent {
    let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
    agent.handle_timeout(ms(1000));
    agent.handle_timeout(ms(2000));
    while agent.poll_frame().is_some() || agent.poll_event().is_some() {}
    agent
}

#[test]
fn optimistic_announces_without_override_and_is_sure_after_a_second() {
    let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
    let first = sent(&mut agent);
    assert!(matches!(first[0], Message::Solicitation { source, .. } if source.is_unspecified()));
    assert!(matches!(first[1], Message::Advertisement { overrides: false, .. }));
    assert_eq!(first.len(), 2, "RFC 4429 section 3.2: no solicitation from an optimistic address");
    agent.handle(&asks("fe80::9"));
    assert!(!overrides(&sent(&mut agent)[0]));
    assert_eq!(agent.poll_timeout(), Some(ms(1000)));
    agent.handle_timeout(ms(1000));
    assert_eq!(agent.poll_event(), Some(AgentEvent::Claimed(address("2001:db8:1::a"))));
    let after = sent(&mut agent);
    assert!(matches!(after[0], Message::Advertisement { overrides: false, .. }), "RFC 9131 section 6.1.2");
    assert!(matches!(after[1], Message::Solicitation { target, .. } if target == address("fe80::1")));
    agent.handle(&asks("fe80::9"));
    assert!(overrides(&sent(&mut agent)[0]));
    agent.handle_timeout(ms(2000));
    assert_eq!(agent.poll_timeout(), None, "then it sleeps until it is asked");
}

/// RFC 9131 section 6.1.2: what is new here goes to the routers and overrides nothing; RFC 4861 section 7.2.6: what has moved
/// goes to everyone and does.
#[test]
fn what_is_new_is_told_to_routers_and_what_has_moved_to_everyone() {
    let unasked = |owned| {
        let mut agent = Agent::new(AgentConfig { owned, ..config(Dad::Optimistic) }, ms(0));
        agent.handle_timeout(ms(1000));
        let frames = std::iter::from_fn(|| agent.poll_frame());
        frames.filter(|frame| frame[54] == 136).map(|frame| (frame[5], frame[53], frame[58] & 0x20)).collect::<Vec<_>>()
    };
    assert_eq!(unasked(false), [(2, 2, 0), (2, 2, 0)]);
    assert_eq!(unasked(true), [(1, 1, 0x20), (1, 1, 0x20)]);
}

#[test]
fn strict_is_silent_until_it_is_sure() {
    let mut agent = Agent::new(config(Dad::Strict), ms(0));
    assert_eq!(sent(&mut agent).len(), 1);
    agent.handle(&asks("fe80::9"));
    assert!(sent(&mut agent).is_empty());
    agent.handle_timeout(ms(1000));
    assert!(agent.is_claimed());
}

#[test]
fn what_was_not_asked_is_asked_again() {
    let mut agent = Agent::new(config(Dad::Strict), ms(0));
    assert_eq!(sent(&mut agent).len(), 1);
    agent.not_sent();
    agent.handle_timeout(ms(1000));
    assert!(matches!(sent(&mut agent)[..], [Message::Solicitation { source, .. }] if source.is_unspecified()));
    assert_eq!((agent.poll_event(), agent.poll_timeout()), (None, Some(ms(2000))));
    agent.handle_timeout(ms(2000));
    assert!(agent.is_claimed());
}

#[test]
fn an_owner_objects() {
    let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
    let objection = Message::Advertisement {
        from_mac: THEIRS,
        target: address("2001:db8:1::a"),
        target_mac: Some(THEIRS),
        overrides: true,
    };
    agent.handle(&objection);
    assert_eq!(agent.poll_event(), Some(AgentEvent::Duplicate(address("2001:db8:1::a"))));
    sent(&mut agent);
    agent.handle(&asks("fe80::9"));
    assert!(sent(&mut agent).is_empty(), "it no longer answers");
    agent.handle_timeout(ms(1000));
    assert_eq!(agent.poll_event(), None, "and never claims it");
}

#[test]
fn two_that_ask_at_once_both_lose() {
    let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
    agent.handle(&asks("::"));
    assert_eq!(agent.poll_event(), Some(AgentEvent::Duplicate(address("2001:db8:1::a"))));
}

#[test]
fn a_claimed_address_is_defended_to_everyone() {
    let mut agent = claimed();
    agent.handle(&asks("::"));
    assert!(overrides(&sent(&mut agent)[0]));
    assert_eq!(agent.poll_event(), None);
}

#[test]
fn our_own_frames_do_not_count() {
    let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
    let own = Message::Solicitation { from_mac: OURS, source: address("::"), target: address("2001:db8:1::a") };
    agent.handle(&own);
    assert_eq!(agent.poll_event(), None);
}

#[test]
fn another_generation_hears_what_the_one_before_may_have_missed() {
    let mut agent = claimed();
    let elsewhere = AgentConfig { gateway: address("fe80::2"), ..config(Dad::Optimistic) };
    agent.renew(elsewhere.clone(), ms(5000));
    assert_eq!(agent.poll_event(), Some(AgentEvent::Claimed(address("2001:db8:1::a"))));
    agent.handle_timeout(ms(5000));
    let asked = sent(&mut agent);
    assert!(matches!(asked[1], Message::Solicitation { target, .. } if target == address("fe80::2")));

    let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
    agent.handle(&asks("::"));
    agent.poll_event();
    agent.renew(elsewhere, ms(10));
    assert_eq!(agent.poll_event(), Some(AgentEvent::Duplicate(address("2001:db8:1::a"))));
}

#[test]
fn the_gateway_tells_its_address() {
    let mut agent = claimed();
    let answer = Message::Advertisement {
        from_mac: THEIRS,
        target: address("fe80::1"),
        target_mac: Some(MacAddress([2, 0, 0, 0, 0, 7])),
        overrides: true,
    };
    agent.handle(&answer);
    assert_eq!(agent.poll_event(), Some(AgentEvent::GatewayMac(MacAddress([2, 0, 0, 0, 0, 7]))));
}

#[test]
fn a_flood_of_questions_is_bounded() {
    let mut agent = claimed();
    for _ in 0..10_000 {
        agent.handle(&asks("fe80::9"));
    }
    assert_eq!(sent(&mut agent).len(), MAX_QUEUE);
}

/// On a network that two uplinks share, X moves: the routers have to learn the new address at once.
#[test]
fn an_address_that_moves_is_announced_with_override_and_not_asked_for() {
    let moved = AgentConfig { owned: true, own_macs: vec![THEIRS], ..config(Dad::Strict) };
    let mut agent = Agent::new(moved, ms(0));
    assert_eq!(agent.poll_event(), Some(AgentEvent::Claimed(address("2001:db8:1::a"))));
    let first = sent(&mut agent);
    assert!(overrides(&first[0]));
    assert!(matches!(first[1], Message::Solicitation { target, .. } if target == address("fe80::1")));
    let echo_of_ours = Message::Advertisement {
        from_mac: THEIRS,
        target: address("2001:db8:1::a"),
        target_mac: Some(THEIRS),
        overrides: true,
    };
    agent.handle(&echo_of_ours);
    assert_eq!(agent.poll_event(), None, "our own other uplink");
}

#[test]
fn a_quiet_one_says_nothing_until_it_takes_over() {
    let quiet = AgentConfig { answers: false, ..config(Dad::Optimistic) };
    let mut agent = Agent::new(quiet.clone(), ms(0));
    agent.handle(&asks("fe80::9"));
    agent.handle(&asks("::"));
    agent.ask_gateway(THEIRS);
    agent.handle_timeout(ms(5000));
    assert!(sent(&mut agent).is_empty());
    assert_eq!((agent.poll_event(), agent.poll_timeout()), (None, None));
    agent.renew(AgentConfig { answers: true, owned: true, ..quiet.clone() }, ms(6000));
    assert!(overrides(&sent(&mut agent)[0]));
    assert!(agent.is_claimed());
    agent.renew(quiet, ms(7000));
    agent.handle(&asks("fe80::9"));
    assert!(sent(&mut agent).is_empty(), "and quiet again");
}

/// Nobody was there to defend it: it is claimed as if it were new, and answered for meanwhile.
#[test]
fn an_address_in_doubt_is_claimed_again() {
    let mut agent = claimed();
    let again = AgentConfig { round: 1, ..config(Dad::Optimistic) };
    agent.renew(again.clone(), ms(5000));
    assert!(!agent.is_claimed());
    let first = sent(&mut agent);
    assert!(matches!(first[0], Message::Solicitation { source, .. } if source.is_unspecified()));
    agent.handle(&asks("fe80::9"));
    assert!(!overrides(&sent(&mut agent)[0]), "it takes nothing from whoever may have it now");
    agent.renew(again, ms(5500));
    assert_eq!(agent.poll_timeout(), Some(ms(6000)), "the same doubt");
    agent.handle_timeout(ms(6000));
    assert_eq!(agent.poll_event(), Some(AgentEvent::Claimed(address("2001:db8:1::a"))));
}

#[test]
fn a_gateway_that_did_not_answer_is_looked_for_behind_another_address() {
    let mut agent = claimed();
    agent.ask_gateway(THEIRS);
    assert_eq!(sent(&mut agent).len(), 1, "the one that is known");
    agent.ask_gateway(THEIRS);
    let multicast: Vec<bool> =
        std::iter::from_fn(|| agent.poll_frame()).map(|frame| frame[..2] == [0x33, 0x33]).collect();
    assert_eq!(multicast, [true, false]);
}

#[test]
fn the_gateway_is_asked_directly_and_its_answer_told_once() {
    let mut agent = claimed();
    let gateway = MacAddress([2, 0, 0, 0, 0, 7]);
    agent.ask_gateway(gateway);
    let frame = agent.poll_frame().unwrap();
    assert_eq!(frame[..6], gateway.0);
    assert_eq!(frame[38..54], address("fe80::1").octets(), "unicast, not to a group");
    let answer =
        Message::Advertisement { from_mac: gateway, target: address("fe80::1"), target_mac: None, overrides: false };
    agent.handle(&answer);
    agent.handle(&answer);
    let events: Vec<_> = std::iter::from_fn(|| agent.poll_event()).collect();
    assert_eq!(events.iter().filter(|event| **event == AgentEvent::GatewayAnswered).count(), 1);
}
