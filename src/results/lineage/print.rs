//! A lineage as a tree of lines, and as a graph for Graphviz.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::digest::escaped;
use crate::results::lineage::dependents::Dependents;
use crate::results::lineage::{Entry, Input, Lineage};

/// Deeper entries are counted and not printed: a result may rest on ten thousand steps of one iteration.
const DEPTH: usize = 64;

/// A line that is yet to be printed.
struct TreeLine {
    /// What the lines below it begin with.
    indent: String,
    depth: usize,
    what: What,
    /// Whether it is the last of its siblings.
    last: bool,
}

enum What {
    /// An entry, as the argument of this name.
    Node(usize, String),
    /// Anything else.
    Text(String),
}

/// A tree of entries that is printed: a line for each, and what is below it.
trait ReportTree {
    fn len(&self) -> usize;

    fn entry(&self, node: usize) -> &Entry;

    /// What is below a node, in order.
    fn below(&self, node: usize) -> Vec<What>;

    /// What is said of a node whose lower ones are too deep to be printed.
    const CUT_OFF: &'static str;
}

impl ReportTree for Lineage {
    fn len(&self) -> usize {
        self.nodes.len()
    }

    fn entry(&self, node: usize) -> &Entry {
        &self.nodes[node].entry
    }

    fn below(&self, node: usize) -> Vec<What> {
        let (node, mut below) = (&self.nodes[node], Vec::new());
        node.inputs.iter().for_each(|input| inputs(&node.entry, input, &mut below));
        below
    }

    const CUT_OFF: &'static str = "… and what went into it";
}

impl ReportTree for Dependents {
    fn len(&self) -> usize {
        self.nodes.len()
    }

    fn entry(&self, node: usize) -> &Entry {
        &self.nodes[node].entry
    }

    fn below(&self, node: usize) -> Vec<What> {
        let takers = self.nodes[node].takers.iter();
        takers.map(|(taker, argument)| What::Node(*taker, format!("{} of ", escaped(argument)))).collect()
    }

    const CUT_OFF: &'static str = "… and what was made of it";
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self, f)
    }
}

impl fmt::Display for Dependents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self, f)
    }
}

fn print<T: ReportTree>(tree: &T, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut printed = vec![false; tree.len()];
    // Without recursion: a lineage may be deeper than the stack.
    let mut lines = vec![TreeLine { indent: String::new(), depth: 0, what: What::Node(0, String::new()), last: true }];
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
                let below = tree.below(node);
                let is_cut_off = line.depth == DEPTH && !below.is_empty();
                // What is below it may be printed nearer to the root, if it isn't here.
                let again = printed[node];
                printed[node] |= !is_cut_off;
                let entry = tree.entry(node);
                write!(f, "{name}{}", call(entry))?;
                if again {
                    f.write_str("  (above)")?;
                } else {
                    write!(f, "  {}  {}", entry.key(), made(entry))?;
                    let indent = match (line.depth, line.last) {
                        (0, _) => String::new(),
                        (_, true) => format!("{}   ", line.indent),
                        (_, false) => format!("{}│  ", line.indent),
                    };
                    let below = if is_cut_off { vec![What::Text(T::CUT_OFF.to_owned())] } else { below };
                    push(below, line.depth + 1, &indent, &mut lines);
                }
            }
        }
    }
    Ok(())
}

/// Puts what is below a node on the stack, the last of it first.
fn push(below: Vec<What>, depth: usize, indent: &str, lines: &mut Vec<TreeLine>) {
    let count = below.len();
    let lined = below.into_iter().enumerate().map(|(at, what)| {
        let indent = indent.to_owned();
        TreeLine { indent, depth, what, last: at + 1 == count }
    });
    lines.extend(lined.collect::<Vec<_>>().into_iter().rev());
}

fn inputs(entry: &Entry, input: &Input, below: &mut Vec<What>) {
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

impl Lineage {
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

/// `2026-11-21 12:36:36 UTC, 1.5 ms`; of a result that was published by hand, that it was.
fn made(entry: &Entry) -> String {
    let edited = if entry.edited() { ", edited" } else { "" };
    format!("{}, {}{edited}", date(entry.created()), took(entry.duration()))
}

/// `1.5 ms`
fn took(duration: Duration) -> String {
    let text = format!("{duration:.1?}");
    let (number, unit) = text.split_at(text.find(char::is_alphabetic).unwrap_or(text.len()));
    format!("{number} {unit}")
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
