//! Crates that the compiled one uses and whose sources are at hand: the package's own library, and crates by path.
//!
//! The compiler is given the file of each crate that is used. Beside it lies the list of the sources that it was compiled
//! from (`name-hash.d`), which the compiler writes before the crate's users are compiled. Sources that have changed since
//! then are those of the next build: such a crate is followed no further, and neither is one of a registry or of a
//! repository, whose sources change with its version.

mod list;
mod manifest;
mod metadata;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::session::Session;
use list::DepInfo;
pub(crate) use manifest::package;
use metadata::Compiled;

/// The crate that functions are cached with.
const CACHE: &str = "ndcache";

/// The crates that one uses, by themselves or through others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamCrates {
    /// What each calls itself, and what the compiled crate calls those that it uses by themselves.
    pub names: BTreeSet<String>,
    /// Whether one of them may have cached functions: its metadata speaks of the cache.
    pub uses_cache: bool,
    /// Whether a program of the package has the name of the crate.
    pub has_namesake: bool,
}

/// Looks for sources, and remembers which files lie in a folder of compiled crates.
pub(crate) struct Libraries {
    own: Session,
    own_package: Option<PathBuf>,
    folders: BTreeMap<PathBuf, Rc<Vec<Compiled>>>,
}

impl Libraries {
    /// The crates that `own` is built with.
    pub(crate) fn new(own: &Session) -> Libraries {
        Libraries { own: own.clone(), own_package: manifest::package(&own.root), folders: BTreeMap::new() }
    }

    /// How the crate in `file` was compiled, if its sources are at hand and as they were then.
    pub(crate) fn find(&mut self, file: &Path) -> Option<Session> {
        let stem = stem(file)?;
        let name = stem.split('-').next()?;
        if is_cache(name) {
            return None;
        }
        let listed = file.with_file_name(format!("{stem}.d"));
        let list = DepInfo::read(&listed)?;
        let folder = list.folder(&listed, self.own.folder.as_deref())?;
        let root = folder.join(list.root()?);
        let package = manifest::package(&root)?;
        if is_fetched(&root) || !list.is_current(&listed, &folder) {
            return None;
        }
        let is_own = self.own_package.as_ref() == Some(&package);
        let linked = self.linked(file, &stem, &metadata::of(file, &stem));
        let mut libraries = unambiguous(file, &linked);
        if is_own {
            libraries.extend(self.renamed(&linked));
        }
        Some(Session {
            crate_name: name.to_owned(),
            edition: if is_own { self.own.edition } else { manifest::edition(&package)? },
            test: false,
            is_library: true,
            // All of a package is compiled with the same features.
            cfg: if is_own { self.own.cfg.clone() } else { Vec::new() },
            is_cfg_open: !is_own,
            externs: libraries
                .iter()
                .map(|(name, _)| name)
                .chain(linked.iter().map(|other| &other.name))
                .cloned()
                .collect(),
            libraries,
            folder: self.own.folder.clone(),
            out_dir: list.variables.get("OUT_DIR").cloned().flatten().map(PathBuf::from),
            variables: Some(list.variables),
            root,
        })
    }

    /// The crates that the compiled one uses.
    pub(crate) fn upstream(&mut self) -> UpstreamCrates {
        let names = self.own.externs.iter().cloned().collect();
        let mut found = UpstreamCrates { names, uses_cache: false, has_namesake: false };
        for (_, file) in self.own.libraries.clone() {
            let Some(stem) = stem(&file) else { continue };
            // What the manifest calls a crate needn't be what the crate calls itself.
            let name = stem.split('-').next().unwrap_or_default();
            let metadata = metadata::of(&file, &stem);
            found.uses_cache |= !is_cache(name) && metadata::mention(&metadata, CACHE);
            found.names.insert(name.to_owned());
            found.names.extend(self.linked(&file, &stem, &metadata).into_iter().map(|other| other.name));
        }
        // A name that a program has, too, says nothing.
        for program in self.own_package.iter().flat_map(|package| manifest::programs(package)) {
            found.names.remove(&program);
            found.has_namesake |= program == self.own.crate_name;
        }
        found
    }

    /// Crates that the package's manifest calls otherwise than they call themselves.
    fn renamed(&self, linked: &[Compiled]) -> Vec<(String, PathBuf)> {
        let is_linked = |file: &Path| stem(file).is_some_and(|stem| linked.iter().any(|other| other.stem() == stem));
        let is_other = |name: &String| linked.iter().all(|other| other.name != *name);
        let own = self.own.libraries.iter().filter(|(name, file)| is_other(name) && is_linked(file));
        own.cloned().collect()
    }

    /// The crates that were linked to one: its metadata tells the hash of each.
    fn linked(&mut self, file: &Path, stem: &str, metadata: &[u8]) -> Vec<Compiled> {
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        let all = self.folders.entry(folder).or_insert_with_key(|folder| Rc::new(metadata::compiled(folder)));
        let all = Rc::clone(all);
        let hashes = metadata::hashes(metadata);
        let is_other = |compiled: &&Compiled| compiled.stem() != stem && hashes.contains(&compiled.hash);
        all.iter().filter(is_other).cloned().collect()
    }
}

/// `libname-hash.rlib` and `.rmeta` without both; `None` for what holds no Rust code to link, such as a procedural macro.
fn stem(file: &Path) -> Option<String> {
    let is_library = matches!(file.extension()?.to_str()?, "rlib" | "rmeta");
    let stem = file.file_stem()?.to_str()?.strip_prefix("lib")?;
    is_library.then(|| stem.to_owned())
}

/// This project's own crates: entries keep across its versions, by the version of their format.
fn is_cache(name: &str) -> bool {
    matches!(name, CACHE | "ndcache_macros" | "ndcache_source")
}

/// Whether Cargo has fetched the sources: it leaves a mark in the folder of a package, or of a repository.
fn is_fetched(root: &Path) -> bool {
    let marks = |folder: &Path| [".cargo-ok", ".cargo-checksum.json"].iter().any(|mark| folder.join(mark).is_file());
    root.ancestors().skip(1).any(marks)
}

/// The file of each crate whose name no other has.
fn unambiguous(file: &Path, linked: &[Compiled]) -> Vec<(String, PathBuf)> {
    let is_alone = |compiled: &&Compiled| linked.iter().filter(|other| other.name == compiled.name).count() == 1;
    let file = |compiled: &Compiled| file.with_file_name(format!("lib{}.rmeta", compiled.stem()));
    let files = linked.iter().filter(is_alone).map(|compiled| (compiled.name.clone(), file(compiled)));
    files.filter(|(_, file)| file.is_file()).collect()
}
