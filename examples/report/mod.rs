//! A table of the steps of a pipeline: was the step in the cache, and why not; what did it take, and what is stored?

use std::time::{Duration, Instant};

use ndcache::explain::Reason;
use ndcache::{Call, Memory, Result};

/// What the steps of one run came to.
pub(crate) struct Run<'a> {
    memory: &'a Memory,
    steps: u32,
    hits: u32,
    /// Steps whose function was never computed before.
    new: u32,
    /// What all steps took in this run.
    took: Duration,
    /// What computing all of them takes: what it took now, or when their results were stored.
    computing: Duration,
}

impl<'a> Run<'a> {
    /// Prints the head of the table.
    pub(crate) fn new(memory: &'a Memory) -> Self {
        row("step", "", "time", "stored");
        Self { memory, steps: 0, hits: 0, new: 0, took: Duration::ZERO, computing: Duration::ZERO }
    }

    /// Takes the result of a call in the way that `take` says, such as `Memory::eval`, and prints its row.
    ///
    /// `call` makes the call anew for each question, so that the time includes hashing the arguments.
    pub(crate) fn step<A, R, T>(
        &mut self,
        call: impl Fn() -> Call<A, R>,
        take: impl FnOnce(&Memory, Call<A, R>) -> T,
    ) -> Result<T> {
        let explanation = self.memory.explain(&call());
        let start = Instant::now();
        let value = take(self.memory, call());
        let took = start.elapsed();

        let call = call();
        let entry = self.memory.entry(&call)?;
        let is_hit = explanation.reason() == Reason::Hit;
        self.steps += 1;
        self.took += took;
        self.hits += u32::from(is_hit);
        self.new += u32::from(explanation.reason() == Reason::NewFunction);
        self.computing += entry.as_ref().map_or(took, |entry| entry.duration());
        let outcome = if is_hit { "hit".to_owned() } else { format!("miss: {explanation}") };
        let stored = entry.map_or("not stored".to_owned(), |entry| size(entry.bytes()));
        row(step_name(call.function().path()), &outcome, &time(took), &stored);
        Ok(value)
    }

    /// Prints where the results are, and what the cache has spared.
    pub(crate) fn finish(&self) {
        println!();
        match self.memory.location() {
            Some(folder) => println!("results are in `{}`", folder.display()),
            None => println!("the cache is off"),
        }
        let Self { steps, hits, .. } = self;
        let (computing, took) = (time(self.computing), time(self.took));
        match (self.new, hits) {
            (new, 0) if new > 0 => println!("first run: {took}, {steps} of {steps} steps computed; run it again"),
            (_, 0) => println!("this run: {took}, {steps} of {steps} steps computed"),
            _ => println!("this run: {computing} → {took}, {hits} of {steps} steps from the cache"),
        }
    }
}

fn row(step: &str, outcome: &str, time: &str, stored: &str) {
    println!("{step:<12} {:<58} {time:>10} {stored:>11}", cut(outcome, 58));
}

/// At most `most` characters of a text.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// `standardize` of `ndcache-examples/digits/digits::standardize`.
fn step_name(function: &str) -> &str {
    function.rsplit("::").next().unwrap_or(function)
}

/// A duration in the largest unit of which there is one.
pub(crate) fn time(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 1e-3 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{:.1} µs", seconds * 1e6),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0)),
    }
}
