//! A lab as its users hold it.

mod dhcp4;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::config::{LabConfig, Nat64, check_translatable};
use crate::control::{self, Request};
use crate::error::{Error, Result};
use crate::netns::Netns;
use crate::plan::{self, Plan, RUN_DIR};
use crate::ra::{RaConfig, RaPatch, RouterStatus};
use crate::reservation::Reservation;
use crate::services::{self, Names, Started};
use crate::setup::{self, Fault};
use crate::state::{self, Lock, State};
use crate::{Pref64, process, sys, tools};

/// How long to wait for another program that has a lab of the same name: the longest test takes a few minutes.
const TURN: Duration = Duration::from_secs(20 * 60);

/// A running lab. Dropping it leaves the lab running, unless [`Lab::down_on_drop`] was asked for.
#[derive(Debug)]
pub struct Lab {
    config: LabConfig,
    plan: Plan,
    /// Kept so that they do not stay as zombies of a long-lived process.
    children: Mutex<Vec<Child>>,
    down_on_drop: bool,
    /// Last, so that it outlives the taking down. Who attaches to a lab has none.
    _reservation: Option<Reservation>,
}

impl Lab {
    /// Builds the lab and returns when the host has an address and a default route on each uplink, and every
    /// server answers. What an earlier, dead lab of this name left is removed first; after a failure nothing stays.
    ///
    /// Another program that has brought up a lab of this name and still holds its `Lab` is waited for, for up to 20
    /// minutes, instead of losing its lab to `replace`.
    ///
    /// # Errors
    /// [`Error::NotRoot`], [`Error::MissingTools`], [`Error::AlreadyUp`], [`Error::Config`],
    /// [`Error::Timeout`] and everything `ip` may say.
    pub fn up(config: LabConfig) -> Result<Self> {
        sys::check_privileges()?;
        config.validate()?;
        let plan = Plan::new(&config);
        let mut prefixes = plan.sites.iter().flat_map(|site| site.uplink.translated());
        prefixes.try_for_each(|prefix| plan.check_apart(prefix))?;
        tools::check(&config)?;
        let refuse = |config: &LabConfig| {
            let living = State::load(&config.name).is_some_and(|state| state.is_living());
            if !config.replace && living { Err(Error::AlreadyUp(config.name.clone())) } else { Ok(()) }
        };
        // Not to be waited for: it does not go away by itself.
        refuse(&config)?;
        let reservation = Reservation::take(Path::new(RUN_DIR), &config.name, TURN)?;
        let _lock = Lock::take(&config.name)?;
        refuse(&config)?;
        setup::remove(&config.name)?;
        let mut lab = Self::from_config(config);
        lab._reservation = Some(reservation);
        if let Err(error) = lab.build() {
            // The first error is the one to report; what a failing removal leaves is swept by the next `up`.
            drop(lab.remove());
            return Err(error);
        }
        Ok(lab)
    }

    /// The running lab `name`.
    ///
    /// # Errors
    /// [`Error::NotUp`] when there is none.
    pub fn attach(name: &str) -> Result<Self> {
        sys::check_privileges()?;
        let state = State::load(name).filter(|state| state.ready);
        Ok(Self::from_config(state.ok_or_else(|| Error::NotUp(name.to_owned()))?.config))
    }

    /// Removes the lab `name` and whatever is left of one. Nothing to remove is no error.
    ///
    /// # Errors
    /// When a process does not end or a namespace cannot be deleted.
    pub fn remove_by_name(name: &str) -> Result<()> {
        sys::check_privileges()?;
        LabConfig::named(name).validate()?;
        let lock = Lock::take(name)?;
        setup::remove(name)?;
        lock.discard()
    }

    /// Names of the labs on this machine.
    #[must_use]
    pub fn names() -> Vec<String> {
        state::names()
    }

    /// Ends what runs inside, the lab's own processes, and removes every trace. May be called again.
    ///
    /// # Errors
    /// As [`Lab::remove_by_name`].
    pub fn down(&mut self) -> Result<()> {
        let lock = Lock::take(&self.config.name)?;
        self.remove()?;
        lock.discard()
    }

    /// Whether dropping this value takes the lab down: for tests.
    pub fn down_on_drop(&mut self, yes: bool) {
        self.down_on_drop = yes;
    }

    /// What the lab was built from.
    #[must_use]
    pub fn config(&self) -> &LabConfig {
        &self.config
    }

