//! Sequences, arrays and tuples that serialize.

use std::any::type_name;

use serde::{Serialize, ser};

use crate::digest::values::canonical::feed_bare;
use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::outline::by_serde::{OutlineResult, Stopped, element, serialized};
use crate::digest::values::outline::{LISTED, PartStep};
use crate::digest::values::text::Text;

/// What the items of a sequence are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// Of a sequence or an array: each is known by its index.
    Elements,
    /// Of a tuple.
    Fields,
}

impl ItemKind {
    /// What a list of them begins and ends with.
    pub(super) fn brackets(self) -> [&'static str; 2] {
        match self {
            Self::Elements => ["[", "]"],
            Self::Fields => ["(", ")"],
        }
    }
}

/// A sequence, an array or a tuple under way.
pub(super) struct OutlineItems<'a> {
    pub(super) text: &'a mut Text,
    pub(super) hasher: &'a mut ContentHasher,
    /// Whether the items are parts; else they are one leaf.
    pub(super) listed: bool,
    /// How many there are to be, in words.
    pub(super) label: String,
    pub(super) kind: ItemKind,
    pub(super) position: usize,
}

impl OutlineItems<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> OutlineResult {
        let position = self.position;
        self.position += 1;
        if self.listed { self.list(position, value) } else { self.count(position, value) }
    }

    fn list<T: Serialize + ?Sized>(&mut self, position: usize, value: &T) -> OutlineResult {
        if position >= LISTED {
            // More than were promised.
            self.text.note_missing();
            self.text.display(format_args!(", …{}", self.kind.brackets()[1]));
        }
        if position >= LISTED {
            return Err(Stopped);
        }
        if self.text.is_done() {
            return Ok(());
        }
        self.text.comma(position);
        match self.kind {
            ItemKind::Fields => self.text.serde_part(&PartStep::Field(&position.to_string()), value),
            ItemKind::Elements => self.text.serde_part(&PartStep::Index(position), value),
        }
        Ok(())
    }

    /// An item of many, which together are a leaf.
    fn count<T: Serialize + ?Sized>(&mut self, position: usize, value: &T) -> OutlineResult {
        if position == 0 {
            match element(type_name::<T>()) {
                Some(element) => self.text.display(format_args!("{element}[{}]", self.label)),
                None => self.text.example(|text| serialized(value, text), &self.label),
            }
        }
        if !self.text.collects() {
            return Err(Stopped);
        }
        feed_bare(value, self.hasher);
        if self.hasher.is_over() { Err(Stopped) } else { Ok(()) }
    }

    fn close(self) -> OutlineResult {
        if self.listed {
            if self.kind == ItemKind::Elements {
                self.text.head(format_args!("sequence of {}", self.position));
            }
            self.text.display(self.kind.brackets()[1]);
        } else {
            self.hasher.usize(self.position);
            if self.position == 0 {
                self.text.display(format_args!("[{}]", self.label));
            }
        }
        Ok(())
    }
}

impl ser::SerializeSeq for OutlineItems<'_> {
    type Ok = ();
    type Error = Stopped;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> OutlineResult {
        self.item(value)
    }

    fn end(self) -> OutlineResult {
        self.close()
    }
}

impl ser::SerializeTuple for OutlineItems<'_> {
    type Ok = ();
    type Error = Stopped;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> OutlineResult {
        self.item(value)
    }

    fn end(self) -> OutlineResult {
        self.close()
    }
}
