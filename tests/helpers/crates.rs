//! Crates in folders of their own, compiled against the library that this program was built with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A crate in a folder, and the cache that its versions share.
pub(super) struct Crate {
    pub(super) folder: TempDir,
    pub(super) cache: TempDir,
}

impl Crate {
    /// A crate of these files; `main.rs` is its root.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let new = Self { folder: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() };
        files.iter().for_each(|(name, text)| new.write(name, text));
        new
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.folder.path().join(name)).unwrap();
        assert!(text.contains(from), "{from}");
        self.write(name, &text.replace(from, to));
    }

    /// Compiles the crate and runs it; returns what it prints.
    pub(super) fn run(&self, options: &[&str]) -> Vec<String> {
        self.compile(rustc().args(self.arguments("main.rs")).args(options));
        self.execute()
    }

    /// Compiles `name.rs` to a library, without a list of its sources; returns the compiler's argument for it.
    pub(super) fn library(&self, name: &str) -> String {
        let library = self.path(&format!("lib{name}.rlib")).display().to_string();
        let mut compiler = rustc();
        compiler.args(["--edition=2024", "--crate-type=lib", &format!("--crate-name={name}"), &format!("-o{library}")]);
        self.compile(compiler.arg(self.path(&format!("{name}.rs"))));
        format!("--extern={name}={library}")
    }

    /// The compiler's arguments for this root.
    pub(super) fn arguments(&self, root: &str) -> Vec<String> {
        let root = if root == "-" { root.to_owned() } else { self.path(root).display().to_string() };
        let mut arguments =
            ["--edition=2024", "--crate-name=app", "--crate-type=bin", "-Adead_code"].map(str::to_owned).to_vec();
        arguments.extend([root, format!("-o{}", self.path("program").display())]);
        arguments.extend(with_ndcache());
        arguments
    }

    /// Runs a compiler, which must not print anything.
    #[track_caller]
    pub(super) fn compile(&self, compiler: &mut Command) {
        let compiled = compiler.output().unwrap();
        let told = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success() && told.is_empty(), "{told}");
    }

    /// What the program prints.
    pub(super) fn execute(&self) -> Vec<String> {
        self.said().0
    }

    /// What the program prints, and what it says beside.
    pub(super) fn said(&self) -> (Vec<String>, Vec<String>) {
        let ran = Command::new(self.path("program")).arg(self.cache.path()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let lines = |text: Vec<u8>| String::from_utf8(text).unwrap().lines().map(str::to_owned).collect();
        (lines(ran.stdout), lines(ran.stderr))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The compiler's arguments for a crate that uses the library.
pub(super) fn with_ndcache() -> [String; 2] {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    [format!("-L{}", deps.display()), format!("--extern=ndcache={}", library(&deps).display())]
}

/// The compiler, as if it ran in any folder and for no package.
pub(super) fn rustc() -> Command {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir("/").env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_PKG_NAME").env_remove("OUT_DIR");
    rustc
}

/// The library that this program was built with: the most recent one.
fn library(deps: &Path) -> PathBuf {
    let files = fs::read_dir(deps).unwrap().map(|file| file.unwrap().path());
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libndcache-") && name.ends_with(".rlib")
    };
    files.filter(is_library).max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).expect("a library")
}
