use std::fs;

use engine::Event;
use model::{MacAddress, NetworkId, Pref64, Pref64Source, RememberedPref64, Settings};
use platform_fake::{ETH, Fake, ROUTER, ipv6_only, pref64_option};
use tempfile::TempDir;

use super::*;

/// 2023-11-14.
const TODAY: u64 = 1_700_000_000;

fn today() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(TODAY)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_duration(Duration::from_secs(seconds))
}

/// A network whose prefixes end at `ends`: one of a router, one of DNS.
fn memory(ends: [u64; 2]) -> Memory {
    let known = |source, router: Option<&str>, expires: u64| RememberedPref64 {
        prefix: Pref64::WELL_KNOWN,
        source,
        router: router.map(|router| router.parse().unwrap()),
        expires: at(expires),
    };
    let id = NetworkId {
        uplink: "eth0".into(),
        prefix: "2001:db8:1::/64".parse().unwrap(),
        router: "fe80::1".parse().unwrap(),
        router_mac: MacAddress([2, 0, 0, 0, 1, 2]),
    };
    let prefixes = vec![known(Pref64Source::Ra, Some("fe80::1"), ends[0]), known(Pref64Source::Dns, None, ends[1])];
    let x = Some("2001:db8:1::a:b".parse().unwrap());
    Memory { generation: Generation(7), networks: vec![RememberedNetwork { id, prefixes, attempt: 1, x }] }
}

/// Written after ten seconds of a process, by today's clock.
fn written() -> Vec<u8> {
    file::encode(&memory([110, 70]), at(10), today()).unwrap()
}

/// The same with something else in the place of `old`, which is there.
fn changed(old: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8(written()).unwrap();
    assert!(text.contains(old), "{old} in {text}");
    text.replace(old, new).into_bytes()
}

fn refusal(bytes: &[u8]) -> String {
    file::decode(bytes, at(0), today()).expect_err("it makes no sense")
}

#[test]
fn what_is_written_is_read_and_lifetimes_go_on() {
    let read = file::decode(&written(), at(3), today() + Duration::from_secs(20)).unwrap();
    assert_eq!(read, memory([83, 43]), "100 and 60 seconds, of which 20 have passed");
}

#[test]
fn what_has_ended_is_left_out() {
    let read = file::decode(&written(), at(0), today() + Duration::from_secs(60)).unwrap();
    let sources: Vec<Pref64Source> = read.networks[0].prefixes.iter().map(|known| known.source).collect();
    assert_eq!(sources, [Pref64Source::Ra]);
    let read = file::decode(&written(), at(0), today() + Duration::from_secs(86_400 * 365)).unwrap();
    assert_eq!((read.networks[0].prefixes.len(), read.networks[0].attempt), (0, 1), "addresses do not age");
}

#[test]
fn a_clock_that_went_backwards_gives_no_life() {
    let read = file::decode(&written(), at(0), today() - Duration::from_secs(60)).unwrap();
    assert_eq!(read.networks[0].prefixes[0].expires, at(100), "a correction; not longer than it was");
    for wall in [today() - Duration::from_secs(61), SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH - Duration::MAX / 4]
    {
        let refused = file::decode(&written(), at(0), wall).expect_err("not yet written");
        assert_eq!(refused, "it is from the future, or the clock went backwards");
    }
}

#[test]
fn times_are_bounded_by_what_can_be_said() {
    let ends = |ends| file::encode(&memory(ends), at(0), today()).unwrap();
    assert!(file::decode(&ends([65_528, 86_400]), at(0), today()).is_ok());
    for bad in [[65_529, 60], [60, 86_401], [u64::MAX, 60]] {
        assert_eq!(refusal(&ends(bad)), "it has a network that cannot be", "{bad:?}");
    }
}

