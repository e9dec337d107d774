//! Times of a body: of one run, and of one among many.

use std::hint::black_box;
use std::time::Instant;

/// A round of many runs lasts about that long.
const SECONDS: f64 = 0.01;

/// The seconds of one run.
pub(crate) fn once<T>(body: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let value = black_box(body());
    (start.elapsed().as_secs_f64(), value)
}

/// The mean seconds of a run among as many as a round has time for; one before them isn't counted.
pub(crate) fn steady<T>(mut body: impl FnMut() -> T) -> f64 {
    body();
    let (first, _) = once(&mut body);
    if first >= SECONDS {
        return first;
    }
    let times = (SECONDS / first.max(1e-9)).ceil() as usize;
    let (seconds, ()) = once(|| (0..times).for_each(|_| drop(black_box(body()))));
    seconds / times as f64
}
