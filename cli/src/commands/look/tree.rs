//! `ndcache tree`: what went into an entry, or what was made of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ndcache::inspect::{Dependents, shown_path};
use ndcache::{Entry, Key};
use serde_json::{Value as Json, json};

use crate::args::Tree;
use crate::entry::{call, entry_json, find, open_for};
use crate::exit::{Exit, Failure, Outcome};
use crate::filter::{is_array, quoted as quoted_text};
use crate::out::Out;
use crate::text::{count as number, duration, listed, moment, safe, short};

/// An entry, one that took it as an argument, and the name of that.
type Edge = (Key, Key, String);

pub(crate) fn run(args: &Tree, out: &mut Out) -> Outcome {
    let memory = open_for(out, &args.entry)?;
    let entry = find(&memory, &args.entry)?;
    let gone = || Failure::found("the entry was removed meanwhile");
    let (text, entries, edges, unread): (String, Vec<Entry>, Vec<Edge>, Option<String>) = if args.down {
        let dependents = memory.dependents_of(&entry)?.ok_or_else(gone)?;
        let edge = |(made, by, argument): (&Entry, &Entry, &str)| (made.key(), by.key(), argument.to_owned());
        let text = match args.all || args.dot || out.width().is_none() {
            true => dependents.to_string(),
            false => folded(&dependents),
        };
        let (entries, edges) = (dependents.entries().cloned().collect(), dependents.links().map(edge).collect());
        (text, entries, edges, dependents.unread().map(str::to_owned))
    } else {
        let lineage = memory.lineage_of(&entry)?.ok_or_else(gone)?;
        let edges = lineage
            .links()
            .filter_map(|link| Some((link.source()?.key(), link.call().key(), link.argument().name().to_owned())));
        let edges = edges.collect();
        let text = if args.dot { lineage.dot().trim_end().to_owned() } else { lineage.to_string() };
        (text, lineage.entries().cloned().collect(), edges, lineage.unread().map(str::to_owned))
    };
    if let Some(unread) = unread {
        out.note(format!("not all of the cache could be read, and something may be missing: {unread}"));
    }
    if !args.down {
        let mut untraced = Untraced::default();
        entries.iter().for_each(|entry| {
            untraced.add(entry, |name| edges.iter().any(|(_, by, argument)| *by == entry.key() && argument == name));
        });
        untraced.tell(out);
    }
    if out.is_json() {
        let entries: Vec<Json> = entries.iter().map(entry_json).collect();
        let edge = |(from, to, argument): &Edge| json!({ "from": from.to_string(), "to": to.to_string(), "argument": argument });
        let edges: Vec<Json> = edges.iter().map(edge).collect();
        out.document(json!({ "entries": entries, "edges": edges }))?;
    } else if args.dot && args.down {
        dot(&entries, &edges, out)?;
    } else {
        text.lines().try_for_each(|line| out.line(safe(line)))?;
    }
    Ok(Exit::Fine)
}

/// Arguments that hold arrays inside of a list, a struct and the like: a lineage doesn't see these.
#[derive(Default)]
pub(crate) struct Untraced(BTreeSet<String>);

impl Untraced {
    /// Adds those of an entry that weren't traced as a whole, either.
    pub(crate) fn add(&mut self, entry: &Entry, is_traced: impl Fn(&str) -> bool) {
        for argument in entry.arguments() {
            if holds_array(argument.text()) && !is_traced(argument.name()) {
                self.0.insert(format!("{} of {}", argument.name(), short(entry.function())));
            }
        }
    }

    /// Says which they are, if there are any.
    pub(crate) fn tell(&self, out: &mut Out) {
        if !self.0.is_empty() {
            let arguments = listed(&self.0);
            out.note(format!("arrays inside of {arguments} aren't traced: what they came from may be missing"));
        }
    }
}

/// The names of dtypes, without their numbers of bits.
const DTYPES: [&str; 9] = ["f", "i", "u", "c", "float", "int", "uint", "complex", "bool"];

/// Whether the text of an argument, which is no array itself, tells of an array inside: `{'a': float64[3, 2]}`.
fn holds_array(text: &str) -> bool {
    let is_whole = is_array(text) || quoted_text(text).is_some();
    let is_inside = |(at, _): (usize, &str)| {
        let before = &text[..at];
        let bits = before.trim_end_matches(|char: char| char.is_ascii_digit());
        let name = bits.rsplit(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default();
        let is_dtype = DTYPES.contains(&name) && (name == "bool" || bits.len() < before.len());
        let shape = text[at + 1..].split(']').next().unwrap_or_default();
        is_dtype && shape.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b' '))
    };
    !is_whole && text.match_indices('[').any(is_inside)
}

/// How many calls of one function are listed below an entry.
const MANY: usize = 20;

/// How many are shown where there are more than that; the others are counted.
const FEW: usize = 5;

/// Deeper entries aren't listed.
const DEPTH: usize = 64;

