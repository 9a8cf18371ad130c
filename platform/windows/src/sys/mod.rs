//! IP Helper. The only `unsafe` of this crate.

mod notify;
mod tables;

pub(crate) use notify::Registration;
pub(crate) use tables::{best_route, tables};
