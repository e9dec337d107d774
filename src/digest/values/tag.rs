//! The marks of the tagged stream.

/// What comes next in the stream. The numbers are part of the format.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Tag {
    End = 0,
    Unit = 1,
    Bool = 2,
    Char = 3,
    Str = 4,
    Bytes = 5,
    None = 6,
    Some = 7,
    Leaf = 8,
    Digest = 9,
    Failed = 10,
    Discriminant = 11,
    U8 = 16,
    U16 = 17,
    U32 = 18,
    U64 = 19,
    U128 = 20,
    Usize = 21,
    I8 = 24,
    I16 = 25,
    I32 = 26,
    I64 = 27,
    I128 = 28,
    Isize = 29,
    #[cfg(feature = "half")]
    F16 = 32,
    F32 = 33,
    F64 = 34,
    Seq = 48,
    Tuple = 49,
    Set = 50,
    Map = 51,
    Struct = 52,
    Field = 53,
    Variant = 54,
    SerdeVariant = 55,
    Newtype = 56,
    Array = 57,
    Text = 58,
    Stream = 59,
    /// A struct or variant that was written before, by its number.
    Again = 60,
    /// The field whose name comes next in what was written before.
    NextField = 61,
    /// The elements of a deque, as an array.
    Deque = 62,
    /// A sequence of arrays of one length, as an array.
    Rows = 63,
    /// The type of a value behind a `dyn`.
    Concrete = 64,
    /// Items of one type: what is alike in all of them comes once, before them.
    Table = 65,
    TableSet = 66,
    TableMap = 67,
    /// In the part that all items share: stands for a part that each row holds as a whole, with its marks.
    Whole = 68,
    /// An argument, in the stream of several at once, which isn't part of the format.
    Argument = 255,
}
