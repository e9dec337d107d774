//! Which faults are tried: some, all, or those that a command line names.

use crate::inject::{Fault, Inject};
use crate::jobs::{Job, Task};

/// How many faults of each job are tried in a part, and how many power cuts on each file system with each durability.
const PART: usize = 40;
const PART_OF_FLUSHES: usize = 8;
const PART_OF_CUTS: usize = 2;

/// How many seeds all kills are tried with, and how many power cuts there are at least on each file system with each
/// durability.
const SEEDS: u64 = 3;
const CUTS: u64 = 500;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Kill,
    Error,
    /// An error of `fsync`, which only durable stores call.
    Flush,
    Cut,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Kill, Self::Error, Self::Flush, Self::Cut];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Error => "error",
            Self::Flush => "flush",
            Self::Cut => "cut",
        }
    }

    /// What the table of counts calls it.
    pub(crate) fn points(self) -> &'static str {
        match self {
            Self::Kill => "kill points",
            Self::Error => "error points",
            Self::Flush => "failed flushes",
            Self::Cut => "power cuts",
        }
    }
}

pub(crate) struct Choice {
    /// The names of the operations that are tried; all, if it is empty.
    jobs: Vec<String>,
    kind: Option<Kind>,
    /// Words that describe a fault, all of which have to fit: a call (`end` for none), an error, `once` or `ever`, a
    /// durability, a file system.
    words: Vec<String>,
    most: Option<usize>,
    /// How many seeds kills are tried with; see `seeds_of`.
    pub(crate) seeds: u64,
    /// How many power cuts there are on each file system with each durability, drawn evenly from all jobs; if there are
    /// fewer to draw from, they are repeated with other seeds.
    pub(crate) cuts: u64,
    /// Whether each power cut is tried both with a foreign flush and without one.
    pub(crate) both: bool,
    /// Whether only the named faults are tried, without the control.
    pub(crate) only: bool,
}

impl Choice {
    pub(crate) fn part() -> Self {
        let most = Some(PART);
        Self { jobs: Vec::new(), kind: None, words: Vec::new(), most, seeds: 1, cuts: 0, both: false, only: false }
    }

    /// All faults, unless the environment says fewer.
    pub(crate) fn full(jobs: &[&str]) -> Self {
        let jobs = jobs.iter().map(|&job| job.to_owned()).collect();
        let most = number("NDCACHE_CRASH_PART").map(|most| most as usize);
        let seeds = number("NDCACHE_CRASH_SEEDS").unwrap_or(SEEDS);
        let cuts = number("NDCACHE_CRASH_CUTS").unwrap_or(CUTS);
        Self { jobs, most, seeds, cuts, both: true, ..Self::part() }
    }

    /// All faults of this kind in this job that fit the words.
    pub(crate) fn only(kind: &str, job: &str, words: &[&str]) -> Self {
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind).expect("a kind of faults");
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Self { jobs: vec![job.to_owned()], kind: Some(kind), words, most: None, both: true, only: true, ..Self::part() }
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = Job> {
        Job::ALL.into_iter().filter(|job| self.jobs.is_empty() || self.jobs.iter().any(|name| name == job.name()))
    }

    /// How many seeds faults of this kind are tried with: one for errors, of which there are ten times as many as
    /// kills.
    pub(crate) fn seeds_of(&self, kind: Kind) -> u64 {
        if kind == Kind::Kill { self.seeds } else { self.seeds.min(1) }
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.kind.is_none_or(|only| only == kind)
    }

    /// The faults of these that are tried, on file system `system` if it has one of its own.
    pub(crate) fn of(&self, faults: Vec<Fault>, kind: Kind, task: Task, system: &str, seed: &mut u64) -> Vec<Fault> {
        let durability = format!("{:?}", task.durability);
        let is_named = |fault: &Fault| {
            let (error, how) = match fault.kind {
                Inject::Kill => ("", ""),
                Inject::Once(error) => (error, "once"),
                Inject::Ever(error) => (error, "ever"),
            };
            let all = [fault.call(), error, how, &durability, system];
            self.words.iter().all(|word| all.contains(&word.as_str()))
        };
        let mut faults: Vec<Fault> = faults.into_iter().filter(is_named).collect();
        let part = match kind {
            Kind::Kill | Kind::Error => PART,
            Kind::Flush => PART_OF_FLUSHES,
            Kind::Cut => PART_OF_CUTS,
        };
        let most = match kind {
            Kind::Cut if self.cuts > 0 => self.cuts_in_a_job(),
            _ => self.most.map_or(usize::MAX, |most| part.min(most)),
        };
        while faults.len() > most {
            faults.remove(crate::draw(seed) % faults.len());
        }
        faults
    }
    /// At how many calls of a job the power is cut, once with a foreign flush and once without. A job has some hundred
    /// calls, and each cut mounts a file system.
    fn cuts_in_a_job(&self) -> usize {
        let jobs = self.jobs().filter(|job| job.writes()).count();
        (self.cuts as usize).div_ceil(2 * jobs.max(1))
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`")))
}