/// The tree with many calls of one function below one entry folded into a count.
fn folded(dependents: &Dependents) -> String {
    let entries: Vec<&Entry> = dependents.entries().collect();
    let places: HashMap<Key, usize> = entries.iter().enumerate().map(|(at, entry)| (entry.key(), at)).collect();
    let mut takers: Vec<Vec<(usize, &str)>> = vec![Vec::new(); entries.len()];
    for (made, by, argument) in dependents.links() {
        takers[places[&made.key()]].push((places[&by.key()], argument));
    }
    if !takers.iter().any(|takers| counts(takers, &entries).values().any(|&count| count > MANY)) {
        return dependents.to_string();
    }
    let (mut text, mut printed) = (String::new(), vec![false; entries.len()]);
    let mut lines = vec![(String::new(), String::new(), Line::Entry(0, ""))];
    // Without recursion: a lineage may be deeper than the stack.
    while let Some((branch, indent, line)) = lines.pop() {
        text.push_str(&branch);
        match line {
            Line::More(count, function) => {
                text.push_str(&format!(
                    "… and {} more of `{}`: `--all` lists them",
                    number(count as u64),
                    shown_path(function)
                ));
            }
            Line::Entry(at, argument) => {
                let (entry, again) = (entries[at], std::mem::replace(&mut printed[at], true));
                let of = if argument.is_empty() { String::new() } else { format!("{argument} of ") };
                text.push_str(&format!("{of}{}", call(entry)));
                let made = format!("{}, {}", moment(entry.created()), duration(entry.duration()));
                text.push_str(&if again { "  (above)".to_owned() } else { format!("  {}  {made}", entry.key()) });
                if !again && indent.chars().count() < 3 * DEPTH {
                    push(&fold(&takers[at], &entries), &indent, &mut lines);
                }
            }
        }
        text.push('\n');
    }
    text
}

/// What one line of the tree tells of.
#[derive(Clone, Copy)]
enum Line<'a> {
    /// The entry of this place, which took what is above it as the argument of this name.
    Entry(usize, &'a str),
    /// How many more calls of a function there are.
    More(usize, &'a str),
}

fn counts<'a>(takers: &[(usize, &str)], entries: &[&'a Entry]) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    takers.iter().for_each(|(at, _)| *counts.entry(entries[*at].function()).or_default() += 1);
    counts
}

/// The lines below an entry: a few of each function that has many, and then how many more there are.
fn fold<'a>(takers: &[(usize, &'a str)], entries: &[&'a Entry]) -> Vec<Line<'a>> {
    let mut left: BTreeMap<&str, usize> = counts(takers, entries);
    left.retain(|_, count| *count > MANY);
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let is_shown = |(at, _): &&(usize, &'a str)| {
        let shown = shown.entry(entries[*at].function()).or_default();
        *shown += 1;
        *shown <= FEW || !left.contains_key(entries[*at].function())
    };
    let lines: Vec<Line<'a>> =
        takers.iter().filter(is_shown).map(|&(at, argument)| Line::Entry(at, argument)).collect();
    lines.into_iter().chain(left.iter().map(|(&function, &count)| Line::More(count - FEW, function))).collect()
}

/// Puts the lines below an entry on the stack, the last of them first, each with its branch and with the indent of what is
/// below it.
fn push<'a>(below: &[Line<'a>], indent: &str, lines: &mut Vec<(String, String, Line<'a>)>) {
    for (at, line) in below.iter().enumerate().rev() {
        let (branch, space) = if at + 1 == below.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        lines.push((format!("{indent}{branch}"), format!("{indent}{space}"), *line));
    }
}

/// Prints the entries as a graph for Graphviz.
fn dot(entries: &[Entry], edges: &[Edge], out: &mut Out) -> Outcome<()> {
    out.line("digraph dependents {")?;
    out.line("  rankdir=LR;")?;
    out.line("  node [shape=box];")?;
    let places: HashMap<_, _> = entries.iter().enumerate().map(|(at, entry)| (entry.key(), at)).collect();
    for (at, entry) in entries.iter().enumerate() {
        let tip = format!("{} {}", entry.function(), entry.key());
        out.line(format!("  n{at} [label={}, tooltip={}];", quoted(&call(entry)), quoted(&tip)))?;
    }
    for (from, to, argument) in edges {
        if let (Some(from), Some(to)) = (places.get(from), places.get(to)) {
            out.line(format!("  n{from} -> n{to} [label={}];", quoted(argument)))?;
        }
    }
    out.line("}")
}

/// A string of Graphviz's language.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in safe(text).chars() {
        if matches!(char, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_inside_of_other_values_are_seen_in_their_texts() {
        for text in [
            "{'a': float64[3, 2]}",
            "[f64[3], f64[4]]",
            "(1, uint8[4])",
            "Params { x: f32[1797, 64], k: 3 }",
            "Some(c64[2])",
            "[bool[7], 1",
        ] {
            assert!(holds_array(text), "{text}");
        }
        for text in
            ["f64[3] C", "float64[3]", "[1, 2]", "'float64[3]'", "", "x[3]", "Some([1, 2])", "list of 3", "conf[1]"]
        {
            assert!(!holds_array(text), "{text}");
        }
    }
}
