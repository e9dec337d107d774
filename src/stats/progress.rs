//! Bars for work that lasts, on a terminal. Only with the feature `progress`.

use std::fs::File;
use std::io::{IsTerminal, stderr};
use std::os::fd::AsFd;
use std::sync::LazyLock;
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::digest::{Show, show_by};
use crate::threads::fork::Process;

/// All bars of the process, one below the other, on stderr.
///
/// Drawn by descriptors of our own: a bar that waited for the lock of stderr would hold up all bars, and the thread
/// that holds the lock may be waiting for one of them.
static BARS: LazyLock<(Process, MultiProgress)> = LazyLock::new(|| (Process::current(), bars()));

fn bars() -> MultiProgress {
    let own = || stderr().as_fd().try_clone_to_owned().map(File::from);
    match (own(), own()) {
        (Ok(read), Ok(write)) => {
            MultiProgress::with_draw_target(ProgressDrawTarget::term(Term::read_write_pair(read, write), DRAWS))
        }
        _ => MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
    }
}

/// All bars; none in a forked child, where a thread of its parent's may hold them.
fn own_bars() -> Option<&'static MultiProgress> {
    let (process, bars) = &*BARS;
    process.is_current().then_some(bars)
}

/// How often bars are drawn, in times a second.
const DRAWS: u8 = 20;

/// The name, a bar, how much is done, how fast, and how long it still takes.
const TEMPLATE: &str = "ndcache: {msg} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// Shows work that lasts from now on, if there is a terminal.
pub(crate) fn install() {
    if stderr().is_terminal() {
        show_by(begin);
    }
}

/// Prints without a bar in between.
pub(crate) fn aside(print: impl FnOnce()) {
    match own_bars() {
        Some(bars) => bars.suspend(print),
        None => print(),
    }
}

struct Bar(ProgressBar);

fn begin(name: &'static str, total: u64, lasts: Duration) -> Box<dyn Show> {
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total).with_style(style).with_message(name).with_elapsed(lasts);
    let bar = bar.with_finish(ProgressFinish::AndClear);
    Box::new(Bar(own_bars().map_or_else(ProgressBar::hidden, |bars| bars.add(bar))))
}

impl Show for Bar {
    fn advance(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    /// It leaves the terminal as it was.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one() {
        ProgressStyle::with_template(TEMPLATE).unwrap();
    }
}
