use super::*;

#[test]
fn a_loss_is_told_after_a_minute_and_so_is_its_end() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    let begin = world.ms;
    world.hears("down", "CL-301");
    world.after(30_000);
    world.hears("checking", "CL-301");
    world.after(1_000);
    world.hears("down", "CL-501");
    world.after(300_000);
    assert_eq!(world.codes(), ["CL-501"], "once, by its last name");
    assert_eq!(world.notices()[0].0 - begin, 60_000);
    assert_eq!(world.notices()[0].1.title, "IPv4 apps cannot connect");
    world.take();
    world.hears("working", "CL-000");
    world.after(1_000_000);
    assert_eq!(world.codes(), ["CL-000"]);
}

#[test]
fn short_trouble_and_good_news_are_no_notifications() {
    let mut world = World::connected("working", "CL-000");
    for _ in 0..10 {
        world.hears("down", "CL-501");
        world.after(59_000);
        world.hears("working", "CL-000");
        world.after(5_000);
        world.hears("no_network", "CL-101");
        world.after(600_000);
        world.hears("limited", "CL-202");
        world.after(100_000);
        world.hears("working", "CL-000");
    }
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn a_portal_and_a_conflict_are_told_soon() {
    for code in ["CL-102", "CL-603"] {
        let mut world = World::connected("working", "CL-000");
        world.hears("down", code);
        world.after(5_000);
        assert_eq!(world.codes(), [code]);
    }
}

#[test]
fn the_same_is_told_once_in_four_hours_on_each_network() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    let elsewhere =
        || changed("down", "CL-301", |document| document["interfaces"][0]["v6"] = json!(["2001:db8:2::7/64"]));
    for _ in 0..3 {
        world.hears("down", "CL-301");
        world.after(61_000);
        world.hears("working", "CL-000");
        world.after(61_000);
    }
    assert_eq!(world.codes(), ["CL-301", "CL-000"], "and no recovery from what was not told");
    world.take();
    world.happens(Event::Heard(elsewhere()));
    world.after(61_000);
    assert_eq!(world.codes(), ["CL-301"], "another network");
    world.hears("working", "CL-000");
    world.after(4 * 3_600_000);
    world.take();
    world.hears("down", "CL-301");
    world.after(61_000);
    assert_eq!(world.codes(), ["CL-301"], "four hours later");
}

#[test]
fn who_wants_no_notifications_gets_none_and_who_wants_all_gets_more() {
    for (notifications, codes) in [
        (Notifications::None, vec![]),
        (Notifications::Problems, vec!["CL-501", "CL-000"]),
        (Notifications::All, vec!["CL-202", "CL-501", "CL-000"]),
    ] {
        let mut world = World::with(Prefs { notifications, ..Prefs::default() });
        world.happens(hello());
        world.hears("limited", "CL-202");
        world.after(61_000);
        world.hears("down", "CL-501");
        world.after(61_000);
        world.hears("working", "CL-000");
        world.after(61_000);
        assert_eq!(world.codes(), codes);
    }
}

#[test]
fn a_service_that_stays_away_is_told() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    for _ in 0..100 {
        world.happens(lost());
        world.after(1_000);
    }
    assert_eq!(world.codes(), ["CL-901"]);
}

#[test]
fn memory_of_notifications_is_bounded() {
    let mut world = World::connected("working", "CL-000");
    for network in 0..200 {
        let there = changed("down", "CL-102", |document| {
            document["interfaces"][0]["v6"] = json!([format!("2001:db8:{network:x}::1/64")]);
        });
        world.happens(Event::Heard(there));
        world.after(6_000);
        world.hears("working", "CL-000");
        world.after(1_000);
    }
    assert!(world.codes().len() >= 200);
    assert!(world.controller.notices.remembered() <= 64);
}
