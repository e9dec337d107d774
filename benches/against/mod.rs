//! Builds this bench as another commit has it, so that both are counted with one toolchain on one machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// How much more than the other commit a kind of call may take.
const LIMITS: [(&str, f64); 5] =
    [("hit", 1.03), ("mapped hit", 1.03), ("chain hit", 1.03), ("first hit", 1.10), ("miss", 1.10)];

/// The limit of `kind`; `None` for a kind that has none.
pub(crate) fn limit(kind: &str) -> Option<f64> {
    LIMITS.iter().find(|(name, _)| *name == kind).map(|(_, limit)| *limit)
}

/// The bench `count` of `revision`, built in a checkout of its own below the folder of this build.
///
/// What is compiled stays for the next time.
pub(crate) fn build(revision: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let commit = output(root, "git", &["rev-parse", "--verify", &format!("{revision}^{{commit}}")]);
    let folder = target().join("against");
    let checkout = folder.join("checkout");
    if !checkout.exists() {
        let checkout = checkout.to_str().expect("a readable path");
        output(root, "git", &["clone", "--quiet", "--no-checkout", "--shared", ".", checkout]);
    }
    output(&checkout, "git", &["checkout", "--quiet", "--force", "--detach", commit.trim()]);
    let target = folder.join("target");
    let target = target.to_str().expect("a readable path");
    let bench = ["bench", "--bench", "count", "--no-run", "--message-format=json", "--target-dir", target];
    executable(&output(&checkout, "cargo", &bench))
}

/// The folder that cargo builds in: the program lies in `<target>/release/deps`.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("this program");
    program.ancestors().nth(3).expect("a folder of cargo").to_owned()
}

/// What cargo's messages say that it has built.
fn executable(messages: &str) -> PathBuf {
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let count = built.filter(|message| message["target"]["name"] == "count");
    let path = count.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    path.expect("cargo names the program that it has built")
}

/// What a command prints, which has to succeed.
fn output(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("`{program}` can't be run: {error}"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{program} {}` failed: {words}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
