use super::*;
use crate::view::Failed;

#[test]
fn an_action_is_carried_out_and_answered() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.happens(Event::Asked(Some(7), Ask::Rearm));
    assert!(world.take().contains(&Action::Control(Control::Rearm)));
    assert_eq!(world.controller.view().busy.unwrap().action, ActionName::Rearm);
    // Twice is refused, and does not disturb the first.
    world.happens(Event::Asked(Some(8), pause(Some(5))));
    let Action::Answer(8, Err(failed)) = &world.take()[0] else { panic!() };
    assert_eq!(failed.kind, FailedKind::Refused);
    world.happens(Event::Ended(Ok(())));
    assert!(world.take().contains(&Action::Answer(7, Ok(()))));
    let view = world.controller.view();
    assert_eq!((view.busy, view.failed), (None, None));
}

#[test]
fn a_failure_stays_until_the_next_action() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Asked(Some(1), pause(None)));
    assert!(world.take().contains(&Action::Control(Control::Pause { seconds: None, reason: String::new() })));
    let refused = Failed { action: ActionName::Rearm, kind: FailedKind::Denied, message: "too long for you".into() };
    world.happens(Event::Ended(Err(refused)));
    let failed = world.controller.view().failed.unwrap();
    assert_eq!((failed.action, failed.kind), (ActionName::Pause, FailedKind::Denied));
    world.happens(Event::Asked(Some(2), Ask::Resume));
    assert_eq!(world.controller.view().failed, None);
}

#[test]
fn without_a_service_actions_fail_at_once() {
    let mut world = World::new();
    world.happens(lost());
    world.take();
    world.happens(Event::Asked(Some(1), Ask::Rearm));
    let Action::Answer(1, Err(failed)) = &world.take()[0] else { panic!() };
    assert_eq!(failed.kind, FailedKind::Unreachable);
}

#[test]
fn a_choice_from_the_tray_that_fails_opens_the_window() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.happens(Event::Chosen(Choice::Pause(30)));
    assert!(world.take().contains(&Action::Control(Control::Pause { seconds: Some(1_800), reason: String::new() })));
    let failed = Failed { action: ActionName::Pause, kind: FailedKind::Denied, message: "no".into() };
    world.happens(Event::Ended(Err(failed)));
    assert!(world.take().contains(&Action::OpenWindow));
}

#[test]
fn preferences_are_kept_and_locked_ones_are_not_changed() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.happens(Event::Asked(Some(1), Ask::SetPref { key: "theme".into(), value: json!("dark") }));
    let done = world.take();
    assert!(done.contains(&Action::Answer(1, Ok(()))), "{done:?}");
    assert!(done.iter().any(|action| matches!(action, Action::Save(prefs) if prefs.theme == crate::view::Theme::Dark)));
    world.happens(Event::Asked(Some(2), Ask::SetPref { key: "theme".into(), value: json!("pink") }));
    assert!(matches!(&world.take()[0], Action::Answer(2, Err(failed)) if failed.kind == FailedKind::Refused));
    world.happens(settings(&[("Theme", "\"light\"")]));
    world.take();
    world.happens(Event::Asked(Some(3), Ask::SetPref { key: "theme".into(), value: json!("dark") }));
    assert!(matches!(&world.take()[0], Action::Answer(3, Err(failed)) if failed.kind == FailedKind::Denied));
    let view = world.controller.view();
    assert_eq!((view.prefs.theme, view.prefs_locked["theme"].as_str()), (crate::view::Theme::Light, "10-company.json"));
    // What a policy says is not kept as the user's own choice.
    world.happens(Event::Asked(Some(4), Ask::SetPref { key: "language".into(), value: json!("de") }));
    let done = world.take();
    assert!(done.iter().any(|action| matches!(action, Action::Save(prefs) if prefs.theme == crate::view::Theme::Dark)));
}

#[test]
fn starting_at_login_is_what_the_system_says() {
    let mut world = World::connected("working", "CL-000");
    world.take();
    world.happens(Event::Asked(Some(1), Ask::SetPref { key: "autostart".into(), value: json!(true) }));
    assert!(world.take().contains(&Action::SetAutostart(true)));
    assert!(!world.controller.view().prefs.autostart, "not before it is done");
    world.happens(Event::Autostart(true));
    world.happens(Event::Ended(Ok(())));
    assert!(world.take().contains(&Action::Answer(1, Ok(()))));
    assert!(world.controller.view().prefs.autostart);
}

#[test]
fn the_window_wears_what_is_chosen_else_what_the_desktop_wants() {
    use crate::view::Theme;
    let dressed = |world: &mut World| {
        let done = world.take();
        done.into_iter()
            .filter_map(|action| if let Action::Dress(theme) = action { Some(theme) } else { None })
            .collect()
    };
    let mut world = World::connected("working", "CL-000");
    let set = |theme: &str| Event::Asked(Some(1), Ask::SetPref { key: "theme".into(), value: json!(theme) });
    let begin: Vec<Theme> = dressed(&mut world);
    assert_eq!(begin, [], "the system's own");
    for (event, wanted) in [
        (Event::Scheme(Theme::Dark), &[Theme::Dark][..]),
        (Event::Scheme(Theme::Dark), &[]),
        (set("light"), &[Theme::Light]),
        (Event::Scheme(Theme::System), &[]),
        (Event::Scheme(Theme::Dark), &[]),
        (set("system"), &[Theme::Dark]),
        (settings(&[("Theme", "\"light\"")]), &[Theme::Light]),
        (settings(&[]), &[Theme::Dark]),
        (Event::Scheme(Theme::System), &[Theme::System]),
    ] {
        world.happens(event.clone());
        let worn: Vec<Theme> = dressed(&mut world);
        assert_eq!(worn, wanted, "{event:?}");
    }
}
