use super::*;

#[test]
fn it_calls_at_once_and_then_ever_less_often_until_somebody_answers() {
    let mut world = World::new();
    assert!(world.take().contains(&Action::Connect));
    let mut waits = Vec::new();
    for _ in 0..8 {
        let before = world.ms;
        world.happens(lost());
        let next = world.controller.next().unwrap();
        world.after(u64::try_from(next.as_millis()).unwrap() - before);
        while !world.take().contains(&Action::Connect) {
            world.after(100);
        }
        waits.push(world.ms - before);
    }
    assert!(waits[0] <= 300 && waits.windows(2).all(|pair| pair[0] <= pair[1] + 100), "{waits:?}");
    assert!((4_900..=5_100).contains(waits.last().unwrap()), "{waits:?}");
    world.happens(hello());
    world.hears("working", "CL-000");
    world.take();
    world.happens(lost());
    world.after(250);
    assert!(world.take().contains(&Action::Connect), "soon again after a success");
}

#[test]
fn nothing_stale_looks_alive() {
    let mut world = World::connected("working", "CL-000");
    world.happens(settings(&[]));
    world.happens(lost());
    let view = world.controller.view();
    assert_eq!((view.status, view.settings), (None, None));
    let Service::Unreachable { hint, since, .. } = view.service else { panic!("{:?}", view.service) };
    assert_eq!(hint, "systemctl start everclatd");
    world.after(10_000);
    world.happens(lost());
    let Service::Unreachable { since: later, .. } = world.controller.view().service else { panic!() };
    assert_eq!(since, later, "since the first time");
}

#[test]
fn each_way_of_not_being_understood_is_told_apart() {
    let mut world = World::new();
    for (lost, kind) in [
        (Lost::Denied("no".into()), "denied"),
        (Lost::TooOld("everclatd 0.0.1".into()), "too_old"),
        (Lost::TooNew("everclatd 9.0.0".into()), "too_new"),
        (Lost::Broken("hung".into()), "unreachable"),
    ] {
        world.happens(Event::Lost(lost));
        assert_eq!(serde_json::to_value(world.controller.view().service).unwrap()["kind"], kind);
    }
    for (program, protocol, outdated, newer) in [
        ("everclatd 0.1.0", PROTOCOL, false, false),
        ("everclatd 0.0.9", PROTOCOL, true, false),
        ("everclatd 0.1.0", PROTOCOL - 1, true, false),
        ("everclatd 0.2.0", PROTOCOL, false, true),
    ] {
        world.happens(Event::Connected { program: program.into(), protocol, administrator: false });
        let service = serde_json::to_value(world.controller.view().service).unwrap();
        assert_eq!((&service["outdated"], &service["newer"]), (&json!(outdated), &json!(newer)), "{program}");
    }
    world.happens(Event::NotUnderstood);
    assert!(matches!(world.controller.view().service, Service::TooNew { .. }));
    world.hears("working", "CL-000");
    assert!(matches!(world.controller.view().service, Service::Connected { newer: true, .. }));
}
