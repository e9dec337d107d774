//! The names of structs and variants in a stream: each is written once, with the names of its fields.
//!
//! A sequence of a million structs would else be a million copies of a few names. A reader of the stream who keeps the
//! same table knows what each mark stands for, so nothing is ambiguous: see "Names" in docs/format.md.

use std::borrow::Cow;

use crate::digest::values::type_name::{ambiguity, strip_lifetimes};

/// So many structs and variants have a number; what comes after them is written in full each time.
const NUMBERED: usize = 256;

/// A name as the caller has it.
#[derive(Clone, Copy)]
pub(crate) enum Name<'a> {
    /// Of a type, as `type_name` prints it, behind the mark of the package that defines it; lifetimes don't count.
    Type {
        package: &'static str,
        printed: &'static str,
    },
    Static(&'static str),
    Lent(&'a str),
}

impl<'a> Name<'a> {
    /// The name that counts.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Type { package, printed } => of_package(package, printed),
            Self::Static(name) => Cow::Borrowed(name),
            Self::Lent(name) => Cow::Borrowed(name),
        }
    }

    #[inline]
    fn place(self) -> Place {
        match self {
            Self::Type { printed: name, .. } | Self::Static(name) => Place::of(name),
            Self::Lent(_) => Place::NOWHERE,
        }
    }

    /// Where the package's mark lies, without which a place says nothing: types of two packages may share the text of
    /// their names.
    #[inline]
    fn package(self) -> Place {
        match self {
            Self::Type { package, .. } => Place::of(package),
            Self::Static(_) | Self::Lent(_) => Place::NOWHERE,
        }
    }

    /// Why several types may have this name, if they may.
    pub(crate) fn ambiguity(self) -> Option<&'static str> {
        match self {
            Self::Type { printed, .. } => ambiguity(printed),
            Self::Static(_) | Self::Lent(_) => None,
        }
    }

    fn kept(self) -> Kept {
        let text = match self {
            Self::Type { package, printed } => of_package(package, printed),
            Self::Static(name) => Cow::Borrowed(name),
            Self::Lent(name) => Cow::Owned(name.to_owned()),
        };
        Kept { place: self.place(), text }
    }
}

/// Where a text lies that stays there. Two texts of one place are the same, and a comparison of places reads neither.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    at: usize,
    len: usize,
}

impl Place {
    /// Of what is lent, and what is empty.
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

/// A name in the table.
struct Kept {
    place: Place,
    text: Cow<'static, str>,
}

impl Kept {
    #[inline]
    fn lies_at(&self, name: &'static str) -> bool {
        !name.is_empty() && self.place.at == name.as_ptr().addr() && self.place.len == name.len()
    }

    #[inline]
    fn is(&self, name: Name<'_>) -> bool {
        let place = name.place();
        place.is_somewhere() && place == self.place || self.has_text(name)
    }

    #[inline(never)]
    fn has_text(&self, name: Name<'_>) -> bool {
        self.text == name.text()
    }
}

/// What a struct or a variant begins with.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) kind: Kind<'a>,
}

/// What has a name, and fields.
#[derive(Clone, Copy)]
pub(crate) enum Kind<'a> {
    Struct,
    Variant(Name<'a>),
    /// As serde calls it: its name, its index, and how it holds its values.
    SerdeVariant(Name<'a>, u32, u8),
}

/// All that tells a head from others, but for texts that lie nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    /// Nowhere if any text is, in which case the mark tells nothing.
    name: Place,
    package: Place,
    variant: Place,
    serde: Option<(u32, u8)>,
}

impl Head<'_> {
    #[inline]
    fn mark(self) -> Mark {
        let (variant, serde) = self.kind.parts();
        let mut name = self.name.place();
        let variant = variant.map_or(Place::NOWHERE, |variant| {
            let place = variant.place();
            if !place.is_somewhere() {
                name = Place::NOWHERE;
            }
            place
        });
        Mark { name, package: self.name.package(), variant, serde }
    }
}

/// A head that was written.
struct Written {
    mark: Mark,
    name: Kept,
    variant: Option<Kept>,
    fields: Vec<Kept>,
    /// So many of the fields have come in this stream.
    named: usize,
    /// The place of the one that came after it when it last came.
    next: usize,
    /// Why several types may have this name, if they may.
    ambiguous: Option<&'static str>,
}

impl Written {
    fn of(head: Head<'_>) -> Self {
        let (variant, _) = head.kind.parts();
        let (name, variant) = (head.name.kept(), variant.map(Name::kept));
        let ambiguous = head.name.ambiguity();
        Self { mark: head.mark(), name, variant, fields: Vec::new(), named: 0, next: 0, ambiguous }
    }

    /// Whether it is this head, as far as that is seen without reading it.
    #[inline]
    fn is_at(&self, mark: Mark) -> bool {
        mark.name.is_somewhere() && mark == self.mark
    }

    #[inline]
    fn is(&self, head: Head<'_>) -> bool {
        let mark = head.mark();
        self.is_at(mark) || !mark.name.is_somewhere() && self.has_texts(head)
    }

