//! Tests of the store.

use super::*;
use crate::ErrorKind;
use crate::store::files::walk::{FileKind, FolderItem};
use rustix::fs::{CWD, FileType, Mode};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

mod blobs;
mod crash;
mod faults;
mod hostile;
mod opening;
mod races;
mod staged;
mod walking;

const RECORD: &str = "f/stem-0123456789abcdef/ab/ab01.record";
const ARRAY: &str = "f/stem-0123456789abcdef/ab/ab01.4567.npy";

fn disk() -> (TempDir, Disk) {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(&folder.path().join("cache")).unwrap();
    (folder, disk)
}

fn put(disk: &Disk, name: &str, bytes: &[u8]) {
    let mut blob = disk.create(name, bytes.len() as u64).unwrap();
    blob.write_all(bytes).unwrap();
    blob.finish(Durability::Buffered).unwrap();
}

fn get(disk: &Disk, name: &str) -> Option<Vec<u8>> {
    disk.read(name, 1 << 20).unwrap().map(|blob| blob.bytes)
}

/// Every file below the root, by its path from there.
fn files(disk: &Disk) -> Vec<String> {
    fn walk(disk: &Disk, folder: &str, found: &mut Vec<String>) {
        for item in disk.list(folder).unwrap() {
            let name = if folder.is_empty() { item.name } else { format!("{folder}/{}", item.name) };
            match item.kind {
                FileKind::Folder => walk(disk, &name, found),
                FileKind::File | FileKind::Other => found.push(name),
            }
        }
    }
    let mut found = Vec::new();
    walk(disk, "", &mut found);
    found.retain(|name| name != "CACHEDIR.TAG" && name != ".gitignore");
    found.sort();
    found
}

fn fails<T: std::fmt::Debug>(result: crate::Result<T>, kind: ErrorKind, named: &Path) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(named.to_str().unwrap()), "{error} doesn't name {}", named.display());
}

/// A file system that is gone when the test is.
struct Mount(TempDir);

impl Mount {
    /// `None`, with the reason on stderr, where mounting isn't allowed.
    fn tmpfs(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "ndcache-test"]).arg(folder.path());
        match mount.output() {
            Ok(done) if done.status.success() => Some(Self(folder)),
            Ok(done) => {
                eprintln!("skipped: {}", String::from_utf8_lossy(&done.stderr));
                None
            }
            Err(error) => {
                eprintln!("skipped: `mount` can't be run: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(self.path()).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
