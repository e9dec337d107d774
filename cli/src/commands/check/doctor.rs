//! `ndcache doctor`: how a cache is, and what may be wrong with it.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use ndcache::Memory;
use rustix::fs::{OFlags, statvfs};
use serde_json::{Value as Json, json};

use crate::cache;
use crate::commands::check::computing::{Computing, computing};
use crate::exit::{Exit, Outcome};
use crate::out::{Out, Style};
use crate::text::{count, duration, safe, several, size};

/// Clocks that differ by more may confuse ages.
const SKEW: Duration = Duration::from_secs(2);

/// Less room than this is told.
const ROOM: u64 = 1 << 30;

/// Fewer inodes than this are told.
const INODES: u64 = 10_000;

/// The most keys that are being computed and shown.
const SHOWN: usize = 10;

/// One thing that was looked at.
struct Look {
    name: &'static str,
    text: String,
    is_fine: bool,
}

pub(crate) fn run(out: &mut Out) -> Outcome {
    let memory = cache::for_reading(out)?;
    let folder = memory.location().unwrap_or(Path::new("")).to_owned();
    let mut looks = vec![Look { name: "cache", text: format!("{}, format 1", folder.display()), is_fine: true }];
    looks.push(entries(&memory));
    let unread = "not read: `ndcache verify` checks every stored byte".to_owned();
    looks.push(Look { name: "bytes", text: unread, is_fine: true });
    looks.push(file_system(&memory, &folder));
    looks.push(permissions(&folder)?);
    looks.extend(clock(&folder));
    looks.extend(room(&folder)?);
    looks.push(pins(&memory));
    let computing = computing(&memory);
    looks.push(now(&computing));
    let is_fine = looks.iter().all(|look| look.is_fine);
    if out.is_json() {
        let look = |it: &Look| json!({ "name": it.name, "text": it.text, "ok": it.is_fine });
        let looks: Vec<Json> = looks.iter().map(look).collect();
        let computing: Vec<Json> = computing.iter().map(Computing::json).collect();
        let folder = folder.display().to_string();
        out.document(json!({ "folder": folder, "ok": is_fine, "looks": looks, "computing": computing }))?;
    } else {
        for look in &looks {
            let text = safe(&look.text);
            let text = if look.is_fine { text.into_owned() } else { out.styled(Style::Bad, &text) };
            out.line(format!("{:<12}{text}", look.name))?;
        }
        out.line(if is_fine {
            "no problem was found; whether the bytes are right, `ndcache verify` says"
        } else {
            "see above"
        })?;
    }
    Ok(if is_fine { Exit::Fine } else { Exit::Found })
}

fn entries(memory: &Memory) -> Look {
    let (mut good, mut bad) = (0, 0);
    for entry in memory.entries() {
        match entry {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    let mut text = crate::text::entries(good);
    if bad > 0 {
        text.push_str(&format!(", and {} that can't be read: see `ndcache verify`", count(bad)));
    }
    Look { name: "entries", text, is_fine: bad == 0 }
}

fn file_system(memory: &Memory, folder: &Path) -> Look {
    let kind = mounted(folder).unwrap_or_else(|| "unknown".to_owned());
    let text = match memory.why_copied() {
        None => format!("{kind}; large arrays are mapped"),
        Some("network") => format!("{kind}; arrays are copied, and no locks are used: it may be on a network"),
        Some("world-writable") => format!("{kind}; arrays are copied: anybody may write to the folder"),
        Some(why) => format!("{kind}; arrays are copied: {why}"),
    };
    Look { name: "file system", text, is_fine: memory.why_copied() != Some("world-writable") }
}

/// The kind of the file system that is mounted there, as the system tells it.
fn mounted(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        Some((before.split(' ').nth(4)?, after.split(' ').next()?))
    });
    let over = mounts.filter(|(place, _)| folder.starts_with(place));
    // Of two at one place the later one is on top.
    over.enumerate().max_by_key(|(at, (place, _))| (place.len(), *at)).map(|(_, (_, kind))| kind.to_owned())
}

fn permissions(folder: &Path) -> Outcome<Look> {
    let stat = fs::metadata(folder)?;
    let mode = stat.permissions().mode() & 0o7777;
    let writable = match Memory::existing(folder) {
        Ok(_) => "may be written to",
        Err(_) => "can be read only",
    };
    let text = format!("mode {mode:o}, owner {}, group {}; it {writable}", stat.uid(), stat.gid());
    Ok(Look { name: "access", text, is_fine: mode & 0o002 == 0 })
}

/// Compares the clock of the file system with that of the machine, by a file without a name.
fn clock(folder: &Path) -> Option<Look> {
    let flags = OFlags::TMPFILE.bits().cast_signed();
    let file: File = File::options().write(true).custom_flags(flags).mode(0o600).open(folder).ok()?;
    let (stamped, now) = (file.metadata().ok()?.modified().ok()?, SystemTime::now());
    let skew = now.duration_since(stamped).unwrap_or_else(|ahead| ahead.duration());
    let is_fine = skew <= SKEW;
    let text = match is_fine {
        true => "that of the file system agrees with the machine's".to_owned(),
        false => format!("that of the file system differs by {} from the machine's", duration(skew)),
    };
    Some(Look { name: "clock", text, is_fine })
}

fn room(folder: &Path) -> Outcome<Vec<Look>> {
    let stat = statvfs(folder).map_err(std::io::Error::from)?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let total = stat.f_blocks.saturating_mul(stat.f_frsize);
    let text = format!("{} free of {}", size(free), size(total));
    let mut looks = vec![Look { name: "room", text, is_fine: free >= ROOM }];
    // Some file systems have no number of them.
    if stat.f_files > 0 {
        let text = format!("{} free of {}", count(stat.f_favail), count(stat.f_files));
        looks.push(Look { name: "inodes", text, is_fine: stat.f_favail >= INODES });
    }
    Ok(looks)
}

/// What is being computed, as far as one may look into the processes that do.
fn now(computing: &[Computing]) -> Look {
    let shown: Vec<_> = computing.iter().take(SHOWN).map(Computing::text).collect();
    let mut text = if shown.is_empty() { "nothing by processes of this user".to_owned() } else { shown.join("; ") };
    if computing.len() > shown.len() {
        text.push_str(&format!("; and {} more", count((computing.len() - shown.len()) as u64)));
    }
    Look { name: "computing", text, is_fine: true }
}

fn pins(memory: &Memory) -> Look {
    match memory.pins() {
        Ok(pins) => {
            let keys: usize = pins.values().map(Vec::len).sum();
            let text = format!("{} in {}", count(keys as u64), several(pins.len() as u64, "list"));
            Look { name: "pins", text, is_fine: true }
        }
        Err(error) => Look { name: "pins", text: format!("{error}; nothing is evicted meanwhile"), is_fine: false },
    }
}
