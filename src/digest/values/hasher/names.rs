//! The names of structs and variants in a stream: each is written once, with the names of its fields.
//!
//! A sequence of a million structs would else be a million copies of a few names. A reader of the stream who keeps the
//! same table knows what each mark stands for, so nothing is ambiguous: see "Names" in docs/format.md.

use std::borrow::Cow;

use crate::digest::values::tag::Tag;
use crate::digest::values::type_name::{ambiguity, strip_lifetimes};

/// The most structs and variants that get a number; those that come after them are written in full each time.
const NUMBERED: usize = 256;

/// A name as the caller has it.
#[derive(Clone, Copy)]
pub(crate) enum Name<'a> {
    /// The name of a type, as `type_name` prints it, behind the mark of the package that defines it; lifetimes don't
    /// count.
    Type {
        package: &'static str,
        printed: &'static str,
    },
    Static(&'static str),
    Borrowed(&'a str),
}

impl<'a> Name<'a> {
    /// The name that counts.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Type { package, printed } => of_package(package, printed),
            Self::Static(name) => Cow::Borrowed(name),
            Self::Borrowed(name) => Cow::Borrowed(name),
        }
    }

    #[inline]
    fn place(self) -> StrAddress {
        match self {
            Self::Type { printed: name, .. } | Self::Static(name) => StrAddress::of(name),
            Self::Borrowed(_) => StrAddress::NOWHERE,
        }
    }

    /// Where the package's mark lies, without which a place says nothing: types of two packages may share the text of
    /// their names.
    #[inline]
    fn package(self) -> StrAddress {
        match self {
            Self::Type { package, .. } => StrAddress::of(package),
            Self::Static(_) | Self::Borrowed(_) => StrAddress::NOWHERE,
        }
    }

    /// Why several types may have this name, if they may.
    pub(crate) fn ambiguity(self) -> Option<&'static str> {
        match self {
            Self::Type { printed, .. } => ambiguity(printed),
            Self::Static(_) | Self::Borrowed(_) => None,
        }
    }
}

/// The address of a text that stays where it is. Two texts with one address and length are the same, and comparing
/// addresses reads neither.
#[derive(Clone, Copy, PartialEq, Eq)]
struct StrAddress {
    at: usize,
    len: usize,
}

impl StrAddress {
    /// The address of a borrowed or an empty text.
    const NOWHERE: Self = Self { at: 0, len: 0 };

    #[inline]
    fn of(text: &'static str) -> Self {
        if text.is_empty() { Self::NOWHERE } else { Self { at: text.as_ptr().addr(), len: text.len() } }
    }

    #[inline]
    fn is_somewhere(self) -> bool {
        self.len > 0
    }
}

/// The name of a type behind the mark of its package, if it has one.
fn of_package(package: &'static str, printed: &'static str) -> Cow<'static, str> {
    let name = strip_lifetimes(printed);
    if package.is_empty() { name } else { format!("{package} {name}").into() }
}

/// The name of a field, in the table.
struct Field {
    place: StrAddress,
    /// The bytes that are written where the name is written in full.
    bytes: Box<[u8]>,
}

impl Field {
    fn of(name: Name<'_>) -> Self {
        let mut bytes = vec![Tag::Field as u8];
        push_text(&mut bytes, &name.text());
        Self { place: name.place(), bytes: bytes.into() }
    }

    #[inline]
    fn is(&self, name: Name<'_>) -> bool {
        let place = name.place();
        place.is_somewhere() && place == self.place || self.has_text(name)
    }

    #[inline(never)]
    fn has_text(&self, name: Name<'_>) -> bool {
        self.bytes[TEXT..] == *name.text().as_bytes()
    }
}

/// Where the text begins: behind a mark and a length.
const TEXT: usize = 9;

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// What a struct or a variant begins with.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) kind: HeadKind<'a>,
}

/// What has a name, and fields.
#[derive(Clone, Copy)]
pub(crate) enum HeadKind<'a> {
    Struct,
    Variant(Name<'a>),
    /// A variant as serde describes it: its name, its index, and how it holds its values.
    SerdeVariant(Name<'a>, u32, u8),
}

/// All that distinguishes a head from others, unless a text in it has no lasting address.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    /// No address if one of the texts has none; then the mark says nothing.
    name: StrAddress,
    package: StrAddress,
    variant: StrAddress,
    serde: Option<(u32, u8)>,
}

