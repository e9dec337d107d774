use std::time::Duration;

use ndcache::{Entry, cache};

#[cache(expires = 60)]
fn seconds(x: f64) -> f64 {
    x
}

#[cache(min_duration = Duration::ZERO, mode = "read-only")]
fn text(x: f64) -> f64 {
    x
}

fn recent(age: Duration) -> bool {
    age.is_zero()
}

#[cache(validate = recent)]
fn other_argument(x: f64) -> f64 {
    x
}

#[cache(validate = |entry: &Entry| entry.bytes())]
fn other_result(x: f64) -> f64 {
    x
}

#[cache(expires = Duration::from_secs(x))]
fn of_an_argument(x: u64) -> u64 {
    x
}

#[cache(expires)]
fn nothing(x: f64) -> f64 {
    x
}

#[cache(compress = 3)]
fn level(x: f64) -> f64 {
    x
}

fn main() {}
