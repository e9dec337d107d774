//! The names of structs and variants in a stream: each is written once, with the names of its fields.
//!
//! A sequence of a million structs would else be a million copies of a few names. A reader of the stream who keeps the
//! same table knows what each mark stands for, so nothing is ambiguous: see "Names" in docs/format.md.

use std::borrow::Cow;

use crate::digest::values::type_name::strip_lifetimes;

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

    /// Where it lies, if it stays there.
    #[inline]
    fn place(self) -> &'static str {
        match self {
            Self::Type { printed: name, .. } | Self::Static(name) => name,
            Self::Lent(_) => "",
        }
    }

    /// The package, without which a place says nothing: types of two packages may share the text of their names.
    #[inline]
    fn package(self) -> &'static str {
        match self {
            Self::Type { package, .. } => package,
            Self::Static(_) | Self::Lent(_) => "",
        }
    }

    fn kept(self) -> Kept {
        let text = match self {
            Self::Type { package, printed } => of_package(package, printed),
            Self::Static(name) => Cow::Borrowed(name),
            Self::Lent(name) => Cow::Owned(name.to_owned()),
        };
        Kept { package: self.package(), place: self.place(), text }
    }
}

/// The name of a type behind the mark of its package, if it has one.
fn of_package(package: &'static str, printed: &'static str) -> Cow<'static, str> {
    let name = strip_lifetimes(printed);
    if package.is_empty() { name } else { format!("{package} {name}").into() }
}

/// A name in the table.
struct Kept {
    package: &'static str,
    place: &'static str,
    text: Cow<'static, str>,
}

impl Kept {
    /// Whether it is this name, as far as that is seen without reading it.
    #[inline]
    fn is_at(&self, name: Name<'_>) -> bool {
        let place = name.place();
        // What is lent, and what is empty, lies nowhere.
        self.place.len() == place.len()
            && std::ptr::eq(self.place.as_ptr(), place.as_ptr())
            && !place.is_empty()
            && self.package == name.package()
    }

    fn is(&self, name: Name<'_>) -> bool {
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

/// A head that was written.
struct Written {
    name: Kept,
    variant: Option<Kept>,
    serde: Option<(u32, u8)>,
    fields: Vec<Kept>,
    /// The place of the one that came after it when it last came.
    next: usize,
}

impl Written {
    fn of(head: Head<'_>) -> Self {
        let (variant, serde) = head.kind.parts();
        let (name, variant) = (head.name.kept(), variant.map(Name::kept));
        Self { name, variant, serde, fields: Vec::new(), next: 0 }
    }

    #[inline]
    fn is(&self, head: Head<'_>, name: fn(&Kept, Name<'_>) -> bool) -> bool {
        let (variant, serde) = head.kind.parts();
        let variants = match (&self.variant, variant) {
            (Some(kept), Some(variant)) => name(kept, variant),
            (None, None) => true,
            _ => false,
        };
        name(&self.name, head.name) && variants && self.serde == serde
    }
}

impl<'a> Kind<'a> {
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
#[derive(Default)]
pub(crate) struct Names {
    written: Vec<Written>,
    open: Vec<Open>,
    /// The place of the head that came last.
    last: usize,
}

impl Names {
    /// A table for a stream in which so much is open already.
    pub(crate) fn within(open: usize) -> Self {
        Self { open: vec![Open::NAMELESS; open], ..Self::default() }
    }

    /// Forgets all, as for a stream that begins.
    pub(crate) fn clear(&mut self, open: usize) {
        self.written.clear();
        self.open.clear();
        self.open.resize(open, Open::NAMELESS);
        self.last = 0;
    }

    /// Begins something with a head; its number if that was written before.
    #[inline]
    pub(crate) fn begin(&mut self, head: Head<'_>) -> Option<u8> {
        let found = self.find(head);
        let (place, is_first) = match found {
            Some(place) => (place, false),
            None => (self.add(head), true),
        };
        if let Some(last) = self.written.get_mut(self.last) {
            last.next = place;
        }
        self.last = place;
        self.open.push(Open { head: place, fields: 0, is_first });
        found.and_then(|place| u8::try_from(place).ok())
    }

    /// Most sequences repeat themselves: what came after the last head is looked at first.
    #[inline]
    fn find(&self, head: Head<'_>) -> Option<usize> {
        let expected = self.written.get(self.last).map_or(0, |last| last.next);
        match self.written.get(expected) {
            Some(written) if written.is(head, Kept::is_at) => Some(expected),
            _ => self.search(head),
        }
    }

    #[inline(never)]
    fn search(&self, head: Head<'_>) -> Option<usize> {
        let by_place = self.written.iter().position(|written| written.is(head, Kept::is_at));
        by_place.or_else(|| self.written.iter().position(|written| written.is(head, Kept::is)))
    }

    /// The place of a new head; none when the table is full.
    #[inline(never)]
    fn add(&mut self, head: Head<'_>) -> usize {
        if self.written.len() == NUMBERED {
            return usize::MAX;
        }
        self.written.push(Written::of(head));
        self.written.len() - 1
    }

    /// Begins something that has no head.
    #[inline]
    pub(crate) fn begin_nameless(&mut self) {
        self.open.push(Open::NAMELESS);
    }

    /// Names the next field of what is open; `true` if a reader expects this name.
    #[inline]
    pub(crate) fn field(&mut self, name: Name<'_>) -> bool {
        let Some(open) = self.open.last_mut() else { return false };
        let Some(head) = self.written.get_mut(open.head) else { return false };
        let place = open.fields;
        open.fields += 1;
        if open.is_first {
            head.fields.push(name.kept());
            return false;
        }
        head.fields.get(place).is_some_and(|field| field.is_at(name) || field.is(name))
    }

    #[inline]
    pub(crate) fn end(&mut self) {
        self.open.pop();
    }
}
