//! Each call fails once, or for a while, at each moment of an ordinary life; then it is healed, and IPv4 has to come back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use platform_fake::Call;

use crate::chaos::Chaos;
use crate::events::{AT_START, Change, Event};
use crate::runtime;

/// The first so many calls of each kind in a life fail in turn.
const MOST: usize = 3;

/// For so long a call fails, if it fails for a while.
const WHILE: Duration = Duration::from_secs(3);

/// Longer than the pause that has grown meanwhile.
const HEALED: Duration = Duration::from_secs(40);

/// A name, and what happens.
type Life = (&'static str, fn() -> Vec<Event>);

const LIVES: [Life; 10] = [
    ("starts", Vec::new),
    ("moves and returns", || vec![carrier(0, false), wait(1_500), carrier(0, true)]),
    ("stands back for native IPv4", || {
        vec![network(Change::Native(Some(1))), wait(500), network(Change::Native(None))]
    }),
    ("gets another prefix", || vec![Event::Announces(0, vec![(1, 1800)], true), wait(2_500)]),
    ("is undone", || vec![Event::UndoRoute, wait(100), Event::UndoAddress, wait(100), Event::UndoTunnel]),
    ("meets objections", || vec![Event::Steal(true), wait(1_500), Event::Steal(false), wait(1_500)]),
    ("forwards", || vec![network(Change::Forwards(0, true)), wait(50), network(Change::Forwards(0, false))]),
    ("is renumbered", || vec![network(Change::Nets(0, vec![2])), wait(1_500), network(Change::Nets(0, vec![1]))]),
    ("is paused and resumed", || vec![Event::Pause(None), wait(200), Event::Resume, wait(200), Event::Rearm]),
    ("sees its gateway change", || {
        let router = [network(Change::Alive(0, false)), network(Change::Forgotten(0)), wait(3_000)];
        router.into_iter().chain([network(Change::Alive(0, true)), network(Change::Gateway(0, 2))]).collect()
    }),
];

fn network(change: Change) -> Event {
    Event::Network(change)
}

fn carrier(on: usize, there: bool) -> Event {
    network(Change::Carrier(on, there))
}

fn wait(ms: u64) -> Event {
    Event::Wait(ms)
}

/// A life, in which a call may fail: which, after how many, and how often. Gives how often each call was made.
async fn live(events: Vec<Event>, fault: Option<(Call, usize, Option<usize>)>) -> BTreeMap<Call, usize> {
    let mut chaos = Chaos::start_with(1, |fake| {
        if let Some((call, spared, times)) = fault {
            fake.fail_later(call, spared, times);
        }
    })
    .await;
    if let Some((call, ..)) = fault {
        chaos.falls_ill(call);
    }
    chaos.pass(Duration::from_secs(3)).await;
    for event in events {
        chaos.happen(event).await;
        chaos.app_sends();
        chaos.look().await;
        chaos.check();
    }
    chaos.pass(WHILE).await;
    chaos.heal();
    chaos.pass(HEALED).await;
    chaos.advertise(0);
    chaos.pass(Duration::from_secs(2)).await;
    chaos.look().await;
    chaos.check();
    if let Err(wrong) = chaos.is_as_it_should_be().await {
        panic!("{wrong}");
    }
    assert!(chaos.fake.view().is_armed());
    chaos.end().await;
    chaos.made()
}

/// Which calls are to fail in a life that makes so many of them: each of the first ones once, and then, for a while, from
/// the first and from the second on.
fn faults(made: BTreeMap<Call, usize>) -> Vec<(Call, usize, Option<usize>)> {
    let of_call = |(call, count): (Call, usize)| {
        let all = (0..MOST).map(move |spared| (call, spared, Some(1)));
        all.chain((0..2).map(move |spared| (call, spared, None))).filter(move |(_, spared, _)| *spared < count)
    };
    made.into_iter().filter(|(call, _)| !AT_START.contains(call)).flat_map(of_call).collect()
}

/// Half of the lives, so that two services can live at a time.
fn sweep(half: usize) -> usize {
    let mut count = 0;
    for (name, events) in LIVES.iter().skip(half).step_by(2) {
        runtime().block_on(async {
            for fault in faults(live(events(), None).await) {
                println!("{name}: {fault:?}");
                live(events(), Some(fault)).await;
                count += 1;
            }
        });
    }
    count
}

#[test]
fn each_call_fails_in_turn_and_ipv4_comes_back() {
    let begin = Instant::now();
    let count: usize = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| scope.spawn(move || sweep(half)));
        halves.map(|half| half.join().expect("no failure")).into_iter().sum()
    });
    println!("{count} faults in {} lives, in {:.1?}", LIVES.len(), begin.elapsed());
    assert!(count > 500, "{count}: the lives no longer make the calls");
}
