//! What is to be sent to one tier by one user: an empty file for each entry, in a folder that is that user's alone.
//!
//! A process that sends an entry renames its note first, to a name that says which process it is: so two don't send one
//! entry, and what a process has taken that was killed is taken by another one.

use std::time::{Duration, SystemTime};

use rustix::process::{Pid, test_kill_process};

use crate::digest::Digest;
use crate::entry::site::Site;
use crate::error::Result;
use crate::key::Key;
use crate::store::{Disk, FileKind};
use crate::threads::fork::Process;

/// How long a process may take for one file of an entry before another one takes over.
const STALE: Duration = Duration::from_secs(900);

/// An entry that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tier) struct Job {
    /// Its function's folder, without `f/`.
    function: String,
    key: Key,
    /// When the entry was made that is to be sent: an older one that stands there is about to be replaced.
    pub(in crate::tier) created: Option<u64>,
    /// Whether it takes the place of what the tier has.
    pub(in crate::tier) replace: bool,
}

/// A job that this process has taken, and the file that says so.
pub(in crate::tier) struct Claim {
    pub(in crate::tier) job: Job,
    file: String,
    /// When it was noted; known as long as it is young.
    pub(in crate::tier) noted: SystemTime,
}

impl Claim {
    /// When the entry was made that is to be sent.
    pub(in crate::tier) fn made(&self) -> SystemTime {
        self.job.created.map_or(self.noted, |created| SystemTime::UNIX_EPOCH + Duration::from_nanos(created))
    }

    /// Whether it was noted within that time.
    pub(in crate::tier) fn is_younger_than(&self, age: Duration) -> bool {
        match SystemTime::now().duration_since(self.noted) {
            Ok(since) => since < age,
            // The clock of a file server may be ahead.
            Err(ahead) => ahead.duration() < Duration::from_secs(3600),
        }
    }
}

impl Job {
    pub(in crate::tier) fn new(site: &Site, created: u64, replace: bool) -> Self {
        let function = site.folder().strip_prefix("f/").unwrap_or(site.folder()).to_owned();
        Self { function, key: site.key(), created: Some(created), replace }
    }

    pub(in crate::tier) fn site(&self) -> Site {
        Site::new(format!("f/{}", self.function), self.key)
    }

    fn name(&self) -> String {
        let created = self.created.map_or_else(String::new, |created| format!(".{created:016x}"));
        format!("{}-{}{created}{}", self.function, self.key, if self.replace { ".r" } else { "" })
    }

    fn parse(name: &str) -> Option<Self> {
        let (rest, replace) = name.strip_suffix(".r").map_or((name, false), |name| (name, true));
        let (function, rest) = rest.rsplit_once('-')?;
        let (key, created) = match rest.split_once('.') {
            Some((key, created)) => (key, Some(u64::from_str_radix(created, 16).ok()?)),
            None => (rest, None),
        };
        let (stem, hex) = function.rsplit_once('-')?;
        let is_right = !stem.is_empty() && hex.len() == 16 && key.len() == 32;
        let job = Self { function: function.to_owned(), key: key.parse().ok()?, created, replace };
        (is_right && job.name().len() == name.len()).then_some(job)
    }
}

/// The notes of one tier.
#[derive(Clone, Copy)]
pub(in crate::tier) struct Queue<'a> {
    pub(in crate::tier) disk: &'a Disk,
    /// Its folder.
    pub(in crate::tier) folder: &'a str,
}