impl Head<'_> {
    #[inline]
    fn mark(self) -> Mark {
        let (variant, serde) = self.kind.parts();
        let mut name = self.name.place();
        let variant = variant.map_or(StrAddress::NOWHERE, |variant| {
            let place = variant.place();
            if !place.is_somewhere() {
                name = StrAddress::NOWHERE;
            }
            place
        });
        Mark { name, package: self.name.package(), variant, serde }
    }
}

/// A head that was written.
struct WrittenHead {
    mark: Mark,
    /// The bytes that are written where the name is written in full.
    bytes: Box<[u8]>,
    fields: Vec<Field>,
    /// How many of the fields have come in this stream.
    named: usize,
    /// Where the places of the fields are, one after the other.
    places: (usize, usize),
    /// The place of the head that followed this one the last time.
    next: usize,
    /// Why several types may have this name, if they may.
    ambiguous: Option<&'static str>,
}

impl WrittenHead {
    fn of(head: Head<'_>) -> Self {
        Self {
            mark: head.mark(),
            bytes: head.bytes().into(),
            fields: Vec::new(),
            named: 0,
            places: (0, 0),
            next: 0,
            ambiguous: head.name.ambiguity(),
        }
    }

    /// Whether it is this head, as far as addresses tell.
    #[inline]
    fn is_at(&self, mark: Mark) -> bool {
        mark.name.is_somewhere() && mark == self.mark
    }

    #[inline]
    fn is(&self, head: Head<'_>) -> bool {
        let mark = head.mark();
        self.is_at(mark) || !mark.name.is_somewhere() && *self.bytes == *head.bytes()
    }

    /// Notes a field of the first occurrence.
    #[inline]
    fn add(&mut self, place: usize, name: Name<'_>) {
        if self.fields.get(place).is_none_or(|guess| !guess.is(name)) {
            self.fields.truncate(place);
            self.fields.push(Field::of(name));
        }
        self.named = place + 1;
    }
}

impl Head<'_> {
    /// The head as it is written in full.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let tag = match self.kind {
            HeadKind::Struct => Tag::Struct,
            HeadKind::Variant(_) => Tag::Variant,
            HeadKind::SerdeVariant(..) => Tag::SerdeVariant,
        };
        let mut bytes = vec![tag as u8];
        push_text(&mut bytes, &self.name.text());
        let (variant, serde) = self.kind.parts();
        bytes.extend(serde.into_iter().flat_map(|(index, _)| index.to_le_bytes()));
        if let Some(variant) = variant {
            push_text(&mut bytes, &variant.text());
        }
        bytes.extend(serde.map(|(_, kind)| kind));
        bytes
    }
}

impl<'a> HeadKind<'a> {
    #[inline]
    fn parts(self) -> (Option<Name<'a>>, Option<(u32, u8)>) {
        match self {
            Self::Struct => (None, None),
            Self::Variant(variant) => (Some(variant), None),
            Self::SerdeVariant(variant, index, kind) => (Some(variant), Some((index, kind))),
        }
    }
}

/// A struct or variant that has begun and not ended.
#[derive(Clone, Copy)]
struct OpenHead {
    /// Its place in the table; `usize::MAX` for what has none.
    head: usize,
    /// Where the places of its fields are, and that of the next one.
    first: usize,
    next: usize,
    end: usize,
    /// Its names are being written for the first time.
    is_first: bool,
}

impl OpenHead {
    const NAMELESS: Self = Self { head: usize::MAX, first: 0, next: 0, end: 0, is_first: false };
}

/// The table of a stream, and what is open in it.
///
/// A table may have been that of another stream, as the entries of a map have one each: what it held then is kept as a
/// guess, which takes no memory anew where it is right.
pub(crate) struct NameTable {
    written: Vec<WrittenHead>,
    /// How many have come in this stream; those after them are a guess.
    seen: usize,
    /// The addresses of the names of fields that were written before: comparing them is enough where fields come in the
    /// expected order.
    places: Vec<StrAddress>,
    /// What is open now, and what that is inside of.
    now: OpenHead,
    around: Vec<OpenHead>,
    /// The place of the head that came last, and of the one that is expected to come next.
    last: usize,
    expected: usize,
}

impl NameTable {
    pub(crate) fn new() -> Self {
        Self {
            written: Vec::new(),
            seen: 0,
            places: Vec::new(),
            now: OpenHead::NAMELESS,
            around: Vec::new(),
            last: 0,
            expected: 0,
        }
    }

