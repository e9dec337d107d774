//! Crates of one version each, whose sources cargo has or fetches.

use std::path::{Path, PathBuf};
use std::process::Command;

use ndcache_source::Session;

/// A crate as the features given make it.
pub(super) struct Pinned {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) edition: u16,
    pub(super) features: &'static [&'static str],
    /// The crates that it uses.
    pub(super) externs: &'static [&'static str],
}

impl Pinned {
    pub(super) const fn new(name: &'static str, version: &'static str, edition: u16) -> Pinned {
        Pinned { name, version, edition, features: &[], externs: &[] }
    }

    pub(super) fn session(&self, root: &Path) -> Session {
        Session {
            root: root.to_owned(),
            crate_name: self.name.replace('-', "_"),
            edition: self.edition,
            cfg: self.features.iter().map(|feature| format!("feature=\"{feature}\"")).collect(),
            externs: self.externs.iter().map(|name| (*name).to_owned()).collect(),
            ..Session::default()
        }
    }

    /// The folder of its sources. With `CI=true` they are fetched if they aren't there, and have to be there then; else
    /// their lack is told.
    pub(super) fn sources(&self) -> Option<PathBuf> {
        let is_needed = std::env::var("CI").is_ok_and(|value| value == "true");
        if self.known().is_none() && is_needed {
            self.fetch();
        }
        let found = self.known();
        if found.is_none() {
            let told = format!("{} {} isn't among the sources that cargo has fetched", self.name, self.version);
            assert!(!is_needed, "{told}, and could not be fetched");
            println!("skipped: {told}");
        }
        found
    }

    fn known(&self) -> Option<PathBuf> {
        let registries = std::fs::read_dir(registries()?).ok()?;
        let name = format!("{}-{}", self.name, self.version);
        registries.map(|registry| registry.unwrap().path().join(&name)).find(|folder| folder.is_dir())
    }

    /// As a dependency of a package that is never built.
    fn fetch(&self) {
        let folder = tempfile::tempdir().unwrap();
        let (name, version) = (self.name, self.version);
        let manifest = format!(
            "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{name} = {{ version = \"={version}\", default-features = false }}\n"
        );
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("src/main.rs"), "fn main() {}\n").unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let fetched = Command::new(cargo).arg("fetch").current_dir(folder.path()).output();
        if let Some(failed) = fetched.ok().filter(|output| !output.status.success()) {
            println!("{}", String::from_utf8_lossy(&failed.stderr));
        }
    }
}

/// Whether cargo has fetched anything here.
pub(super) fn is_cargo_here() -> bool {
    registries().is_some_and(|folder| folder.is_dir())
}

fn registries() -> Option<PathBuf> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    cargo.or(home).map(|cargo| cargo.join("registry/src"))
}
