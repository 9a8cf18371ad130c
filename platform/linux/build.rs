//! Compiles the programs of the fast path for the kernel's own machine. They go into the service as bytes.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-env-changed=CLANG");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    let into = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("clat.o");
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let endian = env::var("CARGO_CFG_TARGET_ENDIAN").unwrap_or_default();
    let target = if endian == "big" { "bpfeb" } else { "bpfel" };
    let mut command = Command::new(&clang);
    // v3: atomic operations that return what was there.
    command.args(["-target", target, "-mcpu=v3", "-O2", "-Wall", "-Wextra", "-Werror", "-Ibpf"]);
    // Debian keeps some headers of the kernel by architecture, and which does not matter here: those of the build host do.
    for architecture in ["x86_64", "aarch64", "arm", "riscv64", "powerpc64le", "s390x"] {
        for abi in ["gnu", "gnueabihf"] {
            let headers = PathBuf::from(format!("/usr/include/{architecture}-linux-{abi}"));
            if headers.join("asm/types.h").exists() {
                command.arg("-isystem").arg(headers);
            }
        }
    }
    let done = command.args(["-c", "bpf/clat.c", "-o"]).arg(&into).status();
    match done {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!(
            "{clang} could not compile bpf/clat.c ({status}). It needs clang 12 or later with its BPF target, and the kernel's \
             headers for programs (Debian: apt install clang linux-libc-dev; Fedora: dnf install clang kernel-headers)"
        )),
        Err(error) => fail(&format!(
            "{clang} cannot be run ({error}); it compiles the kernel's part of the fast path. Install clang (Debian: apt install \
             clang; Fedora: dnf install clang), run `cargo xtask setup`, or name another one in the variable CLANG"
        )),
    }
}

fn fail(why: &str) -> ! {
    println!("cargo:error={why}");
    std::process::exit(1);
}
