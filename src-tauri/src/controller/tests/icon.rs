use super::*;

#[test]
fn every_state_has_its_silhouette() {
    for (state, code, icon) in [
        ("working", "CL-000", Icon::Working),
        ("working", "CL-004", Icon::Working),
        ("standby_native", "CL-001", Icon::Standby),
        ("standby_os", "CL-002", Icon::Os),
        ("checking", "CL-301", Icon::Checking),
        ("limited", "CL-202", Icon::Limited),
        ("down", "CL-301", Icon::Down),
        ("paused", "CL-003", Icon::Paused),
        ("no_network", "CL-101", Icon::NoNetwork),
    ] {
        assert_eq!(World::connected(state, code).icon(), icon, "{state}");
    }
    let mut world = World::new();
    world.happens(lost());
    world.after(1_500);
    assert_eq!(world.icon(), Icon::NoService);
}

#[test]
fn without_evidence_nothing_is_said_to_work() {
    let mut world = World::connected("standby_native", "CL-001");
    let ready = changed("working", "CL-004", |document| {
        document["evidence"] = json!({"kind": "none", "age_s": null});
    });
    world.happens(Event::Heard(ready));
    world.after(1_000);
    assert_eq!(world.looks().last().unwrap().1.title, "Ready for IPv4 apps");
    world.hears("working", "CL-000");
    world.after(1_000);
    assert_eq!(world.looks().last().unwrap().1.title, "IPv4 apps work (translated)");
}

#[test]
fn a_cable_that_is_replugged_changes_nothing_in_the_panel() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.hears("no_network", "CL-101");
    world.after(900);
    world.hears("checking", "CL-301");
    world.after(50);
    world.hears("working", "CL-000");
    world.after(20_000);
    assert_eq!(world.looks(), [], "no icon, no word");
}

#[test]
fn a_lost_link_is_checked_for_a_while_and_then_shown() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    let begin = world.ms;
    world.hears("no_network", "CL-101");
    world.after(10_000);
    let icons: Vec<(u64, Icon)> = world.looks().iter().map(|(at, look)| (at - begin, look.icon)).collect();
    assert_eq!(icons, [(1_000, Icon::Checking), (5_000, Icon::NoNetwork)]);
    // Back again: at once.
    world.take();
    let begin = world.ms;
    world.hears("working", "CL-000");
    world.after(10);
    assert_eq!((world.looks()[0].0 - begin, world.looks()[0].1.icon), (0, Icon::Working));
}

#[test]
fn what_the_service_has_waited_for_is_shown_at_once() {
    let mut world = World::connected("working", "CL-000");
    for code in ["CL-301", "CL-501", "CL-604"] {
        world.hears("down", code);
        assert_eq!(world.icon(), Icon::Down, "{code}");
        world.after(2_000);
        world.hears("working", "CL-000");
        world.after(2_000);
    }
}

#[test]
fn the_icon_changes_at_most_once_a_second() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    for turn in 0..600 {
        let (state, code) = [("down", "CL-501"), ("working", "CL-000"), ("limited", "CL-303")][turn % 3];
        world.hears(state, code);
        world.after(100);
    }
    let times: Vec<u64> = world.looks().iter().map(|(at, _)| *at).collect();
    assert!(times.len() > 10 && times.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{times:?}");
    world.hears("working", "CL-000");
    world.after(2_000);
    assert_eq!(world.looks().last().unwrap().1.icon, Icon::Working, "the latest wins");
}

#[test]
fn the_icon_can_be_switched_off() {
    let mut world = World::connected("working", "CL-000");
    assert!(world.controller.has_icon());
    world.take();
    world.happens(Event::Asked(Some(1), Ask::SetPref { key: "show_tray".into(), value: json!(false) }));
    assert!(world.take().contains(&Action::Tray(None)));
    assert!(!world.controller.has_icon() && !world.controller.view().app.tray);
}

