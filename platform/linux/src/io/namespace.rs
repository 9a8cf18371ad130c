//! A network namespace of a test's own.

use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs `test` in an empty network; `None` without root.
pub(crate) fn in_a_network<T: Send>(test: impl FnOnce() -> T + Send) -> Option<T> {
    let mut child = Command::new("unshare")
        .args(["--net", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It echoes once it is there; without root it never is.
    let there = {
        use std::io::{Read, Write};
        let written = child.stdin.as_mut().unwrap().write_all(b"x").is_ok();
        written && child.stdout.as_mut().unwrap().read_exact(&mut [0]).is_ok()
    };
    let result = there.then(|| {
        let network = std::fs::File::open(format!("/proc/{}/ns/net", child.id())).unwrap();
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                test()
            });
            inside.join().unwrap()
        })
    });
    if result.is_none() {
        eprintln!("SKIPPED: may not make a network namespace; run as root");
    }
    end(child);
    result
}

/// Runs `ip` there.
pub(crate) fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(done.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}
