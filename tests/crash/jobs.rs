//! What a process does to a cache while something goes wrong, and what may be stored afterwards.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use ndarray::prelude::*;
use ndcache::make::{NpyFile, Persister};
use ndcache::policy::Durability;
use ndcache::tier::{Access, Folder, Share, Tier};
use ndcache::{Compression, Limits, Mapped1, Payload, Result, cache, zeros};

use crate::scene::{self, scene};

/// A value with an array of each kind: in the record, in a file of its own, mapped. All of one number.
#[derive(Debug, PartialEq, Payload)]
pub(crate) struct Tower {
    pub(crate) inside: Array1<f64>,
    pub(crate) beside: Array2<f32>,
    pub(crate) mapped: Mapped1<f64>,
    pub(crate) more: Vec<Array1<u16>>,
}

impl Tower {
    fn of(number: u16) -> Self {
        let scene = scene();
        Self {
            inside: Array1::from_elem(scene.inside, number.into()),
            beside: Array2::from_elem(scene.beside.set_f(scene.fortran), number.into()),
            mapped: Array1::from_elem(scene.mapped, number.into()).into(),
            more: scene.more.into_iter().flatten().map(|len| Array1::from_elem(len, number)).collect(),
        }
    }
}

/// A tower takes long to compute, so that fetching it is worth the time.
static SLOW: AtomicBool = AtomicBool::new(false);

/// The generation isn't a part of the key, so that one generation replaces another.
#[cache(name = "crash tower", code = "version", version = 1, ignore(generation))]
pub(crate) fn tower(n: u16, generation: u16) -> Tower {
    if SLOW.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(700));
    }
    Tower::of(10 * n + generation)
}

#[cache(name = "crash field", code = "version", version = 1)]
pub(crate) fn field() -> Array1<f64> {
    Array1::zeros(scene().field)
}

#[cache(name = "crash outer", code = "version", version = 1, depends(tower))]
pub(crate) fn outer(n: u16) -> f64 {
    tower(n, 1).inside.sum()
}

#[cache(name = "crash staged", code = "version", version = 1)]
pub(crate) fn staged() -> Mapped1<f64> {
    let mut array = zeros::<f64, _>(scene().staged);
    array.fill(3.0);
    array.into()
}

#[cache(name = "crash made", code = "version", version = 1)]
pub(crate) fn made() -> Array1<f64> {
    Array1::from_elem(scene().made, MADE)
}

/// The target of a build step, all of whose elements are one number: the one from before, or the step's.
pub(crate) fn target(folder: &Path) -> PathBuf {
    folder.join("made.npy")
}

pub(crate) const MADE_BEFORE: f64 = 7.0;
pub(crate) const MADE: f64 = 8.0;

/// The number of towers that are stored beforehand.
pub(crate) const STORED: u16 = 3;
/// A tower that isn't stored beforehand.
pub(crate) const NEW: u16 = 5;

/// The function whose hits the log counts, and numbers of lines with one hit each: more than a log has before it is set
/// aside, and those of a log that was set aside.
pub(crate) const COUNTED: &str = "crash counted";
pub(crate) const LINES: u64 = 1100;
pub(crate) const FEW_LINES: u64 = 100;
const SET_ASIDE: &str = "log.00000000000000000001-0123456789abcdef";

/// The end of the name of a file that another process has begun, in order to store an entry.
pub(crate) const YOUNG: &str = ".aaaaaaaaaaaaaaaa.npy";

/// An operation on the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Put,
    Packed,
    Nested,
    Stage,
    Make,
    Overwrite,
    Get,
    Map,
    Commit,
    Shelve,
    Remove,
    Clear,
    Evict,
    /// Writes down what was counted, sets the log aside, and folds what was set aside long ago.
    Log,
    Fetch,
    Upload,
}

/// An operation, and what a stored entry is to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) job: Job,
    pub(crate) durability: Durability,
}

/// The process's own judgement of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Right,
    Wrong,
    /// It got an error, where the operation may return one.
    Refused,
}

pub(crate) const DURABILITIES: [Durability; 3] = [Durability::Buffered, Durability::Synced, Durability::Full];

/// The exit code for an answer, to which the number of warnings is added, up to [`MANY`].
const RIGHT: u8 = 0;
const WRONG: u8 = 20;
const REFUSED: u8 = 40;
const MANY: u8 = 9;

impl Answer {
    /// The answer and the number of warnings, of a process that ended with this code.
    pub(crate) fn of(code: i32) -> Option<(Self, u8)> {
        let code = u8::try_from(code).ok()?;
        let known = [(Self::Right, RIGHT), (Self::Wrong, WRONG), (Self::Refused, REFUSED)];
        known.into_iter().find_map(|(answer, first)| {
            let warnings = code.checked_sub(first).filter(|&warnings| warnings <= MANY)?;
            Some((answer, warnings))
        })
    }

