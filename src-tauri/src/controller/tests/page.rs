use super::*;

#[test]
fn ten_thousand_changes_a_minute_neither_queue_up_nor_get_lost() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Window(true));
    world.happens(Event::Watching(true));
    world.take();
    for turn in 0..10_000 {
        let (state, code) = if turn % 2 == 0 { ("working", "CL-000") } else { ("down", "CL-501") };
        world.hears(state, code);
        world.after(6);
    }
    let pages = world.pages().len();
    assert!((1_000..=1_201).contains(&pages), "{pages} views in a minute");
    assert!(world.looks().len() <= 61, "{}", world.looks().len());
    world.hears("standby_native", "CL-001");
    world.after(50);
    let (_, last) = world.pages().pop().unwrap();
    assert_eq!(last.status.unwrap().code.as_str(), "CL-001", "the latest wins");
    assert_eq!(world.controller.poll(), None, "nothing is left over");
}

#[test]
fn the_page_hears_the_first_change_at_once() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Window(true));
    world.happens(Event::Watching(true));
    world.after(500);
    world.take();
    let begin = world.ms;
    world.hears("down", "CL-501");
    world.after(7);
    world.hears("working", "CL-000");
    world.after(500);
    let times: Vec<u64> = world.pages().iter().map(|(at, _)| at - begin).collect();
    assert_eq!(times, [0, 50]);
}

#[test]
fn nobody_is_asked_anything_unless_somebody_looks() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Window(true));
    world.after(10_000);
    world.take();
    world.after(3_600_000);
    assert_eq!(world.take(), [], "an hour of silence");
    assert_eq!(world.controller.next(), None, "and no timer");
    world.happens(Event::Watching(true));
    world.after(10_050);
    let asked = world.take();
    assert_eq!(asked.iter().filter(|action| **action == Action::AskStatus).count(), 11);
    assert_eq!(asked.iter().filter(|action| **action == Action::AskSettings).count(), 3);
    world.happens(Event::Window(false));
    world.take();
    world.after(10_000);
    assert_eq!(world.take(), [], "the window was closed");
}

#[test]
fn counters_are_renewed_but_never_turn_time_back() {
    let mut world = World::connected("working", "CL-000");
    world.happens(Event::Window(true));
    world.happens(Event::Watching(true));
    world.take();
    world.after(100);
    let newer = changed("working", "CL-000", |document| document["service"]["uptime_s"] = json!(77));
    world.happens(Event::Refreshed(newer));
    assert_eq!(world.pages().last().unwrap().1.status.as_ref().unwrap().service.uptime_s, 77);
    world.hears("down", "CL-501");
    world.happens(Event::Refreshed(status("working", "CL-000")));
    assert_eq!(world.controller.view().status.unwrap().code.as_str(), "CL-501", "asked before the change");
}