    /// The desktop.
    #[must_use]
    pub fn host(&self) -> &Netns {
        &self.plan.host
    }

    /// The servers.
    #[must_use]
    pub fn inet(&self) -> &Netns {
        &self.plan.inet
    }

    /// All namespaces of the lab, the host's first.
    #[must_use]
    pub fn namespaces(&self) -> Vec<Netns> {
        self.plan.namespaces()
    }

    /// The router behind an uplink.
    ///
    /// # Errors
    /// [`Error::UnknownUplink`].
    pub fn router(&self, uplink: &str) -> Result<&Netns> {
        Ok(&self.plan.site(uplink)?.0.netns)
    }

    /// Where logs and state are.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.plan.run_dir()
    }

    /// The first IPv4-only server.
    #[must_use]
    pub fn server_v4(&self) -> Ipv4Addr {
        self.config.servers_v4.first().copied().unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// The IPv6 server.
    #[must_use]
    pub fn server_v6(&self) -> Ipv6Addr {
        plan::server_v6()
    }

    /// Link-local address of every router: the same, as on many real networks.
    #[must_use]
    pub fn gateway(&self) -> Ipv6Addr {
        plan::GATEWAY
    }

    /// The DNS server announced on an uplink.
    ///
    /// # Errors
    /// [`Error::UnknownUplink`].
    pub fn dns(&self, uplink: &str) -> Result<Ipv6Addr> {
        Ok(self.plan.site(uplink)?.0.dns())
    }

    /// A neighbour on an uplink's link, with the same servers as the others.
    ///
    /// # Errors
    /// [`Error::UnknownUplink`].
    pub fn neighbour(&self, uplink: &str) -> Result<Ipv6Addr> {
        Ok(self.plan.site(uplink)?.0.neighbour())
    }

    /// The /64 that a router announces.
    ///
    /// # Errors
    /// [`Error::UnknownUplink`].
    pub fn prefix(&self, uplink: &str) -> Result<ipnet::Ipv6Net> {
        Ok(self.plan.site(uplink)?.0.prefix())
    }

    /// Pulls the cable: the host's interface loses its carrier. The host's kernel keeps addresses and routes.
    ///
    /// # Errors
    /// [`Error::UnknownUplink`], or what `ip` says.
    pub fn cut(&self, uplink: &str) -> Result<()> {
        let (site, port) = self.plan.site(uplink)?;
        site.netns.ip(&["link", "set", &port.router_side, "down"]).map(drop)
    }

    /// Plugs it in again; the router advertises at once, as routers do when a link comes up.
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn restore(&self, uplink: &str) -> Result<()> {
        let (site, port) = self.plan.site(uplink)?;
        site.netns.ip(&["link", "set", &port.router_side, "up"])?;
        site.netns.ip_batch(&setup::lan_addresses(site))?;
        self.control(uplink, &Request::LinkUp).map(drop)
    }

    /// Removes the host's IPv6 addresses and learnt routes of an uplink, as a network manager does when the
    /// carrier is lost (the kernel does not).
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn flush(&self, uplink: &str) -> Result<()> {
        let prefix = self.plan.site(uplink)?.0.prefix().to_string();
        self.host().ip(&["-6", "address", "flush", "dev", uplink, "scope", "global"])?;
        self.host().ip(&["-6", "route", "flush", &prefix, "dev", uplink])?;
        self.host().ip(&["-6", "route", "flush", "dev", uplink, "proto", "ra"]).map(drop)
    }

    /// Changes what the router behind `uplink` advertises, and by default advertises it at once.
    ///
    /// # Errors
    /// [`Error::UnknownUplink`], or when the router does not answer.
    pub fn set_ra(&self, uplink: &str, patch: RaPatch) -> Result<RaConfig> {
        Ok(self.control(uplink, &Request::Patch(patch))?.config)
    }

    /// What it advertises now, and how much it has sent.
    ///
    /// # Errors
    /// As [`Lab::set_ra`].
    pub fn ra(&self, uplink: &str) -> Result<RouterStatus> {
        self.control(uplink, &Request::Status)
    }

    /// Native IPv4 on an uplink: an address and a default route with gateway for the host, and a way for its
    /// packets to the IPv4 servers.
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn native4(&self, uplink: &str, on: bool) -> Result<()> {
        let (site, port) = self.plan.site(uplink)?;
        setup::native4(&self.plan, site, port, on)
    }

    /// The router translates (or reflects) one more prefix, besides those it started with.
    ///
    /// # Errors
    /// [`Error::Config`] when TAYGA would refuse it; as [`Lab::cut`].
    pub fn add_nat64(&self, uplink: &str, prefix: Pref64) -> Result<()> {
        let (site, _) = self.plan.site(uplink)?;
        let mode = match site.uplink.nat64 {
            Nat64::Tayga | Nat64::None => Nat64::Tayga,
            Nat64::Reflector => Nat64::Reflector,
        };
        check_translatable(mode, prefix)?;
        self.plan.check_apart(prefix)?;
        self.change(|state, started| {
            let there = state.translators.iter().any(|t| t.site == site.number && t.prefix == prefix);
            if !there {
                services::add_translator(&self.plan, site, mode, prefix, state, started)?;
            }
            services::wait_for_translators(&self.plan, site, state)
        })
    }

    /// The router's DNS server synthesizes with another prefix, or not at all. Its cache is lost.
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn set_dns64(&self, uplink: &str, prefix: Option<Pref64>) -> Result<()> {
        let (site, _) = self.plan.site(uplink)?;
        let names = Names::Honest(prefix);
        self.change(|state, started| services::replace_dns(&self.plan, site, names, state, started))
    }

    /// The router's DNS server answers for every name with `address`, as behind a captive portal; until
    /// [`Lab::set_dns64`].
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn capture_names(&self, uplink: &str, address: Ipv6Addr) -> Result<()> {
        let (site, _) = self.plan.site(uplink)?;
        let names = Names::Captured(address);
        self.change(|state, started| services::replace_dns(&self.plan, site, names, state, started))
    }

    /// Breaks or mends something on the network side of an uplink.
    ///
    /// # Errors
    /// As [`Lab::cut`].
    pub fn set_fault(&self, uplink: &str, fault: Fault, on: bool) -> Result<()> {
        let (site, _) = self.plan.site(uplink)?;
        let state = State::load(&self.config.name).ok_or_else(|| Error::NotUp(self.config.name.clone()))?;
        setup::set_fault(site, &state.translators, fault, on)
    }

    fn from_config(config: LabConfig) -> Self {
        let plan = Plan::new(&config);
        Self { config, plan, children: Mutex::new(Vec::new()), down_on_drop: false, _reservation: None }
    }

    fn control(&self, uplink: &str, request: &Request) -> Result<RouterStatus> {
        let socket = self.plan.site(uplink)?.0.control_socket(&self.plan.run_dir());
        control::ask(&socket, request)
    }

    fn build(&self) -> Result<()> {
        let mut state = State::new(self.config.clone());
        setup::create(&self.plan)?;
        state.save()?;
        setup::connect(&self.plan, &self.config)?;
        let mut started = Started::new();
        let result = services::start_all(&self.plan, &self.config, &mut state, &mut started);
        self.keep(started);
        // Also after a failure: the removal stops what is written there.
        state.save()?;
        result?;
        services::wait_for_routers(&self.plan, &state)?;
        setup::plug_in(&self.plan)?;
        services::wait_ready(&self.plan, &self.config, &state)?;
        state.ready = true;
        state.save()
    }

    /// Changes the state file under the lock.
    fn change(&self, work: impl FnOnce(&mut State, &mut Started) -> Result<()>) -> Result<()> {
        let _lock = Lock::take(&self.config.name)?;
        let name = &self.config.name;
        let mut state = State::load(name).ok_or_else(|| Error::NotUp(name.clone()))?;
        let mut started = Started::new();
        let result = work(&mut state, &mut started);
        self.keep(started);
        state.save()?;
        result
    }

    fn keep(&self, started: Started) {
        self.children.lock().unwrap_or_else(PoisonError::into_inner).extend(started);
    }

    fn remove(&mut self) -> Result<()> {
        let result = setup::remove(&self.config.name);
        let children = self.children.get_mut().unwrap_or_else(PoisonError::into_inner);
        process::reap(children);
        result
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.down_on_drop {
            // Nobody is left to tell; the next `up` of this name sweeps.
            drop(self.down());
        }
        let children = self.children.get_mut().unwrap_or_else(PoisonError::into_inner);
        process::reap(children);
    }
}
