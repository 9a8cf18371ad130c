//! `everclat-tray`: shows in tray and window what the service says.

#![forbid(unsafe_code)]
// No console window beside ours on Windows; developers' builds keep theirs.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::process::ExitCode;

use clap::Parser;
use everclat_tray::app;

fn main() -> ExitCode {
    match app::run(app::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("everclat-tray: {error:#}");
            ExitCode::FAILURE
        }
    }
}
