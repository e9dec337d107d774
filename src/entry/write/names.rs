//! Array files that say what they are: `features(n=3,k=0.5)-<key>.<nonce>.npy` (docs/format.md, "Layout").

use crate::record::{Argument, CODEC_MAX};

/// The longest name of a readable array file, in bytes.
const NAME_MAX: usize = 200;

/// What follows the stem: `-`, the key, and the longest of what comes after it, `.<nonce>.<codec>`.
const REST: usize = 1 + 32 + 1 + 16 + 1 + CODEC_MAX;

/// Where arguments are left out.
const CUT: &str = "...";

/// What the array files of a call begin with; nothing unless they are to be readable.
pub(crate) fn stem_of(readable: bool, function: &str, arguments: &[Argument]) -> String {
    if readable { format!("{}-", stem(function, arguments)) } else { String::new() }
}

/// `features(n=3,k=0.5)`: the last component of the function's path, and its arguments.
fn stem(function: &str, arguments: &[Argument]) -> String {
    let room = NAME_MAX - REST;
    let mut stem = String::new();
    // Half of the room at most, so that some is left for arguments.
    push(&mut stem, last_component(function), room / 2);
    stem.push('(');
    // A name without its value says nothing.
    for (n, argument) in arguments.iter().filter(|argument| !argument.text().is_empty()).enumerate() {
        let before = stem.len();
        let comma = if n > 0 { "," } else { "" };
        let room = room - CUT.len() - 1;
        let whole = push(&mut stem, comma, room)
            && push(&mut stem, &argument.name, room)
            && push(&mut stem, "=", room)
            && push(&mut stem, argument.text(), room);
        if !whole {
            if !stem[before..].contains('=') {
                stem.truncate(before);
            }
            stem.push_str(CUT);
            break;
        }
    }
    stem.push(')');
    stem
}

/// `total` of `package/binary/module::Table<a::B>::total`.
pub(crate) fn last_component(path: &str) -> &str {
    let mut depth = 0;
    for (at, byte) in path.bytes().enumerate().rev() {
        match byte {
            b'>' => depth += 1,
            b'<' => depth -= 1,
            b':' | b'/' if depth == 0 => return &path[at + 1..],
            _ => {}
        }
    }
    path
}

/// Adds a text, escaped, as long as the stem has at most `room` bytes; says whether all of it went in.
///
/// ASCII letters, digits and `_-+.,=()[]{}~@` stay; a space becomes `_`, a double quote is left out, and any other byte
/// of the text's UTF-8 becomes `%` and two hexadecimal digits; so does a dot at the very beginning.
fn push(stem: &mut String, text: &str, room: usize) -> bool {
    for char in text.chars() {
        let before = stem.len();
        match char {
            '"' => {}
            ' ' => stem.push('_'),
            '.' if stem.is_empty() => stem.push_str("%2E"),
            plain if plain.is_ascii_alphanumeric() || "_-+.,=()[]{}~@".contains(plain) => stem.push(plain),
            other => {
                let mut bytes = [0; 4];
                other.encode_utf8(&mut bytes).bytes().for_each(|byte| stem.push_str(&format!("%{byte:02X}")));
            }
        }
        if stem.len() > room {
            // An escaped character isn't cut in the middle.
            stem.truncate(before);
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;
    use crate::folder::survey::FileRole;
    use crate::record::CODEC_NAMES;

    fn argument(name: &str, text: &str) -> Argument {
        Argument::new(name, Digest::of(b""), text)
    }

    fn named(function: &str, arguments: &[(&str, &str)]) -> String {
        stem(function, &arguments.iter().map(|(name, text)| argument(name, text)).collect::<Vec<_>>())
    }

    #[test]
    fn a_stem_is_the_function_and_its_arguments() {
        assert_eq!(named("pkg/bin/steps::features", &[("n", "3"), ("k", "0.5")]), "features(n=3,k=0.5)");
        assert_eq!(named("pkg/now", &[]), "now()");
        assert_eq!(named("pkg/m::Table<a::B, c::D>::total", &[("x", "f64[1797, 64] C")]), "total(x=f64[1797,_64]_C)");
        assert_eq!(named("pkg/window", &[("kind", "\"hann\""), ("at", "\"/a b\"")]), "window(kind=hann,at=%2Fa_b)");
        assert_eq!(named("größe", &[("µ", "\0\n…")]), "gr%C3%B6%C3%9Fe(%C2%B5=%00%0A%E2%80%A6)");
        assert_eq!(named("..", &[]), "%2E.()");
        assert_eq!(named("", &[]), "()");
    }

    #[test]
    fn a_long_stem_is_cut_between_characters_and_says_so() {
        let long = named(&"f".repeat(300), &[("x", &"é".repeat(120)), ("y", "1")]);
        assert!((NAME_MAX - REST - 6..=NAME_MAX - REST).contains(&long.len()), "{} bytes", long.len());
        assert!(long.ends_with("%C3%A9...)"), "{long}");
        let many: Vec<_> = (0..60).map(|n| format!("argument_{n}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
        let cut = named("f", &many);
        assert!(cut.starts_with("f(argument_0=1,argument_1=1,") && cut.ends_with("...)"), "{cut}");
    }

    proptest! {
        #[test]
        fn any_arguments_make_a_name_that_is_short_safe_and_found_again(
            function in ".*",
            arguments in prop::collection::vec((".{0,40}", ".{0,120}"), 0..6),
            nonce in "[0-9a-f]{16}",
            codec in prop::sample::select(CODEC_NAMES),
        ) {
            let arguments: Vec<_> = arguments.iter().map(|(name, text)| argument(name, text)).collect();
            let key = Digest::of(function.as_bytes()).to_string();
            let name = format!("{}-{key}.{nonce}.{codec}", stem(&function, &arguments));
            prop_assert!(name.len() <= NAME_MAX, "{} bytes", name.len());
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'), "{name}");
            prop_assert!(!name.starts_with('.'));
            let part = FileRole::of(&name, &key[..2]);
            prop_assert!(matches!(part, FileRole::Data(found) if found.to_string() == key), "{name}: {part:?}");
        }
    }
}
