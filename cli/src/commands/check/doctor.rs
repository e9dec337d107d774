//! `ndcache doctor`: how a cache is, and what may be wrong with it.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use ndcache::{ErrorKind, Memory};
use rustix::fs::{OFlags, statvfs};
use serde_json::{Value as Json, json};

use crate::cache;
use crate::commands::check::computing::{Computing, computing};
use crate::exit::{Exit, Outcome};
use crate::out::{Out, Style};
use crate::text::{count, duration, safe, several, size};

/// Clocks that differ by more may confuse ages.
const SKEW: Duration = Duration::from_secs(2);

/// Less room than this is reported.
const ROOM: u64 = 1 << 30;

/// Fewer inodes than this are reported.
const INODES: u64 = 10_000;

/// The most keys that are being computed and shown.
const SHOWN: usize = 10;

/// One thing that was checked, and what came of it.
struct DoctorCheck {
    name: &'static str,
    text: String,
    is_fine: bool,
}

pub(crate) fn run(out: &mut Out) -> Outcome {
    let memory = cache::for_reading(out)?;
    let folder = memory.location().unwrap_or(Path::new("")).to_owned();
    let found = EntryCounts::of(&memory);
    let mut looks =
        vec![DoctorCheck { name: "cache", text: format!("{}{}", folder.display(), found.format()), is_fine: true }];
    looks.push(found.look());
    let unread = "not read: `ndcache verify` checks every stored byte".to_owned();
    looks.push(DoctorCheck { name: "bytes", text: unread, is_fine: true });
    looks.push(file_system(&memory, &folder));
    looks.push(permissions(&folder)?);
    looks.extend(clock(&folder));
    looks.extend(room(&folder)?);
    looks.push(pins(&memory));
    let computing = computing(&memory);
    looks.push(now(&computing));
    let is_fine = looks.iter().all(|look| look.is_fine);
    if out.is_json() {
        let look = |it: &DoctorCheck| json!({ "name": it.name, "text": it.text, "ok": it.is_fine });
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

/// How many entries there are.
#[derive(Default)]
struct EntryCounts {
    good: u64,
    /// Entries of a later format.
    newer: u64,
    /// Others that can't be read.
    bad: u64,
}

impl EntryCounts {
    fn of(memory: &Memory) -> Self {
        let mut found = Self::default();
        for entry in memory.entries() {
            match entry {
                Ok(_) => found.good += 1,
                Err(error) if error.kind() == ErrorKind::Newer => found.newer += 1,
                Err(_) => found.bad += 1,
            }
        }
        found
    }

    /// The format of the records, as far as one was found.
    fn format(&self) -> &'static str {
        match (self.good, self.newer) {
            (0, 0) => "",
            (_, 0) => ", format 1",
            (0, _) => ", a later format",
            (_, _) => ", format 1 and a later one",
        }
    }

    fn look(&self) -> DoctorCheck {
        let mut text = crate::text::entries(self.good);
        if self.newer > 0 {
            text.push_str(&format!(", and {} of a later format, which this version can't read", count(self.newer)));
        }
        if self.bad > 0 {
            text.push_str(&format!(", and {} that can't be read: see `ndcache verify`", count(self.bad)));
        }
        DoctorCheck { name: "entries", text, is_fine: self.bad == 0 && self.newer == 0 }
    }
}

fn file_system(memory: &Memory, folder: &Path) -> DoctorCheck {
    let kind = cache::file_system(folder).unwrap_or_else(|| "unknown".to_owned());
    let text = match memory.why_copied() {
        None => format!("{kind}; large arrays are mapped"),
        Some("network") => format!("{kind}; arrays are copied, and no locks are used: it may be on a network"),
        Some("world-writable") => format!("{kind}; arrays are copied: anybody may write to the folder"),
        Some(why) => format!("{kind}; arrays are copied: {why}"),
    };
    DoctorCheck { name: "file system", text, is_fine: memory.why_copied() != Some("world-writable") }
}

fn permissions(folder: &Path) -> Outcome<DoctorCheck> {
    let stat = fs::metadata(folder)?;
    let mode = stat.permissions().mode() & 0o7777;
    let writable = match Memory::existing(folder) {
        Ok(_) => "may be written to",
        Err(_) => "can be read only",
    };
    let mut text = format!("mode {mode:o}, owner {}, group {}; it {writable}", stat.uid(), stat.gid());
    let below = below(folder);
    let (others, open) =
        (below.iter().filter(|it| it.uid() != stat.uid()).count(), below.iter().filter(|it| is_open(it)));
    let open = open.count();
    if others > 0 {
        text.push_str(&format!("; {} in it of another owner", several(others as u64, "folder")));
    }
    if open > 0 {
        text.push_str(&format!("; {} in it that anybody may write to", several(open as u64, "folder")));
    }
    Ok(DoctorCheck { name: "access", text, is_fine: !is_open(&stat) && open == 0 })
}

fn is_open(stat: &Metadata) -> bool {
    stat.permissions().mode() & 0o002 != 0
}

/// The folders in the cache and in its `f`, as far as one may look: those of functions among them.
fn below(root: &Path) -> Vec<Metadata> {
    let items = [root.to_owned(), root.join("f")].into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    items.flatten().filter_map(|item| fs::symlink_metadata(item.path()).ok()).filter(Metadata::is_dir).collect()
}

/// Compares the clock of the file system with that of the machine, by a file without a name.
fn clock(folder: &Path) -> Option<DoctorCheck> {
    let flags = OFlags::TMPFILE.bits().cast_signed();
    let file: File = File::options().write(true).custom_flags(flags).mode(0o600).open(folder).ok()?;
    let (stamped, now) = (file.metadata().ok()?.modified().ok()?, SystemTime::now());
    let skew = now.duration_since(stamped).unwrap_or_else(|ahead| ahead.duration());
    let is_fine = skew <= SKEW;
    let text = match is_fine {
        true => "that of the file system agrees with the machine's".to_owned(),
        false => format!("that of the file system differs by {} from the machine's", duration(skew)),
    };
    Some(DoctorCheck { name: "clock", text, is_fine })
}

fn room(folder: &Path) -> Outcome<Vec<DoctorCheck>> {
    let stat = statvfs(folder).map_err(std::io::Error::from)?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let total = stat.f_blocks.saturating_mul(stat.f_frsize);
    let text = format!("{} free of {}", size(free), size(total));
    let mut looks = vec![DoctorCheck { name: "room", text, is_fine: free >= ROOM }];
    // Some file systems have no number of them.
    if stat.f_files > 0 {
        let text = format!("{} free of {}", count(stat.f_favail), count(stat.f_files));
        looks.push(DoctorCheck { name: "inodes", text, is_fine: stat.f_favail >= INODES });
    }
    Ok(looks)
}

/// What is being computed, as far as one may look into the processes that do.
fn now(computing: &[Computing]) -> DoctorCheck {
    let shown: Vec<_> = computing.iter().take(SHOWN).map(Computing::text).collect();
    let mut text = if shown.is_empty() { "nothing by processes of this user".to_owned() } else { shown.join("; ") };
    if computing.len() > shown.len() {
        text.push_str(&format!("; and {} more", count((computing.len() - shown.len()) as u64)));
    }
    DoctorCheck { name: "computing", text, is_fine: true }
}

fn pins(memory: &Memory) -> DoctorCheck {
    match memory.pins() {
        Ok(pins) => {
            let keys: usize = pins.values().map(Vec::len).sum();
            let text = format!("{} in {}", count(keys as u64), several(pins.len() as u64, "list"));
            DoctorCheck { name: "pins", text, is_fine: true }
        }
        Err(error) => {
            DoctorCheck { name: "pins", text: format!("{error}; nothing is evicted meanwhile"), is_fine: false }
        }
    }
}
