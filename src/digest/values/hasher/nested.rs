//! Parts that have parts: what they begin with, how deep they may be nested, and where they end.

use crate::digest::values::hasher::ContentHasher;
use crate::digest::values::hasher::names::{Head, HeadKind, Name, NameTable};
use crate::digest::values::tag::Tag;
use crate::error::Error;

/// How many structs, variants, tuples, sequences and maps may be nested in each other. A value that is nested deeper,
/// such as a long list of boxed nodes, would exhaust the stack, which no program survives.
pub(crate) const DEPTH: u32 = 128;

/// How many boxes, `Some`s and newtypes may: they hold one value, and make nothing deeper. A type of nothing else can be
/// recursive, too.
const HOPS: u32 = 4 * DEPTH;

/// Parts that have parts. Each ends with [`end`](ContentHasher::end).
impl ContentHasher {
    /// Begins a struct of that name; its fields follow, each after its [`field`](Self::field).
    pub fn begin_struct(&mut self, name: &str) {
        self.begin(Head { name: Name::Borrowed(name), kind: HeadKind::Struct });
    }

    /// Begins a variant of an enum; its fields follow as those of a struct do.
    pub fn begin_variant(&mut self, name: &str, variant: &str) {
        self.begin(Head { name: Name::Borrowed(name), kind: HeadKind::Variant(Name::Borrowed(variant)) });
    }

    /// Begins a struct whose name is a static text, which is found again by its address.
    #[inline]
    pub(crate) fn begin_struct_named(&mut self, name: &'static str) {
        self.begin(Head { name: Name::Static(name), kind: HeadKind::Struct });
    }

    /// Begins a variant whose names are static texts.
    #[inline]
    pub(crate) fn begin_variant_named(&mut self, name: &'static str, variant: &'static str) {
        self.begin(Head { name: Name::Static(name), kind: HeadKind::Variant(Name::Static(variant)) });
    }

    /// Names the field whose value is fed next; fields of tuples are called `0`, `1`, and so on.
    pub fn field(&mut self, name: &str) {
        self.named(Name::Borrowed(name));
    }

    /// Names the field whose value is fed next, by a name that stays; the derive calls it. `false` if nothing has to be
    /// fed any more, which ends the recursion through a value that is nested too deep.
    #[doc(hidden)]
    #[inline]
    pub fn begin_field(&mut self, name: &'static str) -> bool {
        if self.is_over() {
            return false;
        }
        // The name goes in registers: in memory it would be written by halves and read as a whole, for which a processor
        // waits until both are in the cache.
        match self.names.as_mut().is_some_and(|names| names.is_next(name)) {
            true => self.write([Tag::NextField as u8]),
            false => self.named(Name::Static(name)),
        }
        true
    }

    /// Begins a tuple; its values follow.
    pub fn begin_tuple(&mut self) {
        self.deeper();
        self.tag(Tag::Tuple);
    }

    /// Begins a sequence of `len` elements, which follow.
    pub fn begin_seq(&mut self, len: usize) {
        self.deeper();
        self.tagged(Tag::Seq, &(len as u64).to_le_bytes());
    }

    /// Begins a sequence whose length is only known at its end; each element has to feed something.
    pub(crate) fn begin_stream(&mut self) {
        self.deeper();
        self.tag(Tag::Stream);
    }

    /// Begins an array of what isn't an array's element.
    pub(crate) fn begin_array(&mut self) {
        self.deeper();
        self.tag(Tag::Array);
    }

    /// Ends what was begun last and hasn't ended.
    #[inline]
    pub fn end(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if let Some(names) = &mut self.names {
            names.end();
        }
        self.write([Tag::End as u8]);
    }

    /// Feeds each of some parts, until the stream is over.
    #[inline]
    pub(crate) fn each<T>(&mut self, parts: impl IntoIterator<Item = T>, mut feed: impl FnMut(T, &mut Self)) {
        let depth = self.depth;
        for part in parts {
            if self.is_over() {
                return;
            }
            feed(part, self);
            // An implementation by hand may have caught a panic between a `begin` and its `end`.
            self.depth = depth;
        }
    }

