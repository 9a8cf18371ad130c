//! The administrator's word while everything runs, and who may do what.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{Daemon, World, figure, until};
use lab::{Dns64, Pref64};
use model::{Pref64Source, Status};
use serde_json::Value;

/// What a policy sets is in force so soon.
const SOON: Duration = Duration::from_secs(2);
/// IPv4 may be gone so long when the prefix changes: three of our echoes.
const MOMENT: Duration = Duration::from_millis(150);

fn world(name: &str) -> Result<World> {
    World::new(name, |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].dns64 = Dns64::Off;
    })
}

/// As a management tool should: beside it, then renamed.
fn write(file: &Path, text: &str) -> Result<()> {
    let beside = file.with_extension("new");
    std::fs::write(&beside, text)?;
    Ok(std::fs::rename(beside, file)?)
}

/// Sends echoes until the status is as wanted; gives how long that took and the longest time without a reply.
fn meanwhile(world: &World, daemon: &Daemon, wanted: impl Fn(&Status) -> bool) -> Result<(Duration, Duration)> {
    let begin = Instant::now();
    let (mut last, mut longest, mut took) = (begin, Duration::ZERO, None);
    // A little longer, so that a gap behind the change counts, too.
    while took.is_none_or(|took: Duration| begin.elapsed() < took + Duration::from_millis(300)) {
        if world.udp_once()? {
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        if took.is_none() && wanted(&daemon.status()?) {
            took = Some(begin.elapsed());
        }
        ensure!(begin.elapsed() < 3 * SOON, "not in force:\n{}", daemon.log());
    }
    Ok((took.context("in force")?, longest.max(last.elapsed())))
}

fn listed(daemon: &Daemon) -> Result<Value> {
    Ok(serde_json::from_slice(&daemon.cli(&["policy", "list", "--json"])?.stdout)?)
}

fn setting(list: &Value, key: &str) -> Value {
    let all = list["settings"].as_array().into_iter().flatten();
    all.clone().find(|setting| setting["key"] == key).cloned().unwrap_or_default()
}

#[test]
fn a_policy_counts_from_the_moment_it_is_there() -> Result<()> {
    let world = world("e2e-pt-policy")?;
    let (theirs, ours): (Pref64, Pref64) = ("2001:db8:64::/96".parse()?, "2001:db8:65::/96".parse()?);
    world.lab.add_nat64("eth0", ours)?;
    let directory = world.policies();
    std::fs::create_dir(&directory)?;
    let file = directory.join("10-prefix.json");
    let daemon = world.start()?;
    daemon.ready()?;
    world.first_reply()?;
    let uses = |status: &Status, prefix: Pref64, source: Pref64Source| {
        let first = status.pref64.first();
        status.clat.is_some() && first.is_some_and(|first| (first.prefix, first.source) == (prefix, source))
    };
    ensure!(uses(&daemon.status()?, theirs, Pref64Source::Ra));

    write(&file, r#"{"Pref64Static": ["2001:db8:65::/96"]}"#)?;
    let (took, gap) = meanwhile(&world, &daemon, |status| uses(status, ours, Pref64Source::Policy))?;
    figure("policy file to plane", &format!("{took:.0?}, longest gap {gap:.0?}"));
    ensure!(took <= SOON && gap <= MOMENT, "in force after {took:?}, longest gap {gap:?}");
    let list = listed(&daemon)?;
    let prefix = setting(&list, "Pref64Static");
    ensure!(prefix["locked"] == true && prefix["origin"] == "policy", "{prefix}");
    let config = daemon.socket().with_file_name("config.toml");
    let config = config.to_str().context("a path in UTF-8")?;
    let refused = daemon.cli(&["config", "set", "Pref64Static", "2001:db8:66::/96", "--file", config])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(refused.status.code() == Some(4) && said.contains("10-prefix.json"), "{refused:?}");

    // What cannot be taken is told with its place, and leaves the last good value.
    write(&file, r#"{"Pref64Static": ["2001:db8:65::/95"]}"#)?;
    until(SOON, || Ok(listed(&daemon)?["problems"].as_array().is_some_and(|problems| !problems.is_empty())))?;
    let said = String::from_utf8_lossy(&daemon.cli(&["policy", "list"])?.stderr).into_owned();
    ensure!(said.contains("CL-801") && said.contains("10-prefix.json:1: Pref64Static"), "{said}");
    ensure!(daemon.cli(&["policy", "reload"])?.status.code() == Some(20), "reload says so, too");
    ensure!(uses(&daemon.status()?, ours, Pref64Source::Policy) && world.udp()?.received == 10);

    std::fs::remove_file(&file)?;
    let (took, gap) = meanwhile(&world, &daemon, |status| uses(status, theirs, Pref64Source::Ra))?;
    ensure!(took <= SOON && gap <= MOMENT, "back after {took:?}, longest gap {gap:?}");
    ensure!(listed(&daemon)?["problems"] == Value::Array(Vec::new()) && listed(&daemon)?["managed"] == false);
    daemon.stop()
}

#[test]
fn users_see_and_ask_and_administrators_decide() -> Result<()> {
    let world = world("e2e-pt-user")?;
    let daemon = world.start()?;
    daemon.ready()?;
    daemon.open_to_users()?;
    let code = |arguments: &[&str]| -> Result<Option<i32>> { Ok(daemon.cli_of_user(arguments)?.status.code()) };
    for allowed in [
        &["status", "-v"][..],
        &["check"],
        &["wait", "--timeout", "1s"],
        &["config", "list"],
        &["policy", "list"],
        &["log"],
        &["rearm"],
        &["version"],
    ] {
        ensure!(code(allowed)? == Some(0), "{allowed:?}: {:?}", daemon.cli_of_user(allowed)?);
    }
    daemon.reaches("armed again", |status| status.clat.is_some())?;
    let file = daemon.socket().with_file_name("config.toml");
    let file = file.to_str().context("a path in UTF-8")?;
    for denied in [
        &["policy", "reload"][..],
        &["log", "level", "debug"],
        &["log", "--level", "debug"],
        &["pause", "--indefinitely"],
        &["config", "set", "Mtu", "1400", "--file", file],
    ] {
        ensure!(code(denied)? == Some(4), "{denied:?}: {:?}", daemon.cli_of_user(denied)?);
    }
    ensure!(daemon.status()?.pause.is_none() && world.udp()?.received == 10, "nothing came of it");

    // An administrator has more logged; it stays between him and the service.
    ensure!(daemon.cli(&["log", "level", "debug", "--for", "1m"])?.status.success());
    ensure!(daemon.cli(&["rearm"])?.status.success());
    daemon.reaches("armed again", |status| status.clat.is_some())?;
    let levels = |output: std::process::Output| -> Result<Vec<Value>> {
        let lines = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
        lines.map(|line| Ok(line?["level"].clone())).collect()
    };
    let hidden = Value::from("debug");
    ensure!(levels(daemon.cli(&["log", "--json"])?)?.contains(&hidden), "there is something to hide");
    let seen = levels(daemon.cli_of_user(&["log", "--json"])?)?;
    ensure!(!seen.is_empty() && !seen.contains(&hidden), "DEBUG has addresses: {seen:?}");
    daemon.stop()
}

/// Each change a line, as it happens, until nobody reads any more.
#[test]
fn a_user_watches() -> Result<()> {
    let world = world("e2e-pt-watch")?;
    let daemon = world.start()?;
    daemon.ready()?;
    daemon.open_to_users()?;
    let mut watching = daemon.command_of_user(&["watch", "--json"]);
    let mut watching = watching.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let lines = std::io::BufRead::lines(std::io::BufReader::new(watching.stdout.take().context("its output")?));
    let mut states = lines.map_while(Result::ok).filter_map(|line| {
        let status: Value = serde_json::from_str(&line).ok()?;
        status["state"].as_str().map(str::to_owned)
    });
    ensure!(states.next().as_deref() == Some("working"));
    ensure!(daemon.cli_of_user(&["pause", "--for", "10m"])?.status.success());
    ensure!(states.any(|state| state == "paused"));
    ensure!(daemon.cli_of_user(&["resume"])?.status.success());
    ensure!(states.any(|state| state == "working"));
    daemon.stop()?;
    states.for_each(drop);
    let ended = watching.wait_with_output()?;
    ensure!(ended.status.code() == Some(3), "it ends with the service: {ended:?}");
    ensure!(String::from_utf8_lossy(&ended.stderr).contains("it was stopped"), "{ended:?}");
    Ok(())
}