    fn code(self, warnings: u8) -> u8 {
        let first = match self {
            Self::Right => RIGHT,
            Self::Wrong => WRONG,
            Self::Refused => REFUSED,
        };
        first + warnings.min(MANY)
    }
}

impl Job {
    pub(crate) const ALL: [Self; 16] = [
        Self::Put,
        Self::Packed,
        Self::Nested,
        Self::Stage,
        Self::Make,
        Self::Overwrite,
        Self::Get,
        Self::Map,
        Self::Commit,
        Self::Shelve,
        Self::Remove,
        Self::Clear,
        Self::Evict,
        Self::Log,
        Self::Fetch,
        Self::Upload,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Packed => "packed",
            Self::Nested => "nested",
            Self::Stage => "stage",
            Self::Make => "make",
            Self::Overwrite => "overwrite",
            Self::Get => "get",
            Self::Map => "map",
            Self::Commit => "commit",
            Self::Shelve => "shelve",
            Self::Remove => "remove",
            Self::Clear => "clear",
            Self::Evict => "evict",
            Self::Log => "log",
            Self::Fetch => "fetch",
            Self::Upload => "upload",
        }
    }

    /// Whether the folder exists beforehand: a job that stores something new needs none.
    pub(crate) fn finds_a_folder(self) -> bool {
        scene().before || self.has_tier() || !(self.stores() || self == Self::Stage)
    }

    /// Makes the folder as an earlier process has left it, and as another one is about to store into; or none.
    pub(crate) fn prepare(self, folder: &Path) {
        if !self.finds_a_folder() {
            return;
        }
        let memory = scene().builder(folder).open().expect("a new folder");
        (0..STORED).for_each(|n| drop(memory.eval(tower::call(n, 1))));
        memory.eval(field::call());
        NpyFile::new(target(folder)).save(&Array1::from_elem(scene().made, MADE_BEFORE)).expect("a new file");
        let record = memory.entry(&tower::call(0, 1)).expect("a record").expect("an entry").path().to_owned();
        let key = record.file_stem().and_then(|key| key.to_str()).expect("a key");
        // The file belongs to another entry in the same folder.
        let last = if key.ends_with('0') { '1' } else { '0' };
        let young = record.with_file_name(format!("{}{last}{YOUNG}", &key[..key.len() - 1]));
        std::fs::write(young, b"the beginning of an array").expect("a new file");
        if self == Self::Log {
            drop(memory);
            // Readers pass over fields that they don't know, so few lines fill the log.
            let filled = "x".repeat(3900);
            let line = format!(
                "\n{{\"v\":1,\"run\":\"0123456789abcdef\",\"host\":\"x\",\"from\":1,\"to\":2,\"filled\":\"{filled}\",\
                 \"f\":{{\"{COUNTED}\":{{\"hit\":1}}}}}}\n"
            );
            for (name, lines) in [("log", LINES), (SET_ASIDE, FEW_LINES)] {
                let path = folder.join("s").join(name);
                std::fs::write(path, line.repeat(usize::try_from(lines).expect("a number"))).expect("a new file");
            }
        }
        if self.has_tier() {
            self.prepare_tier(folder);
        }
    }

    /// Whether there is a tier behind the folder; it lies inside the folder.
    fn has_tier(self) -> bool {
        matches!(self, Self::Fetch | Self::Upload)
    }

    /// Puts the new tower into the tier, as another machine would.
    fn prepare_tier(self, folder: &Path) {
        let memory = scene().builder(&remote(folder)).open().expect("a new folder");
        if self == Self::Fetch {
            SLOW.store(true, Ordering::Relaxed);
            memory.eval(tower::call(NEW, 1));
            SLOW.store(false, Ordering::Relaxed);
            let other = tempfile::tempdir().expect("a new folder");
            let memory =
                scene().builder(other.path()).tier(tier(folder, Access::ReadOnly)).open().expect("a new folder");
            memory.eval(tower::call(NEW, 1));
            let entry = memory.entry(&tower::call(NEW, 1)).expect("a record").expect("an entry");
            assert_eq!(entry.origin(), Some("tier"), "nothing is fetched");
        }
    }

    /// Runs the job; returns whether all values were right.
    fn run(self, folder: &Path, durability: Durability) -> Result<bool> {
        let builder = scene().builder(folder).durability(durability);
        let memory = match self {
            Self::Packed => builder.compression(Compression::Gzip(1)).open()?,
            Self::Fetch => builder.tier(tier(folder, Access::ReadOnly)).open()?,
            Self::Upload => builder.tier(tier(folder, Access::ReadWrite)).open()?,
            _ => builder.open()?,
        };
        Ok(match self {
            Self::Put | Self::Packed | Self::Fetch => memory.eval(tower::call(NEW, 1)) == tower(NEW, 1),
            Self::Upload => {
                let is_right = memory.eval(tower::call(NEW, 1)) == tower(NEW, 1);
                memory.flush(Duration::from_secs(1))?;
                is_right
            }
            Self::Nested => memory.eval(outer::call(NEW)) == outer(NEW),
            Self::Stage => memory.eval(staged::call()) == staged(),
            Self::Make => memory.make(made::call(), NpyFile::new(target(folder)))? == made(),
            Self::Overwrite => memory.refresh(tower::call(1, 2)) == tower(1, 2),
            Self::Get => memory.eval(tower::call(1, 1)) == tower(1, 1),
            Self::Map => memory.mmap(field::call()) == field(),
            Self::Commit => {
                let mut edited = memory.mmap_mut(field::call())?;
                edited.fill(1.0);
                edited.commit()?;
                true
            }
            Self::Shelve => memory.shelve(tower::call(1, 1))?.load(&memory)? == tower(1, 1),
            // A stale handle is treated as a file that is gone already.
            Self::Remove => memory.remove(&tower::call(1, 1)).map(|_| true)?,
            Self::Clear => memory.clear().map(|_| true)?,
            Self::Evict => memory.reduce_size(Limits::default().items(1)).map(|_| true)?,
            Self::Log => {
                let right = memory.eval(tower::call(1, 1)) == tower(1, 1);
                // The log is written when the last memory of the folder is dropped.
                drop(memory);
                let aside = std::fs::File::open(folder.join("s").join(SET_ASIDE));
                let _ = aside.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH));
                scene().builder(folder).open()?.fold_history()?;
                right
            }
        })
    }

    /// Whether the tower `n` may be found in this generation, or be missing (`None`), at whatever call the process
    /// died.
    pub(crate) fn allows(self, n: u16, found: Option<u16>) -> bool {
        match (self, n, found) {
            (_, n, None) if n < STORED && !self.finds_a_folder() => true,
            (Self::Clear | Self::Evict, _, None) | (Self::Remove, 1, None) | (_, NEW, None) => true,
            (Self::Overwrite, 1, found) => matches!(found, Some(1 | 2)),
            (Self::Put | Self::Packed | Self::Nested | Self::Fetch | Self::Upload, NEW, found) => found == Some(1),
            (_, n, found) => n < STORED && found == Some(1),
        }
    }

    /// Whether the field may be found with this number in all of its elements, or be missing.
    pub(crate) fn allows_field(self, found: Option<f64>) -> bool {
        match found {
            None => matches!(self, Self::Clear | Self::Evict) || !self.finds_a_folder(),
            Some(number) => number == 0.0 || self == Self::Commit && number == 1.0,
        }
    }

    /// Whether the staged array may be found with this number, or be missing.
    pub(crate) fn allows_staged(self, found: Option<f64>) -> bool {
        found.is_none_or(|number| self == Self::Stage && number == 3.0)
    }

    /// Whether the target may hold this number.
    pub(crate) fn allows_made(self, found: f64) -> bool {
        found == MADE_BEFORE || self == Self::Make && found == MADE
    }

    /// Whether the job changes entries.
    pub(crate) fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::Map | Self::Shelve | Self::Log)
    }

    /// Whether the process was to store the new tower.
    pub(crate) fn stores(self) -> bool {
        matches!(self, Self::Put | Self::Packed | Self::Nested | Self::Fetch | Self::Upload)
    }
}