    #[inline(never)]
    fn has_texts(&self, head: Head<'_>) -> bool {
        let (variant, serde) = head.kind.parts();
        let variants = match (&self.variant, variant) {
            (Some(kept), Some(variant)) => kept.is(variant),
            (None, None) => true,
            _ => false,
        };
        variants && self.mark.serde == serde && self.name.has_text(head.name)
    }
}

impl<'a> Kind<'a> {
    pub(crate) fn variant(self) -> Option<Name<'a>> {
        self.parts().0
    }

    #[inline]
    fn parts(self) -> (Option<Name<'a>>, Option<(u32, u8)>) {
        match self {
            Self::Struct => (None, None),
            Self::Variant(variant) => (Some(variant), None),
            Self::SerdeVariant(variant, index, kind) => (Some(variant), Some((index, kind))),
        }
    }
}

/// Something that has begun and not ended.
#[derive(Clone, Copy)]
struct Open {
    /// Its place in the table; `usize::MAX` for what has none.
    head: usize,
    /// How many of its fields have been named.
    fields: usize,
    /// Its names are being written for the first time.
    is_first: bool,
}

impl Open {
    const NAMELESS: Self = Self { head: usize::MAX, fields: 0, is_first: false };
}

/// The table of a stream, and what is open in it.
///
/// A table may have been that of another stream, as the entries of a map have one each: what it held then is kept as a
/// guess, which takes no memory anew where it is right.
#[derive(Default)]
pub(crate) struct Names {
    written: Vec<Written>,
    /// So many have come in this stream; those after them are a guess.
    seen: usize,
    open: Vec<Open>,
    /// The place of the head that came last, and of the one that is expected to come next.
    last: usize,
    expected: usize,
}

/// What has to be written of a head in full.
pub(crate) struct InFull<'a> {
    pub(crate) name: &'a str,
    pub(crate) variant: &'a str,
    pub(crate) ambiguous: Option<&'static str>,
}

impl Names {
    /// A table for a stream in which so much is open already.
    pub(crate) fn within(open: usize) -> Self {
        Self { open: vec![Open::NAMELESS; open], ..Self::default() }
    }

    /// Begins anew, as for a stream that begins.
    pub(crate) fn clear(&mut self, open: usize) {
        (self.seen, self.last, self.expected) = (0, 0, 0);
        self.open.clear();
        self.open.resize(open, Open::NAMELESS);
    }

    /// Begins something with a head; its number if that was written before.
    #[inline]
    pub(crate) fn begin(&mut self, head: Head<'_>) -> Option<u8> {
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
        if let Some(written) = self.written.get_mut(place) {
            self.expected = written.next;
            if is_first {
                written.named = 0;
                self.seen = place + 1;
            }
        }
        self.open.push(Open { head: place, fields: 0, is_first });
        if is_first { None } else { u8::try_from(place).ok() }
    }

    /// The place of a head, and whether it is new; none when the table is full.
    #[inline(never)]
    fn search(&mut self, head: Head<'_>) -> (usize, bool) {
        let mark = head.mark();
        let (seen, guesses) = self.written.split_at(self.seen);
        let by_place = seen.iter().position(|written| written.is_at(mark));
        if let Some(place) = by_place.or_else(|| seen.iter().position(|written| written.has_texts(head))) {
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
        self.written.push(Written { next: self.seen + 1, ..Written::of(head) });
        self.written.len() - 1
    }

    /// The texts of what has just begun; `None` if they aren't in the table.
    pub(crate) fn in_full(&self) -> Option<InFull<'_>> {
        let written = self.written.get(self.open.last()?.head)?;
        let variant = written.variant.as_ref().map_or("", |variant| &variant.text);
        Some(InFull { name: &written.name.text, variant, ambiguous: written.ambiguous })
    }

    /// Begins something that has no head.
    #[inline]
    pub(crate) fn begin_nameless(&mut self) {
        self.open.push(Open::NAMELESS);
    }

    /// Names the next field of what is open, if a reader expects this name, as far as that is seen by where it lies.
    #[inline]
    pub(crate) fn is_next(&mut self, name: &'static str) -> bool {
        let Some(open) = self.open.last_mut() else { return false };
        let Some(head) = self.written.get(open.head) else { return false };
        let Some(field) = head.fields.get(open.fields) else { return false };
        let is_next = open.fields < head.named && !open.is_first && field.lies_at(name);
        open.fields += usize::from(is_next);
        is_next
    }

    /// Names the next field of what is open; `true` if a reader expects this name.
    #[inline]
    pub(crate) fn field(&mut self, name: Name<'_>) -> bool {
        let Some(open) = self.open.last_mut() else { return false };
        let Some(head) = self.written.get_mut(open.head) else { return false };
        let place = open.fields;
        open.fields += 1;
        if open.is_first {
            head.add(place, name);
            return false;
        }
        place < head.named && head.fields.get(place).is_some_and(|field| field.is(name))
    }

    #[inline]
    pub(crate) fn end(&mut self) {
        self.open.pop();
    }
}

impl Written {
    /// Notes a field of the first occurrence.
    fn add(&mut self, place: usize, name: Name<'_>) {
        if self.fields.get(place).is_none_or(|guess| !guess.is(name)) {
            self.fields.truncate(place);
            self.fields.push(name.kept());
        }
        self.named = place + 1;
    }
}
