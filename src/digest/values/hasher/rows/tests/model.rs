//! A stream as a tree, written by docs/format.md, and read back by a reader that knows no types.

use crate::digest::values::content::ContentHash;

/// What a stream says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// A mark, and the bytes behind it.
    Scalar(u8, Vec<u8>),
    Text(String),
    None,
    Some(Box<Tree>),
    Tuple(Vec<Tree>),
    Struct(String, Vec<(String, Tree)>),
    Variant(String, String, Vec<(String, Tree)>),
    /// Items; whether they stand in a table.
    Seq(Vec<Tree>, bool),
    /// A set or a map without rows or with them: what is alike, the number, and the sum.
    Sum(u8, Vec<Tree>, u64, [u8; 16]),
    /// In what is alike: a part that each row has with its marks.
    Whole,
}

/// Types of which the trees are known.
pub(super) trait Model: ContentHash {
    /// Whether a sequence of them is a table.
    const ALIKE: bool;
    fn tree(&self) -> Tree;
}

/// What is alike in all values of a type, by one of them.
pub(super) fn alike_of<T: Model>(value: &T) -> Tree {
    if T::ALIKE { alike(&value.tree()) } else { Tree::Whole }
}

pub(super) fn alike(tree: &Tree) -> Tree {
    match tree {
        Tree::Scalar(tag, _) => Tree::Scalar(*tag, vec![]),
        Tree::Text(_) => Tree::Text(String::new()),
        Tree::Tuple(parts) => Tree::Tuple(parts.iter().map(alike).collect()),
        Tree::Struct(name, fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), alike(value)));
            Tree::Struct(name.clone(), fields.collect())
        }
        _ => Tree::Whole,
    }
}

/// The names of a stream: of each head its fields, as they came first.
#[derive(Default)]
pub(super) struct Names(Vec<(Vec<u8>, Vec<String>)>);

pub(super) fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

pub(super) fn stream(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    Names::default().write(tree, false, &mut out);
    out
}

pub(super) fn in_row(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    Names::default().row(tree, &mut out);
    out
}

impl Names {
    /// The stream of a value, or of what is alike in all of its type.
    fn write(&mut self, tree: &Tree, is_alike: bool, out: &mut Vec<u8>) {
        match tree {
            Tree::Scalar(tag, bytes) => out.extend([vec![*tag], bytes.clone()].concat()),
            Tree::Text(_) if is_alike => out.push(0x04),
            Tree::Text(value) => out.extend([vec![0x04], text(value)].concat()),
            Tree::None => out.push(0x06),
            Tree::Some(value) => {
                out.push(0x07);
                self.write(value, is_alike, out);
            }
            Tree::Tuple(values) => {
                out.push(0x31);
                values.iter().for_each(|value| self.write(value, is_alike, out));
                out.push(0);
            }
            Tree::Struct(name, fields) => {
                self.write_fields([vec![0x34], text(name)].concat(), fields, is_alike, out);
            }
            Tree::Variant(name, variant, fields) => {
                self.write_fields([vec![0x36], text(name), text(variant)].concat(), fields, is_alike, out);
            }
            Tree::Seq(items, is_table) => {
                out.push(0x30);
                out.extend((items.len() as u64).to_le_bytes());
                if *is_table {
                    out.push(0x41);
                    self.write(&alike(&items[0]), true, out);
                    items.iter().for_each(|item| self.row(item, out));
                } else {
                    items.iter().for_each(|item| self.write(item, false, out));
                }
                out.push(0);
            }
            Tree::Sum(tag, alike, count, sum) => {
                out.push(*tag);
                alike.iter().for_each(|alike| self.write(alike, true, out));
                out.extend(count.to_le_bytes());
                out.extend(sum);
            }
            Tree::Whole => out.push(0x44),
        }
    }

    fn write_fields(&mut self, head: Vec<u8>, fields: &[(String, Tree)], is_alike: bool, out: &mut Vec<u8>) {
        let known = self.0.iter().position(|(written, _)| *written == head);
        let place = known.unwrap_or(self.0.len());
        match known {
            Some(place) => out.extend([0x3c, u8::try_from(place).unwrap()]),
            None => {
                out.extend(&head);
                self.0.push((head, Vec::new()));
            }
        }
        for (at, (name, value)) in fields.iter().enumerate() {
            match known.is_some_and(|_| self.0[place].1.get(at) == Some(name)) {
                true => out.push(0x3d),
                false => out.extend([vec![0x35], text(name)].concat()),
            }
            if known.is_none() {
                self.0[place].1.push(name.clone());
            }
            self.write(value, is_alike, out);
        }
        out.push(0);
    }

