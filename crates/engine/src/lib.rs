//! The machine that decides: discovery, addressing, arming, standing back.
//!
//! Sans-IO and deterministic. Everything comes in as an [`Event`] with the time `now`, everything goes out as an
//! [`Action`]; between two events nothing happens except at [`Engine::poll_timeout`]. The service executes actions
//! in the order in which they come and decides nothing.
//!
//! The machine is level-triggered: each event updates what is known (the snapshot of the network, the prefixes, what
//! the plane and the host report), then [`decide`](self) is asked afresh what should be, and the difference between
//! that and what is becomes actions. There is no state in which an event could be "unexpected".
//!
//! ```text
//!            snapshot, RA options            decision            SetPlane   Started    Apply   Applied
//!   network ------------------------> [known] --------> [plane wanted] --> [plane up] --> [route] --> working
//!                                        |                                                   ^
//!                                        +---- native IPv4, no PREF64, ... : Apply(none), StopPlane
//! ```

#![forbid(unsafe_code)]

mod address;
mod ask;
mod backoff;
mod decide;
mod discovery;
mod event;
pub mod flow;
mod health;
mod machine;
pub mod nd;
mod option;
mod pmtu;
mod portal;
pub mod probe;
mod rearm;
mod report;
mod rfc7050;
mod routers;
mod solicit;
mod verdict;

/// For fuzz targets, which hand over what a resolver would: the way through the whole machine is long and hides the reading.
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::rfc7050::{is_captured, prefixes, refusal};
}

pub use event::{Action, Event};
pub use machine::Engine;
pub use option::{OptionError, RouterOption};
pub use rearm::Rearmed;
pub use report::ProcessInfo;
