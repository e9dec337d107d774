//! What a value is made of: a text for people, and its leaves, each with its path, its digest and a text of its own.
//!
//! A description goes through a value once. Each part of it, a field or an element, is described into a [`Text`] of its
//! own, which the text of the whole then takes over with its leaves, as far as there is room; so neither grows with the
//! value. A part without parts is a leaf. A value with parts also has a *head* where values of one type may differ in
//! it: the variant of an enum, the length of a sequence, the keys of a map. Whatever is longer than [`LISTED`], or
//! nested deeper than [`DEPTH`], is one leaf.
//!
//! * `by_serde`: values that only serde knows; `quoted`: texts in quotes; `unordered`: maps and sets.

pub(crate) mod by_serde;
mod quoted;
mod unordered;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

use crate::digest::value::Digest;
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::text::Text;

/// The most leaves that are kept of a value.
pub(crate) const LEAVES: usize = 64;

/// The most items of a sequence, set or map that is listed item by item, each of which is a leaf.
pub(crate) const LISTED: usize = 32;

/// How deep a description goes; it bounds the stack, too.
const DEPTH: u8 = 12;

/// The longest path of a leaf, in characters.
const PATH: usize = 120;

/// The longest text of the single item that is shown of a long sequence, in characters.
const EXAMPLE: usize = 40;

/// Marks the place where something was left out; also the path of the leaf that says that leaves are missing.
pub(crate) const CUT: &str = "…";

/// A part of an argument's value, by which a miss can say what of the value changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Leaf {
    /// Where it is in the value: `kind`, `steps[3]`; empty for the head of the value itself.
    pub(crate) path: String,
    pub(crate) digest: Digest,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
}

/// What a text knows of the value that it describes.
#[derive(Clone, Default)]
pub(super) struct Outline {
    /// Whether leaves are collected, and how many at most.
    collects: bool,
    room: usize,
    depth: u8,
    /// Whether anything was described as a part: then the value is no leaf.
    has_parts: bool,
    /// The digest of a leaf, or of the head of a value with parts.
    head: Option<Digest>,
    /// Whether a leaf was left out.
    is_incomplete: bool,
    leaves: Vec<Leaf>,
}

/// The way from a value to one of its parts.
pub(crate) enum PartStep<'a> {
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl PartStep<'_> {
    fn path(&self) -> String {
        match self {
            Self::Field(name) if name.chars().all(|char| char.is_alphanumeric() || char == '_') => (*name).to_owned(),
            Self::Field(name) => format!("[{name:?}]"),
            Self::Index(index) => format!("[{index}]"),
            Self::Key(key) => format!("[{key}]"),
        }
    }
}

/// The path of a part's part.
fn joined(path: &str, rest: &str) -> String {
    let dot = if rest.is_empty() || rest.starts_with('[') { "" } else { "." };
    format!("{path}{dot}{rest}")
}

/// A text that also collects the leaves of what it describes.
impl Text {
    pub(crate) fn outlining() -> Self {
        let mut text = Self::new();
        (text.outline.collects, text.outline.room) = (true, LEAVES);
        text
    }

    /// The text, and the leaves: first the value's own head, if it has parts and a head; last the mark that leaves are
    /// missing, if some are.
    pub(crate) fn into_outline(self) -> (String, Vec<Leaf>) {
        let Outline { has_parts, head, is_incomplete, leaves, .. } = self.outline;
        let leaf = |path: &str, digest| Leaf { path: path.to_owned(), digest, text: String::new() };
        let head = head.filter(|_| has_parts).map(|digest| leaf("", digest));
        let more = is_incomplete.then(|| leaf(CUT, Digest::of(b"")));
        let leaves = head.into_iter().chain(leaves).collect::<Vec<_>>();
        let more = more.filter(|_| !leaves.is_empty());
        (self.text, leaves.into_iter().chain(more).collect())
    }

    pub(crate) fn collects(&self) -> bool {
        self.outline.collects
    }

    /// Whether it describes a whole value rather than a part of one.
    pub(crate) fn is_outermost(&self) -> bool {
        self.outline.depth == 0
    }

    /// Whether what is described is nested too deep to be looked into.
    pub(crate) fn is_deep(&self) -> bool {
        self.outline.depth > DEPTH
    }

    /// Whether there is no room for another part. If so, notes that a part is missing.
    pub(crate) fn is_done(&mut self) -> bool {
        let Outline { collects, room, leaves, .. } = &self.outline;
        let done = self.is_full() && !(*collects && leaves.len() < *room);
        self.outline.is_incomplete |= done;
        done
    }

    /// Notes that a part of the value is missing.
    pub(crate) fn note_missing(&mut self) {
        self.outline.is_incomplete = true;
    }

    /// A text for a part.
    fn below(&self) -> Self {
        let Outline { collects, room, depth, ref leaves, .. } = self.outline;
        let room = room.saturating_sub(leaves.len());
        let outline = Outline { collects, room, depth: depth.saturating_add(1), ..Outline::default() };
        Self { outline, ..Self::default() }
    }

    /// A text for a part whose leaves aren't collected.
    pub(super) fn plain(&self) -> Self {
        let mut part = self.below();
        part.outline.collects = false;
        part
    }

    /// Describes a part. `digest` is called if the part turns out to be a leaf and has no digest yet.
    pub(crate) fn part(
        &mut self,
        step: &PartStep<'_>,
        describe: impl FnOnce(&mut Self),
        digest: impl FnOnce(&mut ContentHasher),
    ) {
        self.outline.has_parts = true;
        if !self.is_done() {
            let part = self.described(describe, digest);
            self.take(step, part);
        }
    }