    /// Begins anew, as for a stream that begins.
    pub(crate) fn clear(&mut self) {
        (self.seen, self.last, self.expected) = (0, 0, 0);
        self.places.clear();
        self.around.clear();
        self.now = OpenHead::NAMELESS;
    }

    /// Begins something with a head; its number if that was written before.
    #[inline]
    pub(crate) fn begin(&mut self, head: Head<'_>) -> Option<u8> {
        self.around.push(self.now);
        // Most sequences repeat themselves: what came after the last head is looked at first.
        let expected = self.expected;
        let (place, is_first) = match self.written.get(expected) {
            Some(written) if expected <= self.seen && written.is(head) => (expected, expected == self.seen),
            _ => self.search(head),
        };
        if let Some(last) = self.written.get_mut(self.last) {
            last.next = place;
        }
        self.last = place;
        self.now = OpenHead { head: place, is_first, ..OpenHead::NAMELESS };
        let written = self.written.get_mut(place)?;
        self.expected = written.next;
        if is_first {
            (written.named, written.places) = (0, (0, 0));
            self.seen = place + 1;
            return None;
        }
        if written.places.1 - written.places.0 != written.named {
            let first = self.places.len();
            self.places.extend(written.fields[..written.named].iter().map(|field| field.place));
            written.places = (first, self.places.len());
        }
        (self.now.first, self.now.end) = written.places;
        self.now.next = self.now.first;
        u8::try_from(place).ok()
    }

    /// The place of a head, and whether it is new; none when the table is full.
    #[inline(never)]
    fn search(&mut self, head: Head<'_>) -> (usize, bool) {
        let mark = head.mark();
        let (seen, guesses) = self.written.split_at(self.seen);
        let by_place = seen.iter().position(|written| written.is_at(mark));
        let by_bytes = || {
            let bytes = head.bytes();
            seen.iter().position(|written| *written.bytes == *bytes)
        };
        if let Some(place) = by_place.or_else(by_bytes) {
            return (place, false);
        }
        if self.seen == NUMBERED {
            return (usize::MAX, true);
        }
        let guess = guesses.iter().position(|guess| guess.is(head)).map(|guess| self.seen + guess);
        let place = guess.unwrap_or_else(|| self.add(head));
        self.written.swap(self.seen, place);
        (self.seen, true)
    }

    /// Adds a head behind all others, for a guess if there is no room.
    fn add(&mut self, head: Head<'_>) -> usize {
        self.written.truncate(NUMBERED - 1);
        self.written.push(WrittenHead { next: self.seen + 1, ..WrittenHead::of(head) });
        self.written.len() - 1
    }

    /// What has just begun, as it is written in full, and why several types may have its name, if they may; `None` if it
    /// isn't in the table.
    #[inline]
    pub(crate) fn head(&self) -> Option<(&[u8], Option<&'static str>)> {
        self.written.get(self.now.head).map(|written| (&*written.bytes, written.ambiguous))
    }

    /// Begins something that has no head.
    #[inline]
    pub(crate) fn begin_nameless(&mut self) {
        self.around.push(self.now);
        self.now = OpenHead::NAMELESS;
    }

    /// Names the next field of what is open, if a reader expects this name, as far as that is seen by where it lies.
    #[inline]
    pub(crate) fn is_next(&mut self, name: &'static str) -> bool {
        let next = self.now.next;
        let is_next = next < self.now.end && self.places.get(next) == Some(&StrAddress::of(name)) && !name.is_empty();
        self.now.next += usize::from(is_next);
        is_next
    }

    /// Names the next field of the struct or variant that is open: returns what has to be written for it, or `None` if
    /// what is open isn't in the table.
    #[inline]
    pub(crate) fn field(&mut self, name: Name<'_>) -> Option<&[u8]> {
        let head = self.written.get_mut(self.now.head)?;
        let place = self.now.next - self.now.first;
        self.now.next += 1;
        if self.now.is_first {
            head.add(place, name);
            return Some(&head.fields[place].bytes);
        }
        let is_expected = place < head.named && head.fields.get(place).is_some_and(|field| field.is(name));
        is_expected.then_some(&[Tag::NextField as u8])
    }

    #[inline]
    pub(crate) fn end(&mut self) {
        self.now = self.around.pop().unwrap_or(OpenHead::NAMELESS);
    }
}
