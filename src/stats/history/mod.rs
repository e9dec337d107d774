//! Counts that outlive the process: what calls have cost and saved, one line for each time that it is written down
//! (docs/format.md, "Counts").
//!
//! * `activity`: what is counted, and what a reader sees of it; `line`: the one line grammar, with `json` below it.
//! * `run`: what this process has counted in a folder, and when that is written; `log`: the files of lines.

mod activity;
mod json;
mod line;
pub(crate) mod log;
pub(crate) mod run;
#[cfg(test)]
mod tests;

pub use activity::{Activity, History, Period};

/// The parser of lines, for any bytes.
#[cfg(any(test, fuzzing))]
pub fn any_line(bytes: &[u8]) {
    if let Ok(line) = line::decode(bytes) {
        let again: Vec<u8> = line::encode(&line).into_iter().flatten().collect();
        let whole = again.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        assert!(whole.clone().all(|line| line::decode(line).is_ok()), "what was read can be written and read");
    }
}