    /// Feeds what is inside of something that holds one value.
    #[inline]
    pub(crate) fn inside(&mut self, feed: impl FnOnce(&mut Self)) {
        if self.hop() {
            feed(Hop(self).0);
        }
    }

    /// Whether something that holds one value may be looked into.
    #[inline]
    fn hop(&mut self) -> bool {
        if self.hops >= HOPS {
            self.too_deep();
        }
        let goes_on = !self.is_over();
        self.hops += u32::from(goes_on);
        goes_on
    }

    /// Goes a level deeper without a mark, as rows do. Whether anything has to be fed there.
    #[doc(hidden)]
    #[inline]
    pub fn begin_row(&mut self) -> bool {
        self.step_down();
        !self.is_over()
    }

    #[doc(hidden)]
    #[inline]
    pub fn end_row(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Whether nothing that is still fed can make a difference: the stream has failed, or a shallow one left something out.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.failure.is_some() || self.shallow && self.cut
    }

    #[inline]
    fn named(&mut self, name: Name<'_>) {
        let Some(mut names) = self.names.take() else { return self.tagged_str(Tag::Field, &name.text()) };
        match names.field(name) {
            Some(bytes) => self.raw(bytes),
            None => self.tagged_str(Tag::Field, &name.text()),
        }
        self.names = Some(names);
    }

    #[inline]
    pub(crate) fn begin(&mut self, head: Head<'_>) {
        if self.shallow {
            self.step_down();
            return self.head(head);
        }
        let number = self.names.get_or_insert_with(|| Box::new(NameTable::new())).begin(head);
        self.step_down();
        match number {
            Some(number) => self.write([Tag::Again as u8, number]),
            None => self.in_full(head),
        }
    }

    /// Writes the head that has just begun in full.
    #[inline(never)]
    fn in_full(&mut self, head: Head<'_>) {
        let names = self.names.take();
        match names.as_ref().and_then(|names| names.head()) {
            Some((bytes, ambiguous)) => {
                self.expect_one_of_its_name(head, ambiguous);
                self.raw(bytes);
            }
            None => self.head(head),
        }
        self.names = names;
    }

    /// Writes a head that isn't in the table.
    #[inline(never)]
    fn head(&mut self, head: Head<'_>) {
        self.expect_one_of_its_name(head, head.name.ambiguity());
        let name = head.name.text();
        match head.kind {
            HeadKind::Struct => self.tagged_str(Tag::Struct, &name),
            HeadKind::Variant(variant) => {
                self.tagged_str(Tag::Variant, &name);
                self.length_and(variant.text().as_bytes());
            }
            HeadKind::SerdeVariant(variant, index, kind) => {
                self.tagged_str(Tag::SerdeVariant, &name);
                self.raw(&index.to_le_bytes());
                self.length_and(variant.text().as_bytes());
                self.raw(&[kind]);
            }
        }
    }

    #[inline]
    fn expect_one_of_its_name(&mut self, head: Head<'_>, ambiguous: Option<&'static str>) {
        if let (Some(why), Name::Type { printed, .. }) = (ambiguous, head.name) {
            self.fail(Error::unsupported(format!("type `{printed}` stands {why}")));
        }
    }

    /// Begins something without a name.
    #[inline]
    fn deeper(&mut self) {
        if let Some(names) = &mut self.names {
            names.begin_nameless();
        }
        self.step_down();
    }

    #[inline]
    fn step_down(&mut self) {
        self.depth += 1;
        if self.depth > DEPTH {
            self.too_deep();
        }
    }

    #[cold]
    pub(crate) fn too_deep(&mut self) {
        if self.failure.is_none() {
            let message = format!("value is nested deeper than {DEPTH} levels: a list of nodes counts as a `Vec`");
            self.fail(Error::unsupported(message));
        }
    }
}

/// Being inside of something that holds one value, until it is left or a panic passes.
struct Hop<'a>(&'a mut ContentHasher);

impl Drop for Hop<'_> {
    fn drop(&mut self) {
        self.0.hops = self.0.hops.saturating_sub(1);
    }
}
