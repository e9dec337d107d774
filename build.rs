//! Tells the crate who builds it: a record names its producer. And whether it is built with planted bugs.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=NDCACHE_RUSTC={}", rustc().unwrap_or_else(unknown));
    println!("cargo::rustc-env=NDCACHE_TARGET={}", env::var("TARGET").unwrap_or_else(|_| unknown()));
    // For `.ci/planted` alone; see `src/planted.rs`.
    println!("cargo::rustc-check-cfg=cfg(ndcache_planted)");
    println!("cargo::rerun-if-env-changed=NDCACHE_PLANTED");
    if env::var_os("NDCACHE_PLANTED").is_some() {
        println!("cargo::rustc-cfg=ndcache_planted");
    }
}

/// The first line of `rustc -V`, such as `rustc 1.95.0 (59807616e 2026-04-14)`.
fn rustc() -> Option<String> {
    let asked = Command::new(env::var_os("RUSTC")?).arg("-V").output().ok()?;
    let text = String::from_utf8(asked.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (asked.status.success() && !line.is_empty()).then(|| line.to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}