#[test]
fn other_versions_and_other_things_are_told_apart() {
    assert_eq!(refusal(&changed("everclat.memory/1", "everclat.memory/2")), "another version has written it");
    assert_eq!(
        refusal(br#"{"schema": "everclat.memory/9", "networks": "who knows"}"#),
        "another version has written it"
    );
    assert_eq!(refusal(br#"{"schema": "x"}"#), "another version has written it");
    for strange in [&b""[..], b"[]", b"\0\0\0\0", b"\xff\xfe", b"{", b"null", b"{\"schema\": 1}"] {
        assert!(refusal(strange).ends_with("cannot be understood"), "{strange:?}");
    }
    assert!(refusal(&changed("\"attempt\"", "\"other\"")).ends_with("cannot be understood"));
}

#[test]
fn every_torn_file_is_refused() {
    let whole = written();
    // The last byte is the end of the line.
    for length in 0..whole.len() - 1 {
        assert!(file::decode(&whole[..length], at(0), today()).is_err(), "{length} bytes");
    }
}

#[test]
fn nonsense_is_refused_whole() {
    let changes = [
        ("\"eth0\"", "\"\""),
        ("\"eth0\"", "\"eth0\\u001b[2J\""),
        ("2001:db8:1::/64", "2001:db8:1::/48"),
        ("2001:db8:1::/64", "2001:db8:1::1/64"),
        ("2001:db8:1::/64", "2001:db8:1::/129"),
        ("\"router\": \"fe80::1\"", "\"router\": \"ff02::1\""),
        ("\"router\": \"fe80::1\"", "\"router\": \"::\""),
        ("2001:db8:1::a:b", "2001:db8:2::a:b"),
        ("64:ff9b::/96", "64:ff9b::/97"),
        ("\"dns\"", "\"policy\""),
        ("\"attempt\": 1", "\"attempt\": 256"),
        ("\"attempt\": 1", "\"attempt\": -1"),
        ("\"generation\": 7", "\"generation\": 18446744073709551615"),
        ("\"generation\": 7", "\"generation\": 1e300"),
    ];
    for (old, new) in changes {
        let refused = refusal(&changed(old, new));
        assert!(!refused.contains("2001:db8") && !refused.contains('\u{1b}'), "nothing of the file is told: {refused}");
    }
    let mut many = memory([60, 60]);
    many.networks = vec![many.networks[0].clone(); Memory::MAX_NETWORKS + 1];
    assert_eq!(refusal(&file::encode(&many, at(0), today()).unwrap()), "it has numbers that cannot be");
    let mut many = memory([60, 60]);
    many.networks[0].prefixes = vec![many.networks[0].prefixes[0]; 17];
    assert_eq!(refusal(&file::encode(&many, at(0), today()).unwrap()), "it has a network that cannot be");
}

#[test]
fn the_largest_that_is_written_is_read() {
    let mut most = memory([60, 60]);
    let name = "\u{1f50c}".repeat(63);
    most.networks[0].id.uplink.clone_from(&name);
    most.networks[0].prefixes = vec![most.networks[0].prefixes[0]; 16];
    most.networks = vec![most.networks[0].clone(); Memory::MAX_NETWORKS];
    let text = file::encode(&most, at(0), today()).unwrap();
    assert!(u64::try_from(text.len()).unwrap() < MAX_SIZE / 2, "{}", text.len());
    assert_eq!(file::decode(&text, at(0), today()).unwrap(), most);
    most.networks.truncate(1);
    most.networks[0].id.uplink = name.repeat(2);
    let text = file::encode(&most, at(0), today()).unwrap();
    assert!(file::decode(&text, at(0), today()).unwrap().networks.is_empty(), "what could not be read is not written");
}

#[test]
fn a_lifetime_that_grows_a_little_is_no_news() {
    let kept = memory([1000, 1000]);
    for (ends, news) in
        [([1000, 1000], false), ([1250, 1000], false), ([1400, 1000], true), ([1000, 1400], true), ([999, 1000], true)]
    {
        assert_eq!(is_news(&kept, &memory(ends), at(0)), news, "{ends:?}");
    }
    assert!(is_news(&kept, &memory([1250, 1000]), at(500)), "a third of what is left");
    let mut other = memory([1000, 1000]);
    other.networks[0].attempt = 2;
    assert!(is_news(&kept, &other, at(0)));
    other.networks.clear();
    assert!(is_news(&kept, &other, at(0)));
}

/// A service's disk, clock and engine.
struct Place {
    dir: TempDir,
    fake: Fake,
    engine: Engine,
    keeper: Keeper,
}

impl Place {
    /// In a directory in which `prepare` has been at work.
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let fake = Fake::new(ipv6_only());
        let keeper = Keeper::open(dir.path(), &*fake.clock());
        let mut engine = Engine::new(Settings::default(), [7; 32], Timestamp::ZERO);
        engine.remember(keeper.kept());
        Self { dir, fake, engine, keeper }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(FILE)
    }

    fn look(&mut self) {
        self.keeper.look(&self.engine, &*self.fake.clock());
    }

    /// A router says its prefix.
    fn learn(&mut self, lifetime: u16) {
        let now = self.fake.clock().now();
        self.engine.handle(Event::Snapshot(ipv6_only()), now);
        let (link, router) = (ETH, ROUTER.parse().ok());
        let bytes = pref64_option(Pref64::WELL_KNOWN, lifetime);
        self.engine.handle(Event::RouterOption { link, router, bytes }, now);
    }

    /// What is on the disk, once the write that is under way has ended.
    async fn kept(&mut self) -> Option<Memory> {
        while self.keeper.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let clock = self.fake.clock();
        read(&self.file(), clock.now(), clock.wall()).unwrap()
    }
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

#[test]
fn what_changes_is_written_once_a_second_and_what_does_not_never() {
    run(async {
        let mut place = Place::new(|_| ());
        place.look();
        assert_eq!(place.kept().await.unwrap().networks, [], "the generation");
        place.learn(1800);
        place.look();
        assert_eq!(place.kept().await.unwrap().networks, [], "not yet");
        assert_eq!(place.keeper.next(), Some(at(1)));
        place.fake.advance(PAUSE);
        place.look();
        let kept = place.kept().await.unwrap();
        assert_eq!(kept.networks, place.engine.memory().networks);
        assert!(kept.generation > place.engine.memory().generation);
        let stamp = || fs::metadata(place.dir.path().join(FILE)).unwrap().modified().unwrap();
        let before = stamp();
        for _ in 0..5 {
            place.fake.advance(PAUSE);
            place.keeper.look(&place.engine, &*place.fake.clock());
        }
        assert!(place.keeper.writing.is_none() && place.keeper.next().is_none(), "nothing to do");
        assert_eq!(stamp(), before);
    });
}

#[test]
fn a_slow_disk_is_neither_waited_for_nor_asked_all_the_time() {
    run(async {
        let mut place = Place::new(|_| ());
        let (go, wait) = std::sync::mpsc::channel::<()>();
        place.keeper.writing = Some(spawn_blocking(move || wait.recv().map_err(io::Error::other)));
        place.learn(1800);
        for second in 0..3 {
            place.look();
            assert_eq!(place.keeper.next(), Some(at(second + 1)));
            place.fake.advance(PAUSE);
        }
        go.send(()).unwrap();
        assert_eq!(place.kept().await, None);
        place.look();
        assert_eq!(place.kept().await.unwrap().networks, place.engine.memory().networks);
    });
}

#[test]
fn the_next_process_begins_where_this_one_ended_and_nobody_else_may_read_it() {
    run(async {
        let mut place = Place::new(|_| ());
        place.learn(1800);
        let memory = place.engine.memory();
        let path = place.file();
        place.keeper.close(memory.clone(), &*place.fake.clock()).await;
        #[cfg(target_os = "linux")]
        assert!(os::is_private(&path).unwrap());
        assert!(!path.with_extension("new").exists());
        let next = Keeper::open(place.dir.path(), &*place.fake.clock());
        assert_eq!(next.kept().networks, memory.networks);
        assert!(next.kept().generation > memory.generation);
    });
}

#[test]
fn generations_grow_from_process_to_process_however_short_they_live() {
    run(async {
        let mut place = Place::new(|_| ());
        let mut last = Generation::default();
        for _ in 0..5 {
            place.look();
            let kept = place.kept().await.unwrap().generation;
            assert!(kept > last);
            last = kept;
            place.keeper = Keeper::open(place.dir.path(), &*place.fake.clock());
            place.engine.remember(place.keeper.kept());
            assert_eq!(place.engine.memory().generation, last);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn whatever_lies_there_it_starts_and_writes_its_own() {
    type Prepare = fn(&Path);
    let prepared: [(&str, Prepare); 6] = [
        ("torn", |path| fs::write(path, &written()[..100]).unwrap()),
        ("of a later version", |path| fs::write(path, changed("memory/1", "memory/2")).unwrap()),
        ("huge", |path| fs::write(path, vec![b' '; 10 << 20]).unwrap()),
        ("a link", |path| {
            fs::write(path.with_extension("elsewhere"), written()).unwrap();
            std::os::unix::fs::symlink(path.with_extension("elsewhere"), path).unwrap();
        }),
        ("anybody's to write", |path| {
            fs::write(path, written()).unwrap();
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        }),
        ("something left of a write", |path| {
            fs::write(path.with_extension("new"), b"half").unwrap();
            fs::set_permissions(path.with_extension("new"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
                .unwrap();
        }),
    ];
    for (what, prepare) in prepared {
        run(async {
            let mut place = Place::new(|dir| prepare(&dir.join(FILE)));
            assert_eq!(place.keeper.kept(), Memory::default(), "{what}");
            place.learn(1800);
            place.look();
            let kept = place.kept().await.unwrap();
            assert_eq!(kept.networks, place.engine.memory().networks, "{what}");
            assert!(os::is_private(&place.file()).unwrap(), "{what}");
            assert!(!fs::symlink_metadata(place.file()).unwrap().is_symlink(), "{what}");
        });
    }
}

/// A pipe would block whoever opens it to read, for ever.
#[cfg(target_os = "linux")]
#[test]
fn a_pipe_does_not_hold_the_start_up() {
    let place = Place::new(|dir| {
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.join(FILE), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    });
    assert_eq!(place.keeper.kept(), Memory::default());
    assert!(read(&place.file(), at(0), today()).unwrap_err().contains("not a plain file"));
}

#[test]
fn a_disk_that_refuses_is_told_once_and_asked_again_later() {
    run(async {
        // Root may write everywhere, but not a file over a directory that is not empty.
        let mut place = Place::new(|dir| fs::create_dir_all(dir.join("memory.new/full")).unwrap());
        let told = |place: &Place| place.keeper.refused;
        place.learn(1800);
        place.look();
        assert_eq!(place.kept().await, None);
        place.fake.advance(PAUSE);
        place.look();
        assert!(told(&place));
        assert_eq!(place.keeper.next, at(1) + AFTER_FAILURE);
        place.fake.advance(PAUSE);
        place.look();
        assert!(place.keeper.writing.is_none(), "not every second");
        fs::remove_dir_all(place.dir.path().join("memory.new")).unwrap();
        place.fake.advance(AFTER_FAILURE);
        place.look();
        assert_eq!(place.kept().await.unwrap().networks, place.engine.memory().networks);
        place.fake.advance(PAUSE);
        place.look();
        assert!(!told(&place));
    });
}
