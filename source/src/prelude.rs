//! Names that every module sees without declaring them.

/// Types, traits and variants of the standard prelude, and the primitive types: methods of these are this crate's only
/// by this crate's traits.
const NAMES: [&str; 71] = [
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Hash",
    "Into",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Send",
    "Sized",
    "Some",
    "String",
    "Sync",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
    "bool",
    "char",
    "drop",
    "f16",
    "f32",
    "f64",
    "f128",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "str",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "AsyncFn",
    "AsyncFnMut",
    "AsyncFnOnce",
    "Future",
    "IntoFuture",
    "size_of",
    "size_of_val",
    "align_of",
    "align_of_val",
    "test",
    "derive",
];

/// Types without anything inside them: no method of theirs can lead to a type of this crate.
const PLAIN: [&str; 20] = [
    "String", "bool", "char", "f16", "f32", "f64", "f128", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8",
    "u16", "u32", "u64", "u128", "usize",
];

/// Macros of the standard library, and attributes and derives of the compiler: nothing of theirs is unseen.
const MACROS: [&str; 43] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "cfg",
    "cfg_select",
    "column",
    "compile_error",
    "concat",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "env",
    "eprint",
    "eprintln",
    "file",
    "format",
    "format_args",
    "include",
    "include_bytes",
    "include_str",
    "line",
    "matches",
    "module_path",
    "option_env",
    "panic",
    "print",
    "println",
    "stringify",
    "thread_local",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
    "addr_of",
    "addr_of_mut",
    "ready",
    "is_x86_feature_detected",
    "cache",
    "code",
    "const_format_args",
];

pub(crate) fn is_prelude(name: &str) -> bool {
    NAMES.contains(&name)
}

pub(crate) fn is_plain(name: &str) -> bool {
    PLAIN.contains(&name)
}

/// Derives of the standard library.
const DERIVES: [&str; 9] = ["Clone", "Copy", "Debug", "Default", "Eq", "Hash", "Ord", "PartialEq", "PartialOrd"];

pub(crate) fn is_standard_derive(name: &str) -> bool {
    DERIVES.contains(&name)
}

pub(crate) fn is_standard_macro(name: &str) -> bool {
    MACROS.contains(&name) || is_standard_derive(name)
}

/// Crates that come with the compiler: a new compiler is a new build.
pub(crate) fn is_standard_crate(name: &str) -> bool {
    matches!(name, "std" | "core" | "alloc" | "proc_macro" | "test")
}
