//! What the compiler was given: the crate's root file, its `cfg`s, its edition, its dependencies.
//!
//! A procedural macro runs in the compiler's process, so that `std::env::args()` are the compiler's arguments.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// One compilation of one crate, as the compiler's arguments describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The crate's root file.
    pub root: PathBuf,
    /// `--crate-name`, empty if there is none.
    pub crate_name: String,
    /// `--edition`; 2015 without one.
    pub edition: u16,
    /// Whether tests are compiled: `--test`, or `--cfg test`.
    pub test: bool,
    /// Whether other crates may be compiled against this one: it isn't a program for certain.
    pub is_library: bool,
    /// Each `--cfg`, without spaces: `unstable`, `feature="simd"`.
    pub cfg: Vec<String>,
    /// The names of each `--extern`.
    pub externs: Vec<String>,
    /// The file of each `--extern` that has one.
    pub libraries: Vec<(String, PathBuf)>,
    /// The folder that Cargo has the compiler run in, from which it names the files of a workspace: known where the
    /// crate's root is named from there, too.
    pub folder: Option<PathBuf>,
    /// Whether the crate may have been compiled with other `cfg`s than those that it was given.
    pub is_cfg_open: bool,
    /// The variables of the environment that the crate has looked up, where that was in another process than this one.
    pub variables: Option<BTreeMap<String, Option<String>>>,
    /// The folder that a build script writes to: `OUT_DIR`.
    pub out_dir: Option<PathBuf>,
}

/// Options whose value may be an argument of its own, so that it isn't taken for the input.
const WITH_VALUE: [&str; 35] = [
    "--cfg",
    "--check-cfg",
    "--crate-name",
    "--crate-type",
    "--edition",
    "--emit",
    "--print",
    "--extern",
    "--out-dir",
    "--explain",
    "--target",
    "--allow",
    "--warn",
    "--force-warn",
    "--deny",
    "--forbid",
    "--cap-lints",
    "--codegen",
    "--sysroot",
    "--error-format",
    "--json",
    "--color",
    "--diagnostic-width",
    "--remap-path-prefix",
    "--env-set",
    "--library-path",
    "-o",
    "-L",
    "-l",
    "-C",
    "-A",
    "-W",
    "-D",
    "-F",
    "-Z",
];

impl Session {
    /// Reads the compiler's arguments, the compiler's own name first. Relative paths are those of the folder `current`;
    /// an argument `@file` stands for the lines of that file.
    ///
    /// `None` if no file is compiled: the text comes from the standard input, as that of a documentation test does.
    pub fn from_arguments(
        arguments: impl IntoIterator<Item = String>,
        current: &Path,
        out_dir: Option<PathBuf>,
    ) -> Option<Session> {
        let mut session = Session { edition: 2015, is_library: true, out_dir, ..Session::default() };
        let mut arguments = expanded(arguments.into_iter().skip(1), current).into_iter();
        while let Some(argument) = arguments.next() {
            if !argument.starts_with('-') {
                session.input(&argument, current);
            } else if let Some((option, value)) = split(&argument) {
                session.option(option, value);
            } else if WITH_VALUE.contains(&argument.as_str()) {
                session.option(&argument, &arguments.next()?);
            } else if argument == "--test" {
                session.test = true;
            }
        }
        session.is_library &= !session.test;
        (!session.root.as_os_str().is_empty()).then_some(session)
    }

    /// The compilation that this process is, if it is the compiler's: what a procedural macro asks for.
    pub fn of_this_process() -> Option<Session> {
        let arguments: Option<Vec<String>> = env::args_os().map(|argument| argument.into_string().ok()).collect();
        let out_dir = env::var_os("OUT_DIR").map(PathBuf::from);
        Session::from_arguments(arguments?, &env::current_dir().ok()?, out_dir)
    }

    fn input(&mut self, argument: &str, current: &Path) {
        if self.root.as_os_str().is_empty() && argument.ends_with(".rs") {
            self.root = current.join(argument);
            self.folder = Path::new(argument).is_relative().then(|| current.to_owned());
        }
    }

    fn library(&mut self, value: &str) {
        let name = extern_name(value);
        if let Some((_, file)) = value.split_once('=') {
            self.libraries.push((name.clone(), PathBuf::from(file)));
        }
        self.externs.push(name);
    }

    /// The value of a variable where the crate is compiled.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        match &self.variables {
            _ if name == "OUT_DIR" => self.out_dir.as_ref()?.to_str().map(str::to_owned),
            Some(known) => known.get(name).cloned().flatten(),
            None if crate::index::is_variable(name) => env::var(name).ok(),
            None => None,
        }
    }

    fn option(&mut self, option: &str, value: &str) {
        match option {
            "--cfg" => {
                let cfg = without_spaces(value);
                // Cargo passes this instead of `--test` where a test brings its own `main`.
                self.test |= cfg == "test";
                self.cfg.push(cfg);
            }
            "--crate-name" => self.crate_name = value.to_owned(),
            "--crate-type" => self.is_library = value != "bin",
            "--edition" => self.edition = value.parse().unwrap_or(2015),
            "--extern" => self.library(value),
            _ => {}
        }
    }
}

/// `--option=value`.
fn split(argument: &str) -> Option<(&str, &str)> {
    let (option, value) = argument.split_once('=')?;
    option.starts_with("--").then_some((option, value))
}

/// `priv,noprelude:name=path` without options and path.
fn extern_name(value: &str) -> String {
    let name = value.split('=').next().unwrap_or_default();
    name.rsplit(':').next().unwrap_or_default().to_owned()
}

/// A `cfg` of the command line with one spelling: spaces count in strings only.
fn without_spaces(cfg: &str) -> String {
    match cfg.split_once('=') {
        Some((name, value)) => format!("{}={}", name.trim(), value.trim()),
        None => cfg.trim().to_owned(),
    }
}

/// A file that can't be read stands for nothing: the compiler has refused it already.
fn expanded(arguments: impl Iterator<Item = String>, current: &Path) -> Vec<String> {
    let mut expanded = Vec::new();
    for argument in arguments {
        match argument.strip_prefix('@') {
            Some(file) => {
                let text = fs::read_to_string(current.join(file)).unwrap_or_default();
                expanded.extend(text.lines().map(str::to_owned));
            }
            None => expanded.push(argument),
        }
    }
    expanded
}

#[cfg(test)]
mod tests;
