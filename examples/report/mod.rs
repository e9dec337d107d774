//! A table of the steps of a pipeline: was the step in the cache, what did it cost, where is it stored?

use std::path::Path;
use std::time::Instant;

use ndcache::{Call, Memory, Reason, Result};

/// Prints the names of the columns.
pub(crate) fn header() {
    row("step", "", "seconds", "bytes", "files");
}

/// Takes the result of a call in the way that `take` says, such as `Memory::eval`, and prints its row.
///
/// `call` makes the call anew for each question, so that the time includes hashing the arguments.
pub(crate) fn step<A, R, T>(
    memory: &Memory,
    call: impl Fn() -> Call<A, R>,
    take: impl FnOnce(&Memory, Call<A, R>) -> T,
) -> Result<T> {
    let explanation = memory.explain(&call());
    let start = Instant::now();
    let value = take(memory, call());
    let seconds = format!("{:.6}", start.elapsed().as_secs_f64());

    let call = call();
    let step = step_name(call.function().path());
    let hit = explanation.reason() == Reason::Hit;
    let outcome = if hit { "hit".to_owned() } else { format!("miss: {explanation}") };
    match memory.entry(&call)? {
        Some(entry) => {
            // Small arrays and values are in the record.
            let files: Vec<_> = entry.files().iter().map(|file| name(file)).collect();
            let files = if files.is_empty() { name(entry.path()) } else { files.join(" ") };
            row(step, &outcome, &seconds, &entry.bytes().to_string(), &files);
        }
        None => row(step, &outcome, &seconds, "", "not stored"),
    }
    Ok(value)
}

fn row(step: &str, outcome: &str, seconds: &str, bytes: &str, files: &str) {
    println!("{step:<12} {outcome:<36} {seconds:>10} {bytes:>12}  {files}");
}

/// `standardize` of `ndcache/digits/digits::standardize`.
fn step_name(function: &str) -> &str {
    function.rsplit("::").next().unwrap_or(function)
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
