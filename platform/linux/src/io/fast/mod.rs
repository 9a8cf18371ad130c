//! The fast path: two programs in the kernel (`bpf/clat.c`), on the tunnel and on the uplinks, laid over the packet
//! sockets. docs/decisions/0011-fast-path.md says how they share the work.
//!
//! Everything here is held by descriptors: programs, maps and the links that put them onto interfaces. So nothing is left
//! when the process ends, in whatever way.

mod layout;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray};
use aya::programs::tc::SchedClassifierLink;
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, tc::TcAttachOptions};
use aya::{Ebpf, EbpfLoader};
use model::{FastReason, FlowKey};
use platform_api::{FastConfig, FastFlow, FastLane, FastRefusal, FastSeed, FastTotals, TunId};
use rustix::time::{ClockId, clock_gettime};

use crate::sys;
use layout::{CONFIGS, Config, Counters, FLOWS, Flow, Key, STATE_CONFIG, STATE_HELD, Tested};

/// Aligned as the reader of object files wants it.
#[repr(align(8))]
struct Aligned<T: ?Sized>(T);

static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/clat.o")));

/// The programs and what they know.
pub struct LinuxFast {
    places: Mutex<Places>,
    control: Mutex<Control>,
    flows: Mutex<HashMap<MapData, Key, Flow>>,
    /// The same map, to be read as a whole.
    all_flows: OwnedFd,
    counters: PerCpuArray<MapData, Counters>,
    tested: Mutex<Array<MapData, Tested>>,
}

/// The programs, and where they are.
struct Places {
    programs: Ebpf,
    tun: Option<(u32, SchedClassifierLink)>,
    links: BTreeMap<u32, SchedClassifierLink>,
    /// They have done what they should, once.
    tried: bool,
}

/// What is in force.
struct Control {
    state: Array<MapData, u32>,
    configs: Array<MapData, Config>,
    /// Each config goes to another place than the one before it, which may be being read.
    place: u32,
    generation: u32,
}

impl std::fmt::Debug for LinuxFast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinuxFast").finish_non_exhaustive()
    }
}

/// Nobody panics while holding one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LinuxFast {
    /// Loads the programs.
    pub(super) fn load() -> Result<Self, FastRefusal> {
        // Without the kernel's own types: the programs use none.
        let mut programs = EbpfLoader::new().btf(None).load(&OBJECT.0).map_err(|error| refused("load", &error))?;
        for name in ["everclat_up", "everclat_down", "everclat_tried"] {
            program(&mut programs, name)?.load().map_err(|error| refused("load", &error))?;
        }
        let mut state = Array::try_from(map(&mut programs, "STATE")?).map_err(|error| refused("load", &error))?;
        state.set(STATE_CONFIG, CONFIGS, 0).map_err(|error| refused("load", &error))?;
        let configs = Array::try_from(map(&mut programs, "CONFIG")?).map_err(|error| refused("load", &error))?;
        let flows = map(&mut programs, "FLOW")?;
        let Map::HashMap(data) = &flows else {
            return Err(FastRefusal::new(FastReason::Refused, "the map of flows is none"));
        };
        let all_flows = data.fd().as_fd().try_clone_to_owned().map_err(|error| refused("load", &error))?;
        let flows = HashMap::try_from(flows).map_err(|error| refused("load", &error))?;
        let counters =
            PerCpuArray::try_from(map(&mut programs, "COUNTERS")?).map_err(|error| refused("load", &error))?;
        let tested = Array::try_from(map(&mut programs, "TESTED")?).map_err(|error| refused("load", &error))?;
        Ok(Self {
            places: Mutex::new(Places { programs, tun: None, links: BTreeMap::new(), tried: false }),
            control: Mutex::new(Control { state, configs, place: 0, generation: 0 }),
            flows: Mutex::new(flows),
            all_flows,
            counters,
            tested: Mutex::new(tested),
        })
    }

    /// All flows, by one call: they may be thousands, and packets wait.
    fn read(&self, take: bool) -> Vec<(Key, Flow)> {
        let (mut keys, mut flows): (Vec<Key>, Vec<Flow>) = (vec![[0; 3]; FLOWS], vec![[0; 4]; FLOWS]);
        // Nothing but us writes to it, and there is room for all.
        let count = sys::read_hash(self.all_flows.as_fd(), &mut keys, &mut flows, take).unwrap_or_default();
        keys.into_iter().zip(flows).take(count).collect()
    }

    fn start_as(&self, config: &FastConfig, test: bool) -> io::Result<()> {
        let mut control = lock(&self.control);
        control.state.set(STATE_CONFIG, CONFIGS, 0).map_err(io_error)?;
        control.generation = control.generation.wrapping_add(1);
        control.place = (control.place + 1) % CONFIGS;
        let (place, generation) = (control.place, control.generation);
        let words = layout::config(config, generation, test).ok_or(io::ErrorKind::Unsupported)?;
        control.configs.set(place, words, 0).map_err(io_error)?;
        control.state.set(STATE_CONFIG, place, 0).map_err(io_error)
    }
}

impl FastLane for LinuxFast {
    fn attach(&self, tun: &TunId, links: &[u32]) -> Result<Vec<u32>, FastRefusal> {
        let mut places = lock(&self.places);
        if places.tun.as_ref().is_none_or(|(index, _)| *index != tun.index) {
            places.tun = None;
            let link = places.put("everclat_up", tun.index, TcAttachType::Egress)?;
            places.tun = Some((tun.index, link));
        }
        if !places.tried {
            let tried = places.put("everclat_tried", tun.index, TcAttachType::Ingress)?;
            trial::run(self, tun)?;
            places.tried = true;
            drop(tried);
        }
        places.links.retain(|link, _| links.contains(link));
        for link in links {
            if places.links.contains_key(link) {
                continue;
            }
            match places.put("everclat_down", *link, TcAttachType::Ingress) {
                Ok(there) => drop(places.links.insert(*link, there)),
                // It may be gone already.
                Err(error) => tracing::debug!(%error, link, "no fast path there"),
            }
        }
        Ok(places.links.keys().copied().collect())
    }

