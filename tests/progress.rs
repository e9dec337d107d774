//! Bars for work that lasts.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ndarray::prelude::*;
use ndcache::{Compression, Memory, cache};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{child, in_child};

/// A few values in random order, for which deflate searches long: the bytes repeat too far apart for it to see that.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 61) as u8
    };
    std::iter::repeat_with(next).take(1 << 20).collect()
}

#[cache(compress = Compression::Gzip(9))]
fn part(mebibytes: usize) -> Array1<u8> {
    Array1::from_vec(noise().repeat(mebibytes))
}

/// Compresses, in a process of its own, until that has lasted for a while.
#[test]
fn works() {
    if in_child("progress::works", "NDCACHE_TEST_CHILD").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path()).unwrap();
    for mebibytes in [8, 16, 32, 64, 128, 256, 512] {
        let begin = Instant::now();
        memory.eval(part::call(mebibytes));
        if begin.elapsed() > Duration::from_secs(2) {
            return;
        }
    }
    panic!("this machine is too fast for this test");
}

/// A terminal's two ends: what is written to the second is read from the first.
fn terminal() -> (File, File) {
    let controller: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
    let user = OpenOptions::new().read(true).write(true).open(name).unwrap();
    (controller.into(), user)
}

#[test]
fn work_that_lasts_has_a_bar_on_a_terminal_and_nowhere_else() {
    let works = || {
        let mut command = child("progress::works", &[("RAYON_NUM_THREADS", "1"), ("TERM", "xterm")]);
        command.stdout(Stdio::null());
        command
    };
    let (mut controller, user) = terminal();
    let mut shown = works().stderr(user).spawn().unwrap();
    let elsewhere = works().stderr(Stdio::piped()).spawn().unwrap();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    // At the end of a terminal Linux has an error.
    while let Ok(len @ 1..) = controller.read(&mut buffer) {
        text.extend_from_slice(&buffer[..len]);
    }
    let text = String::from_utf8_lossy(&text);
    assert!(shown.wait().unwrap().success(), "{text}");
    assert!(text.contains("ndcache: compressing") && text.contains("MiB of "), "{text:?}");
    let elsewhere = elsewhere.wait_with_output().unwrap();
    assert!(elsewhere.status.success());
    assert_eq!(String::from_utf8(elsewhere.stderr).unwrap(), "");
}