    /// Describes a part into a text of its own.
    fn described(&self, describe: impl FnOnce(&mut Self), digest: impl FnOnce(&mut ContentHasher)) -> Self {
        let mut part = self.below();
        part.look_into(describe);
        let outline = &mut part.outline;
        if outline.collects && !outline.has_parts && outline.head.is_none() {
            let mut hasher = ContentHasher::trusting();
            digest(&mut hasher);
            outline.head = hasher.take().ok();
            outline.is_incomplete |= outline.head.is_none();
        }
        part
    }

    fn look_into(&mut self, describe: impl FnOnce(&mut Self)) {
        if self.is_deep() { self.display(CUT) } else { describe(self) }
    }

    /// Takes over the text and the leaves of a described part.
    fn take(&mut self, step: &PartStep<'_>, part: Self) {
        self.outline.has_parts = true;
        self.display(&part.text);
        if !self.outline.collects {
            return;
        }
        let Outline { head, is_incomplete, leaves, .. } = part.outline;
        let path = step.path();
        self.outline.is_incomplete |= is_incomplete;
        let paths = leaves.iter().map(|leaf| joined(&path, &leaf.path)).collect::<Vec<_>>();
        if let Some(digest) = head {
            self.keep(Leaf { path, digest, text: part.text });
        }
        for (path, leaf) in paths.into_iter().zip(leaves) {
            self.keep(Leaf { path, ..leaf });
        }
    }

    fn keep(&mut self, leaf: Leaf) {
        let Outline { room, is_incomplete, leaves, .. } = &mut self.outline;
        match leaves.len() < *room && leaf.path.chars().count() <= PATH {
            true => leaves.push(leaf),
            false => *is_incomplete = true,
        }
    }

    /// Describes the single value inside of a `Some` or a newtype, which has no path of its own. `mark` tells the outer
    /// value from others that may hold such a value.
    pub(crate) fn inside(&mut self, mark: &str, describe: impl FnOnce(&mut Self)) {
        let mut part = self.below();
        part.look_into(describe);
        self.adopt(mark, part);
    }

    /// Takes over text, head and leaves of the single value inside this one, as [`inside`](Self::inside) does.
    fn adopt(&mut self, mark: &str, part: Self) {
        self.display(&part.text);
        if !self.outline.collects {
            return;
        }
        let Outline { has_parts, head, is_incomplete, leaves, .. } = part.outline;
        self.outline.has_parts |= has_parts;
        self.outline.is_incomplete |= is_incomplete;
        let marked = || Digest::of(format!("{mark} {head:?}").as_bytes());
        self.outline.head = if mark.is_empty() { head } else { (head.is_some() || has_parts).then(marked) };
        leaves.into_iter().for_each(|leaf| self.keep(leaf));
    }

    /// Notes what values of one type may differ in besides their parts.
    pub(crate) fn head(&mut self, head: fmt::Arguments<'_>) {
        self.outline.has_parts = true;
        if self.outline.collects {
            self.outline.head = Some(Digest::of(head.to_string().as_bytes()));
        }
    }

    /// Begins an enum's variant that has fields; the derive calls it.
    #[doc(hidden)]
    pub fn variant(&mut self, name: &str) {
        self.head(format_args!("variant {name}"));
        self.display(name);
    }

    fn comma(&mut self, position: usize) {
        self.display(if position > 0 { ", " } else { "" });
    }

    /// Describes a sequence: `[1, 2]`, or in short `[1, …; 1000]`, which is a leaf.
    pub(crate) fn sequence<'a, T: 'a>(
        &mut self,
        len: usize,
        items: impl IntoIterator<Item = &'a T>,
        describe: impl Fn(&T, &mut Self),
        feed: impl Fn(&T, &mut ContentHasher),
    ) {
        let mut items = items.into_iter();
        if len > LISTED {
            let first = |text: &mut Self| items.next().into_iter().for_each(|item| describe(item, text));
            return self.example(first, &len);
        }
        self.head(format_args!("sequence of {len}"));
        self.display("[");
        for (position, item) in items.enumerate() {
            self.comma(position);
            self.part(&PartStep::Index(position), |part| describe(item, part), |hasher| feed(item, hasher));
        }
        self.display("]");
    }

    /// Describes many items by the first of them and their number.
    fn example(&mut self, first: impl FnOnce(&mut Self), count: &dyn fmt::Display) {
        let mut item = self.plain();
        item.look_into(first);
        let end = item.text.char_indices().nth(EXAMPLE).map(|(end, _)| end);
        let (shown, cut) = end.map_or((&*item.text, ""), |end| (&item.text[..end], CUT));
        self.display(format_args!("[{shown}{cut}, …; {count}]"));
    }

    /// Describes a slice of array elements, which are leaves if they are few. Inside of another value the text lists
    /// them; by itself the slice has the text of the array that it counts as.
    pub(crate) fn elements<T>(
        &mut self,
        slice: &[T],
        describe: impl Fn(&T, &mut Self),
        feed: impl Fn(&T, &mut ContentHasher),
        as_array: impl FnOnce(&mut Self),
    ) {
        let outermost = self.is_outermost();
        if slice.len() > LISTED || outermost && !self.collects() {
            return as_array(self);
        }
        if !outermost {
            return self.sequence(slice.len(), slice, describe, feed);
        }
        let mut listed = Self { outline: self.outline.clone(), ..Self::default() };
        listed.sequence(slice.len(), slice, describe, feed);
        self.outline = listed.outline;
        as_array(self);
    }
}
