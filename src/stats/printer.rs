//! Lines on stderr, by the level of `verbose`.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd;

use crate::digest::escaped;
use crate::store::takes;

/// The level of `verbose` from which on warnings are printed.
const WARNINGS: u8 = 1;

/// Prints what a memory says of its calls, as far as its level of `verbose` goes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Printer {
    level: u8,
}

impl Printer {
    pub(crate) fn new(level: u8) -> Self {
        Self { level }
    }

    pub(super) fn prints(self, level: u8) -> bool {
        self.level >= level
    }

    /// Prints a warning, whose caller has logged it, too: most callers give one once in a memory or once for a function; a
    /// call that waits for another process gives one each minute.
    pub(crate) fn warn(self, what: &str) {
        if self.prints(WARNINGS) {
            let mut text = String::new();
            push_line(&mut text, "ndcache: warning: ", what);
            print(&text);
        }
    }
}

/// Prints lines in one write, so that threads don't write into each other's. What can't be written is dropped.
pub(super) fn print(text: &str) {
    let fits = |stderr: &File| takes(stderr, text.len() as u64);
    let print = || drop(own_stderr().ok().filter(fits).map(|mut stderr| stderr.write_all(text.as_bytes())));
    #[cfg(feature = "progress")]
    crate::stats::progress::aside(print);
    #[cfg(not(feature = "progress"))]
    print();
}

/// Standard error by a descriptor of our own. A thread that has locked the standard library's may wait for what is being
/// computed here, and so must never be waited for.
fn own_stderr() -> std::io::Result<File> {
    std::io::stderr().as_fd().try_clone_to_owned().map(File::from)
}

/// Whatever an argument or a message holds, it stays one line, and tells the terminal nothing.
pub(super) fn push_line(text: &mut String, before: &str, line: &str) {
    text.push_str(before);
    text.push_str(&escaped(line));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_whatever_it_holds() {
        let mut text = String::new();
        push_line(&mut text, "ndcache: ", "f(\"a\n\u{1b}[2Jé\")");
        assert_eq!(text, "ndcache: f(\"a\\n\\u{1b}[2Jé\")\n");
    }
}