#[test]
fn the_menu_has_its_order_and_says_what_is_wrong() {
    let mut world = World::connected("down", "CL-501");
    world.hears("down", "CL-501");
    let item = |text: &str, choice| Entry::Item(text.to_owned(), choice);
    let pauses = [(5, "5 min"), (30, "30 min"), (60, "1 h")];
    let pauses = pauses.map(|(minutes, text)| item(text, Some(Choice::Pause(minutes)))).to_vec();
    let menu = vec![
        item("IPv4 apps cannot connect", Some(Choice::Open)),
        item("CL-501: IPv4 gateway does not answer", Some(Choice::Open)),
        Entry::Separator,
        item("Re-arm now", Some(Choice::Rearm)),
        Entry::Separator,
        Entry::More("Pause".into(), pauses),
        Entry::Separator,
        item("Open Everclat", Some(Choice::Open)),
        item("Everclat 0.1.0, service 0.1.0", None),
        Entry::Separator,
        item("Close this icon (translation continues)", Some(Choice::Close)),
    ];
    assert_eq!(world.menu(), menu);
}

#[test]
fn a_pause_can_be_ended_and_says_when_it_ends() {
    let mut world = World::connected("working", "CL-000");
    let paused = changed("paused", "CL-003", |document| {
        document["pause"] = json!({"until": "2027-01-15T14:30:59Z", "reason": ""});
    });
    world.happens(Event::Heard(paused));
    world.after(1_000);
    let menu = world.menu();
    assert_eq!(menu[0], Entry::Item("Paused until 14:30".into(), Some(Choice::Open)));
    assert!(menu.contains(&Entry::Item("Resume now".into(), Some(Choice::Resume))), "{menu:?}");
}

#[test]
fn the_menu_offers_no_pause_that_a_policy_forbids() {
    let mut world = World::connected("working", "CL-000");
    world.happens(settings(&[("PauseMaxMinutes", "30")]));
    world.after(1_000);
    let offered = |menu: Vec<Entry>| {
        menu.into_iter().find_map(|entry| match entry {
            Entry::More(_, entries) => Some(entries.len()),
            Entry::Item(..) | Entry::Separator => None,
        })
    };
    assert_eq!(offered(world.menu()), Some(2));
    world.happens(settings(&[("PauseMaxMinutes", "3")]));
    world.after(1_000);
    assert_eq!(offered(world.menu()), Some(1));
    world.happens(settings(&[("AllowUserPause", "false")]));
    world.after(1_000);
    assert!(world.menu().contains(&Entry::Item("Pausing is not allowed. Set by 10-company.json.".into(), None)));
    assert_eq!(offered(world.menu()), None);
    let view = world.controller.view();
    assert_eq!(view.denied.get(&ActionName::Pause).map(String::as_str), Some("10-company.json"));
    assert!(!view.denied.contains_key(&ActionName::Rearm) && !view.denied.contains_key(&ActionName::Resume));
}

#[test]
fn an_administrator_is_not_told_of_limits_that_bind_others() {
    let mut world = World::connected("working", "CL-000");
    world.happens(settings(&[("PauseMaxMinutes", "3"), ("AllowUserPause", "false")]));
    let view = world.controller.view();
    assert_eq!((view.denied.len(), view.longest_pause), (1, Some(3)));
    world.happens(Event::Connected { program: "everclatd 0.1.0".into(), protocol: PROTOCOL, administrator: true });
    world.after(1_000);
    let view = world.controller.view();
    assert_eq!((view.denied.len(), view.longest_pause), (0, None));
    let all = |entry: &Entry| matches!(entry, Entry::More(_, entries) if entries.len() == PAUSES.len());
    assert!(world.menu().iter().any(all), "{:?}", world.menu());
    // What one service said of the user, the next may not.
    world.happens(hello());
    assert_eq!(world.controller.view().longest_pause, Some(3));
}

#[test]
fn the_tray_speaks_the_users_language() {
    let mut world = World::with(Prefs { language: "de".into(), ..Prefs::default() });
    world.happens(hello());
    world.hears("standby_native", "CL-001");
    world.after(2_000);
    assert_eq!(world.looks().last().unwrap().1.title, "In Bereitschaft: Dieses Netz hat IPv4");
}