    /// What a row has of a value beside what is alike.
    fn row(&mut self, tree: &Tree, out: &mut Vec<u8>) {
        match tree {
            Tree::Scalar(_, bytes) => out.extend(bytes),
            Tree::Text(value) => out.extend(text(value)),
            Tree::Tuple(values) => values.iter().for_each(|value| self.row(value, out)),
            Tree::Struct(_, fields) => fields.iter().for_each(|(_, value)| self.row(value, out)),
            other => {
                self.write(other, false, out);
                out.push(0);
            }
        }
    }

    /// Reads a value, or what is alike in all of its type.
    pub(super) fn read(&mut self, is_alike: bool, bytes: &mut &[u8]) -> Tree {
        let tag = take(bytes, 1)[0];
        match tag {
            0x02..=0x22 if length_of(tag).is_some() => {
                let length = if is_alike { 0 } else { length_of(tag).unwrap() };
                Tree::Scalar(tag, take(bytes, length).to_vec())
            }
            0x04 if is_alike => Tree::Text(String::new()),
            0x04 => Tree::Text(read_text(bytes)),
            0x06 => Tree::None,
            0x07 => Tree::Some(Box::new(self.read(is_alike, bytes))),
            0x31 => {
                let mut values = Vec::new();
                while bytes[0] != 0 {
                    values.push(self.read(is_alike, bytes));
                }
                take(bytes, 1);
                Tree::Tuple(values)
            }
            0x34 | 0x36 | 0x3c => self.read_fields(tag, is_alike, bytes),
            0x30 => {
                let len = number(bytes);
                let is_table = bytes[0] == 0x41;
                let items = match is_table {
                    true => {
                        take(bytes, 1);
                        let alike = self.read(true, bytes);
                        (0..len).map(|_| self.read_row(&alike, bytes)).collect()
                    }
                    false => (0..len).map(|_| self.read(false, bytes)).collect(),
                };
                assert_eq!(take(bytes, 1), [0]);
                Tree::Seq(items, is_table)
            }
            0x32 | 0x33 | 0x42 | 0x43 => {
                let parts = [0, 0, 1, 2][usize::from(tag & 1) + usize::from(tag & 0x40 != 0) * 2];
                let alike = (0..parts).map(|_| self.read(true, bytes)).collect();
                let count = number(bytes);
                Tree::Sum(tag, alike, count, take(bytes, 16).try_into().unwrap())
            }
            0x44 => Tree::Whole,
            other => panic!("mark {other:02x}"),
        }
    }

    fn read_fields(&mut self, tag: u8, is_alike: bool, bytes: &mut &[u8]) -> Tree {
        let (place, is_first) = match tag {
            0x3c => (usize::from(take(bytes, 1)[0]), false),
            _ => {
                let names: Vec<_> =
                    (0..if tag == 0x34 { 1 } else { 2 }).flat_map(|_| text(&read_text(bytes))).collect();
                self.0.push(([vec![tag], names].concat(), Vec::new()));
                (self.0.len() - 1, true)
            }
        };
        let mut fields: Vec<(String, Tree)> = Vec::new();
        while bytes[0] != 0 {
            let name = match take(bytes, 1)[0] {
                0x35 => read_text(bytes),
                _ => self.0[place].1[fields.len()].clone(),
            };
            if is_first {
                self.0[place].1.push(name.clone());
            }
            fields.push((name, self.read(is_alike, bytes)));
        }
        take(bytes, 1);
        let head = self.0[place].0.clone();
        let mut rest = &head[1..];
        match head[0] {
            0x34 => Tree::Struct(read_text(&mut rest), fields),
            _ => Tree::Variant(read_text(&mut rest), read_text(&mut rest), fields),
        }
    }

    fn read_row(&mut self, alike: &Tree, bytes: &mut &[u8]) -> Tree {
        match alike {
            Tree::Scalar(tag, _) => Tree::Scalar(*tag, take(bytes, length_of(*tag).unwrap()).to_vec()),
            Tree::Text(_) => Tree::Text(read_text(bytes)),
            Tree::Tuple(parts) => Tree::Tuple(parts.iter().map(|part| self.read_row(part, bytes)).collect()),
            Tree::Struct(name, fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), self.read_row(value, bytes)));
                Tree::Struct(name.clone(), fields.collect())
            }
            Tree::Whole => {
                let value = self.read(false, bytes);
                assert_eq!(take(bytes, 1), [0]);
                value
            }
            other => panic!("{other:?} is alike in nothing"),
        }
    }
}

fn length_of(tag: u8) -> Option<usize> {
    [(0x02, 1), (0x10, 1), (0x19, 2), (0x13, 8), (0x14, 16), (0x22, 8)]
        .into_iter()
        .find_map(|(known, length)| (known == tag).then_some(length))
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    taken
}

fn number(bytes: &mut &[u8]) -> u64 {
    u64::from_le_bytes(take(bytes, 8).try_into().unwrap())
}

fn read_text(bytes: &mut &[u8]) -> String {
    let len = number(bytes) as usize;
    String::from_utf8(take(bytes, len).to_vec()).unwrap()
}