    fn detach(&self) {
        let mut places = lock(&self.places);
        places.tun = None;
        places.links.clear();
    }

    fn start(&self, config: &FastConfig) -> io::Result<()> {
        self.start_as(config, false)
    }

    fn stop(&self) {
        // A place of an array that exists can be written.
        let _ = lock(&self.control).state.set(STATE_CONFIG, CONFIGS, 0);
    }

    fn hold(&self, held: bool) {
        let _ = lock(&self.control).state.set(STATE_HELD, u32::from(held), 0);
    }

    fn admit(&self, key: &FlowKey, seed: &FastSeed) -> io::Result<()> {
        let generation = lock(&self.control).generation;
        let flow = layout::flow(seed, generation, now());
        lock(&self.flows).insert(layout::key(key), flow, 0).map_err(io_error)
    }

    fn remove(&self, key: &FlowKey) {
        // It may never have been there.
        let _ = lock(&self.flows).remove(&layout::key(key));
    }

    fn flows(&self) -> Vec<(FlowKey, FastFlow)> {
        let now = now();
        let ago = |moment: u64| Duration::from_nanos(now.saturating_sub(moment));
        let known = |flow: Flow| {
            let [_, _, sent, answered] = flow;
            let answered = (answered > 0).then(|| ago(answered));
            FastFlow { expects: layout::expects(&flow), sent: ago(sent), answered }
        };
        let flows = self.read(false).into_iter();
        flows.map(|(key, flow)| (layout::flow_key(key), known(flow))).collect()
    }

    fn clear(&self) {
        drop(self.read(true));
    }

    fn totals(&self) -> FastTotals {
        let mut totals = FastTotals::default();
        let Ok(values) = self.counters.get(&0, 0) else { return totals };
        let mut last = 0;
        for [packets_out, bytes_out, packets_in, bytes_in, answered, lost, huge] in values.iter().copied() {
            totals.packets_out += packets_out;
            totals.bytes_out += bytes_out;
            totals.packets_in += packets_in;
            totals.bytes_in += bytes_in;
            totals.lost += lost;
            totals.huge += huge;
            last = last.max(answered);
        }
        totals.answered = (last > 0).then(|| Duration::from_nanos(now().saturating_sub(last)));
        totals
    }
}

impl Places {
    /// The link goes with the value.
    fn put(&mut self, name: &str, link: u32, at: TcAttachType) -> Result<SchedClassifierLink, FastRefusal> {
        let interface = interface_name(link).map_err(|_| gone())?;
        let program = program(&mut self.programs, name)?;
        // Never by netlink: that would outlive us.
        let options = TcAttachOptions::TcxOrder(LinkOrder::default());
        let id = program.attach_with_options(&interface, at, options).map_err(|error| attach_refused(&error))?;
        program.take_link(id).map_err(|error| refused("attach", &error))
    }
}

/// The interface is gone; that says nothing about the next one.
fn gone() -> FastRefusal {
    FastRefusal::new(FastReason::Starting, "the interface is gone")
}

fn interface_name(link: u32) -> io::Result<String> {
    let socket = std::net::UdpSocket::bind((std::net::Ipv6Addr::UNSPECIFIED, 0))?;
    Ok(rustix::net::netdevice::index_to_name(socket.as_fd(), link)?)
}

fn program<'a>(programs: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier, FastRefusal> {
    let missing = || FastRefusal::new(FastReason::Refused, format!("there is no program {name}"));
    programs.program_mut(name).and_then(|program| program.try_into().ok()).ok_or_else(missing)
}

fn map(programs: &mut Ebpf, name: &str) -> Result<Map, FastRefusal> {
    let missing = || FastRefusal::new(FastReason::Refused, format!("there is no map {name}"));
    programs.take_map(name).ok_or_else(missing)
}

/// What the kernel says in the end; what is in front of it says only who asked.
fn root(error: &(dyn std::error::Error + 'static)) -> (Option<i32>, String) {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    (last.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error), last.to_string())
}

fn refused(what: &str, error: &(dyn std::error::Error + 'static)) -> FastRefusal {
    tracing::debug!(?error, what, "no fast path");
    let (number, text) = root(error);
    let reason = match number {
        Some(libc::EPERM | libc::EACCES) => FastReason::Permission,
        Some(libc::ENOSYS) => FastReason::Unsupported,
        Some(libc::ENODEV | libc::ENXIO) => return gone(),
        Some(_) | None => FastReason::Refused,
    };
    FastRefusal::new(reason, format!("the kernel did not {what} the programs: {text}"))
}

fn attach_refused(error: &ProgramError) -> FastRefusal {
    match root(error).0 {
        // What kernels before 6.6 say to a kind of link that they do not know.
        Some(libc::EINVAL | libc::EOPNOTSUPP) => {
            FastRefusal::new(FastReason::Unsupported, "the kernel has no TCX, which came with Linux 6.6")
        }
        Some(_) | None => refused("attach", error),
    }
}

fn io_error(error: MapError) -> io::Error {
    io::Error::other(error)
}

/// Nanoseconds of the clock that the programs read.
fn now() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    let whole = u64::try_from(now.tv_sec).unwrap_or_default().saturating_mul(1_000_000_000);
    whole.saturating_add(u64::try_from(now.tv_nsec).unwrap_or_default())
}
