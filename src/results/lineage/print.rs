//! A lineage as a tree of lines, and as a graph for Graphviz.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::digest::escaped;
use crate::results::lineage::{Entry, Input, Lineage};

/// Deeper entries are counted and not printed: a result may rest on ten thousand steps of one iteration.
const DEPTH: usize = 64;

/// A line that is yet to be printed.
struct Line {
    /// What the lines below it begin with.
    indent: String,
    depth: usize,
    what: What,
    /// Of its siblings.
    last: bool,
}

enum What {
    /// An entry, as the argument of this name.
    Node(usize, String),
    /// Anything else.
    Text(String),
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printed = vec![false; self.nodes.len()];
        // Not by recursion: a lineage may be deeper than the stack.
        let mut lines = vec![Line { indent: String::new(), depth: 0, what: What::Node(0, String::new()), last: true }];
        let mut first = true;
        while let Some(line) = lines.pop() {
            let branch = match (line.depth, line.last) {
                (0, _) => "",
                (_, true) => "└─ ",
                (_, false) => "├─ ",
            };
            f.write_str(if first { "" } else { "\n" })?;
            first = false;
            write!(f, "{}{branch}", line.indent)?;
            match line.what {
                What::Text(text) => f.write_str(&text)?,
                What::Node(node, name) => {
                    // What is below it may be printed nearer to the root, if it isn't here.
                    let again = printed[node];
                    printed[node] |= !self.is_cut_off(node, line.depth);
                    let entry = &self.nodes[node].entry;
                    write!(f, "{name}{}", call(entry))?;
                    if again {
                        f.write_str("  (above)")?;
                    } else {
                        write!(f, "  {}  {}", entry.key(), made(entry))?;
                        let below = match (line.depth, line.last) {
                            (0, _) => "",
                            (_, true) => "   ",
                            (_, false) => "│  ",
                        };
                        self.push_inputs(node, line.depth, format!("{}{below}", line.indent), &mut lines);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Lineage {
    /// Whether what is below a node isn't printed at this depth.
    fn is_cut_off(&self, node: usize, depth: usize) -> bool {
        depth == DEPTH && !self.nodes[node].inputs.is_empty()
    }

    /// Puts what is below a node on the stack, the last of it first.
    fn push_inputs(&self, node: usize, depth: usize, indent: String, lines: &mut Vec<Line>) {
        let mut below = Vec::new();
        if self.is_cut_off(node, depth) {
            below.push(What::Text("… and what went into it".to_owned()));
        } else {
            let node = &self.nodes[node];
            node.inputs.iter().for_each(|input| self.inputs(&node.entry, input, &mut below));
        }
        let count = below.len();
        let lined = below.into_iter().enumerate().map(|(at, what)| Line {
            indent: indent.clone(),
            depth: depth + 1,
            what,
            last: at + 1 == count,
        });
        lines.extend(lined.collect::<Vec<_>>().into_iter().rev());
    }

    fn inputs(&self, entry: &Entry, input: &Input, below: &mut Vec<What>) {
        let argument = &entry.arguments()[input.argument];
        let name = argument.name();
        below.extend(input.sources.iter().map(|&source| What::Node(source, format!("{}: ", escaped(name)))));
        if input.sources.is_empty() {
            let text = escaped(argument.text());
            below.push(What::Text(format!("{}: {text}, held by no entry: from elsewhere, or removed", escaped(name))));
        } else if input.more > 0 {
            below.push(What::Text(format!("{}: and {} more entries that hold it", escaped(name), input.more)));
        }
    }

    /// The lineage as a directed graph in Graphviz's language: a box for each entry, and an edge, with the argument's
    /// name, from each to those that it went into. `dot -Tsvg` draws it.
    ///
    /// Arrays that no entry holds are ellipses. A box names the function, the arguments, the time it took and when; its
    /// tooltip the function's full path and the key.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut dot = String::from("digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n");
        for (at, node) in self.nodes.iter().enumerate() {
            let entry = &node.entry;
            let label = format!("{}\n{}", call(entry), made(entry));
            let tip = format!("{} {}", entry.function(), entry.key());
            dot.push_str(&format!("  n{at} [label={}, tooltip={}];\n", quoted(&label), quoted(&tip)));
        }
        let mut arrays = 0;
        for (at, node) in self.nodes.iter().enumerate() {
            for input in &node.inputs {
                let argument = &node.entry.arguments()[input.argument];
                let name = quoted(argument.name());
                for source in &input.sources {
                    dot.push_str(&format!("  n{source} -> n{at} [label={name}];\n"));
                }
                if input.sources.is_empty() {
                    let label = quoted(argument.text());
                    dot.push_str(&format!("  a{arrays} [shape=ellipse, label={label}];\n"));
                    dot.push_str(&format!("  a{arrays} -> n{at} [label={name}];\n"));
                    arrays += 1;
                }
            }
        }
        dot.push_str("}\n");
        dot
    }
}

/// `project(x=f64[1797, 64] C, components=30)`
fn call(entry: &Entry) -> String {
    let arguments = entry.arguments().iter().map(ToString::to_string);
    let function = crate::entry::write::names::last_component(entry.function());
    escaped(&format!("{function}({})", arguments.collect::<Vec<_>>().join(", "))).into_owned()
}

/// `2026-11-21 12:36:36 UTC, 1.5ms`; of a result that was published by hand, that it was.
fn made(entry: &Entry) -> String {
    let edited = if entry.edited() { ", edited" } else { "" };
    format!("{}, {:.1?}{edited}", date(entry.created()), entry.duration())
}

/// A string of Graphviz's language, in which `\l`, `\N` and the like mean something.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\n' => quoted.push_str("\\n"),
            control if control.is_control() => quoted.push('\u{fffd}'),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

/// `2026-11-21 12:36:36 UTC`
pub(crate) fn date(time: SystemTime) -> String {
    const DAY: u64 = 86_400;
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, second) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month and day of a day since 1970, in the Gregorian calendar (Hinnant's `civil_from_days`, for later days).
fn civil(days: u64) -> (u64, u64, u64) {
    // Days since 0000-03-01, from where on leap days are at the ends of years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}
