//! The tray app and its window. It talks to the service through its local socket only, has no rights of its own, and translation goes on
//! without it.

#![forbid(unsafe_code)]

pub mod app;
pub mod conductor;
pub mod controller;
pub mod link;
mod log;
mod os;
mod page;
pub mod raster;
mod store;
pub mod view;
pub mod words;
