//! What a process does until it is killed, or told to end.

use std::cell::Cell;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ndcache::{Compression, ErrorKind, Limits, Memory};

use crate::cells::{self, Kind, Maker, field, pair, tower};
use crate::drive::{CACHE, COUNTS};
use crate::tally::{Count, Tally};

/// The pause between two rounds of an evictor.
const PAUSE: Duration = Duration::from_millis(10);

/// Knuth's generator, MMIX.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

struct Worker<'a> {
    memory: Memory,
    tally: &'a Tally,
    generation: &'a AtomicU64,
    keys: u64,
}

/// Asks for everything on several threads.
pub(crate) fn work(place: &Path, seed: u64, threads: u64, keys: u64) -> ExitCode {
    let tally = Tally::open(&place.join(COUNTS));
    let Some(memory) = open(place, seed, &tally) else { return ExitCode::FAILURE };
    // The generations of two processes with consecutive seeds are far apart.
    let generation = AtomicU64::new(seed << 20);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..threads {
            let worker = Worker { memory: memory.clone(), tally: &tally, generation: &generation, keys };
            let (done, mut dice) = (&done, Dice::new(seed.wrapping_mul(threads + 1) + thread));
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    worker.step(&mut dice);
                }
            });
        }
        wait_for_the_end();
        done.store(true, Ordering::Relaxed);
    });
    if memory.stats().faults() > 0 {
        tally.violation(&format!("a process counted {} faults", memory.stats().faults()));
    }
    ExitCode::SUCCESS
}

/// Reduces the cache to a tenth of its working set, again and again.
pub(crate) fn evict(place: &Path, keys: u64) -> ExitCode {
    let tally = Tally::open(&place.join(COUNTS));
    let Some(memory) = open(place, 0, &tally) else { return ExitCode::FAILURE };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                tally.add(Count::Evict, 1);
                match memory.reduce_size(Limits::default().items(3 * keys / 10)) {
                    Ok(evicted) => tally.add(Count::Evicted, evicted.items),
                    Err(error) => tally.violation(&format!("reduce_size: {error}")),
                }
                tally.add(Count::Evictions, 1);
                thread::sleep(PAUSE);
            }
        });
        wait_for_the_end();
        done.store(true, Ordering::Relaxed);
    });
    ExitCode::SUCCESS
}

/// Processes differ in what they store: plain or compressed, named by their arguments or not.
fn open(place: &Path, seed: u64, tally: &Tally) -> Option<Memory> {
    let compression = if seed % 4 == 3 { Compression::Gzip(1) } else { Compression::None };
    let builder = Memory::builder(place.join(CACHE)).compression(compression).readable(seed % 2 == 1);
    builder.open().map_err(|error| tally.violation(&format!("open: {error}"))).ok()
}

/// The driver closes the pipe at the end; if it dies, the system does.
fn wait_for_the_end() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

impl Worker<'_> {
    /// One operation on one key.
    fn step(&self, dice: &mut Dice) {
        let (key, roll) = (dice.below(self.keys), dice.below(100));
        let computed = Cell::new(false);
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let maker = Maker { tally: self.tally, generation, computed: &computed };
        let kind = [Kind::Tower, Kind::Field, Kind::Pair][dice.below(3) as usize];
        let done = match (kind, roll) {
            (Kind::Field, 86..90) => self.edit(key, maker),
            (_, 0..60) => self.eval(kind, key, maker),
            (_, 60..90) => self.map(kind, key, maker),
            (_, 90..95) => self.refresh(kind, key, maker),
            _ => self.remove(kind, key, maker),
        };
        if let Err(what) = done {
            self.tally.violation(&what);
        }
        self.tally.add(Count::Outlived, u64::from(computed.get()));
    }

    fn eval(&self, kind: Kind, key: u64, maker: Maker<'_>) -> Result<(), String> {
        self.tally.add(Count::Eval, 1);
        let failed = |error| format!("eval of {kind:?} {key}: {error}");
        match kind {
            Kind::Tower => cells::judge_tower(key, &self.memory.try_eval(tower::call(key, maker)).map_err(failed)?),
            Kind::Field => cells::judge_field(key, &self.memory.try_eval(field::call(key, maker)).map_err(failed)?),
            Kind::Pair => cells::judge_pair(key, &self.memory.try_eval(pair::call(key, maker)).map_err(failed)?),
        }
    }

    fn map(&self, kind: Kind, key: u64, maker: Maker<'_>) -> Result<(), String> {
        self.tally.add(Count::Map, 1);
        match kind {
            Kind::Tower => cells::judge_tower(key, &self.memory.mmap(tower::call(key, maker))),
            Kind::Field => {
                let field = self.memory.mmap(field::call(key, maker));
                // The mapped array stays the same if another process removes or replaces the entry meanwhile.
                thread::yield_now();
                cells::judge_field(key, &field)
            }
            Kind::Pair => cells::judge_pair(key, &self.memory.mmap(pair::call(key, maker))),
        }
    }

    fn refresh(&self, kind: Kind, key: u64, maker: Maker<'_>) -> Result<(), String> {
        self.tally.add(Count::Refresh, 1);
        match kind {
            Kind::Tower => cells::judge_tower(key, &self.memory.refresh(tower::call(key, maker))),
            Kind::Field => cells::judge_field(key, &self.memory.refresh(field::call(key, maker))),
            Kind::Pair => cells::judge_pair(key, &self.memory.refresh(pair::call(key, maker))),
        }
    }

    /// Fills a stored array with the next generation.
    fn edit(&self, key: u64, maker: Maker<'_>) -> Result<(), String> {
        self.tally.add(Count::Edit, 1);
        let mut edited = match self.memory.mmap_mut(field::call(key, maker)) {
            Ok(edited) => edited,
            // The error says that the entry was removed between being stored and being mapped.
            Err(error) if error.kind() == ErrorKind::Unsupported && error.to_string().contains("isn't stored") => {
                self.tally.add(Count::Vanished, 1);
                return Ok(());
            }
            Err(error) => return Err(format!("mmap_mut of {key}: {error}")),
        };
        cells::judge_field(key, &edited)?;
        edited.fill(cells::number(Kind::Field, key, self.generation.fetch_add(1, Ordering::Relaxed)));
        edited.commit().map_err(|error| format!("commit of {key}: {error}"))
    }

    fn remove(&self, kind: Kind, key: u64, maker: Maker<'_>) -> Result<(), String> {
        self.tally.add(Count::Remove, 1);
        let removed = match kind {
            Kind::Tower => self.memory.remove(&tower::call(key, maker)),
            Kind::Field => self.memory.remove(&field::call(key, maker)),
            Kind::Pair => self.memory.remove(&pair::call(key, maker)),
        };
        let removed = removed.map_err(|error| format!("remove of {kind:?} {key}: {error}"))?;
        self.tally.add(Count::Removed, u64::from(removed));
        self.tally.add(Count::Removals, 1);
        Ok(())
    }
}