/// Where the tier of a folder is.
pub(crate) fn remote(folder: &Path) -> PathBuf {
    folder.join("remote")
}

pub(crate) fn tier(folder: &Path, access: Access) -> Tier {
    Tier::new(Folder::new(remote(folder)).expect("a path")).share(Share::Any).access(access)
}

/// The child: waits until somebody traces it, and does the job on a thread of its own, whose calls count from one.
pub(crate) fn work(job: &str, durability: &str, seed: &str, folder: &Path) -> ExitCode {
    scene::set(seed.parse().expect("a seed"));
    let job = Job::ALL.into_iter().find(|known| known.name() == job).expect("a job");
    let durability = DURABILITIES.into_iter().find(|known| format!("{known:?}") == durability).expect("a durability");
    let warnings = Arc::new(AtomicU8::new(0));
    let counter = Count(Arc::clone(&warnings));
    tracing::subscriber::set_global_default(counter).expect("the first subscriber");
    // The process stops itself until it is traced, and is then sent on: a call that waits would be one more that can
    // fail.
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP).expect("to stop");
    let folder = folder.to_owned();
    let answer = std::thread::spawn(move || match job.run(&folder, durability) {
        Ok(true) => Answer::Right,
        Ok(false) => Answer::Wrong,
        Err(_) => Answer::Refused,
    });
    let answer = answer.join().unwrap_or(Answer::Wrong);
    ExitCode::from(answer.code(warnings.load(Ordering::SeqCst)))
}

/// Counts warnings without writing them: writing may be the call that fails.
struct Count(Arc<AtomicU8>);

impl tracing::Subscriber for Count {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