impl Queue<'_> {
    pub(in crate::tier) fn add(&self, job: &Job) -> Result<()> {
        self.disk.leave(&self.path(&job.name()))
    }

    /// What nobody has taken, and how many others there are. What was taken by a process that is gone is given back.
    pub(in crate::tier) fn jobs(&self) -> Result<(Vec<Job>, u64)> {
        let (mut jobs, mut taken) = (Vec::new(), 0);
        for item in self.disk.list(self.folder)?.into_iter().filter(|item| item.kind == FileKind::File) {
            match item.name.strip_suffix(".c").and_then(|name| name.rsplit_once('.')) {
                None => jobs.extend(Job::parse(&item.name)),
                Some((name, owner)) => match Job::parse(name) {
                    Some(job) if self.is_orphaned(&item.name, owner) => {
                        self.disk.rename_within(&self.path(&item.name), &self.path(name))?;
                        jobs.push(job);
                    }
                    Some(_) => taken += 1,
                    None => {}
                },
            }
        }
        Ok((jobs, taken))
    }

    /// How many entries are to be sent, those under way included.
    pub(in crate::tier) fn len(&self) -> u64 {
        let is_job = |name: &str| {
            let taken = name.strip_suffix(".c").and_then(|name| name.rsplit_once('.'));
            Job::parse(taken.map_or(name, |(name, _)| name)).is_some()
        };
        let items = self.disk.list(self.folder).unwrap_or_default();
        items.iter().filter(|item| item.kind == FileKind::File && is_job(&item.name)).count() as u64
    }

    /// Takes a job; `None` if another one was faster.
    pub(in crate::tier) fn claim(&self, job: &Job) -> Result<Option<Claim>> {
        let file = self.path(&format!("{}.{}.c", job.name(), self.owner()));
        if !self.disk.rename_within(&self.path(&job.name()), &file)? {
            return Ok(None);
        }
        let noted = self.disk.stat(&file)?.map_or(SystemTime::UNIX_EPOCH, |stat| stat.modified);
        let claim = Claim { job: job.clone(), file, noted };
        if !claim.is_younger_than(STALE / 10) {
            self.hold(&claim);
        }
        Ok(Some(claim))
    }

    /// Says that it is under way still.
    pub(in crate::tier) fn hold(&self, claim: &Claim) {
        let _ = self.disk.touch(&claim.file);
    }

    /// There is nothing to be done for it any more.
    pub(in crate::tier) fn done(&self, claim: &Claim) -> Result<()> {
        self.disk.remove(&claim.file).map(drop)
    }

    /// Leaves it to be done later.
    pub(in crate::tier) fn give_back(&self, claim: &Claim) -> Result<()> {
        self.disk.rename_within(&claim.file, &self.path(&claim.job.name())).map(drop)
    }

    /// The machine's session and this process, in 16 hex digits.
    fn owner(&self) -> String {
        format!("{}{:08x}", self.session(), Process::id())
    }

    fn session(&self) -> String {
        Digest::of(self.disk.session().as_bytes()).to_string()[..8].to_owned()
    }

    /// Whether nobody works at what was taken.
    fn is_orphaned(&self, name: &str, owner: &str) -> bool {
        let process = owner.strip_prefix(&self.session()).and_then(|id| i32::from_str_radix(id, 16).ok());
        let is_gone = process.and_then(Pid::from_raw).is_some_and(|process| {
            // One of another user is there, too.
            test_kill_process(process) == Err(rustix::io::Errno::SRCH)
        });
        let stat = self.disk.stat(&self.path(name)).ok().flatten();
        is_gone || stat.is_some_and(|stat| SystemTime::now().duration_since(stat.modified).is_ok_and(|age| age > STALE))
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(replace: bool) -> Job {
        let key = "0c3e264c767b9f1326f873db8c902583".parse().unwrap();
        Job { function: "a-b-0123456789abcdef".to_owned(), key, created: Some(1_764_400_000_123_456_789), replace }
    }

    #[test]
    fn a_job_is_known_by_its_name() {
        for replace in [false, true] {
            let job = job(replace);
            assert_eq!(Job::parse(&job.name()), Some(job.clone()));
            let any = Job { created: None, ..job };
            assert_eq!(Job::parse(&any.name()), Some(any));
        }
        for name in
            ["", "a", "a-b", "circuit", "-0123456789abcdef-0c3e264c767b9f1326f873db8c902583", "a-0123456789abcdef-0c"]
        {
            assert_eq!(Job::parse(name), None, "{name}");
        }
    }

    #[test]
    fn one_takes_a_job_and_what_a_dead_process_has_taken_is_given_back() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path()).unwrap();
        assert!(disk.make_private("t/0123456789abcdef/q-1").unwrap());
        let queue = Queue { disk: &disk, folder: "t/0123456789abcdef/q-1" };
        queue.add(&job(false)).unwrap();
        queue.add(&job(false)).unwrap();
        assert_eq!(queue.jobs().unwrap(), (vec![job(false)], 0));
        let claim = queue.claim(&job(false)).unwrap().unwrap();
        assert!(queue.claim(&job(false)).unwrap().is_none());
        assert_eq!(queue.jobs().unwrap(), (vec![], 1));
        queue.give_back(&claim).unwrap();
        let claim = queue.claim(&job(false)).unwrap().unwrap();
        queue.done(&claim).unwrap();
        assert_eq!(queue.jobs().unwrap(), (vec![], 0));
        // No process has this number.
        let dead = format!("{}.{}{:08x}.c", job(true).name(), queue.session(), 0x7fff_fffe);
        disk.leave(&queue.path(&dead)).unwrap();
        assert_eq!(queue.jobs().unwrap(), (vec![job(true)], 0));
    }
}
