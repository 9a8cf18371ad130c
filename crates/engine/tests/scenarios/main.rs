//! What the machine does, in the order of a service's life: each test is a list of events, moments and expected
//! actions. Time is virtual; [`world::World`] stands for plane and host.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

extern crate everclat_engine as engine;

mod claim;
mod discovery;
mod dns;
mod failure;
mod flows;
mod health;
mod ladder;
mod lifecycle;
mod memory;
mod mend;
mod mtu;
mod network;
mod person;
mod portal;
mod properties;
mod rearm;
mod roaming;
mod settings;
mod sleep;
mod standby;
mod start;
mod uplinks;
mod verdicts;
mod world;
