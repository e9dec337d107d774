//! `ndcache tree`: what went into an entry, or what was made of it.

use std::collections::HashMap;

use ndcache::{Entry, Key};
use serde_json::{Value as Json, json};

use crate::args::Tree;
use crate::entry::{call, entry_json, find, open_for};
use crate::exit::{Exit, Failure, Outcome};
use crate::out::Out;
use crate::text::safe;

/// An entry, one that took it as an argument, and the name of that.
type Edge = (Key, Key, String);

pub(crate) fn run(args: &Tree, out: &mut Out) -> Outcome {
    let memory = open_for(out, &args.entry)?;
    let entry = find(&memory, &args.entry)?;
    let gone = || Failure::found("the entry was removed meanwhile");
    let (text, entries, edges): (String, Vec<Entry>, Vec<Edge>) = if args.down {
        let dependents = memory.dependents_of(&entry)?.ok_or_else(gone)?;
        let edge = |(made, by, argument): (&Entry, &Entry, &str)| (made.key(), by.key(), argument.to_owned());
        (dependents.to_string(), dependents.entries().cloned().collect(), dependents.links().map(edge).collect())
    } else {
        let lineage = memory.lineage_of(&entry)?.ok_or_else(gone)?;
        let edges = lineage
            .links()
            .filter_map(|link| Some((link.source()?.key(), link.call().key(), link.argument().name().to_owned())));
        let edges = edges.collect();
        let text = if args.dot { lineage.dot().trim_end().to_owned() } else { lineage.to_string() };
        (text, lineage.entries().cloned().collect(), edges)
    };
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
