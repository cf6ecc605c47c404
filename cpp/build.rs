//! Gives the shared library the name under which programs look for it.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let part = |name| env::var(name).unwrap_or_default();
    if part("CARGO_CFG_TARGET_OS") == "linux" {
        // Before 1.0 each minor version has an interface of its own.
        let (major, minor) = (part("CARGO_PKG_VERSION_MAJOR"), part("CARGO_PKG_VERSION_MINOR"));
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libengine.so.{major}.{minor}");
        // Threads of a pool end after the pool does, and may still run when a plug-in is unloaded.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        // What the crates below export for C++ is between them.
        println!("cargo::rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    }
}
