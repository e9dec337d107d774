//! Names of functions: those that are paths, how a path is shown, and the folder that it leads to.

use std::borrow::Cow;

use super::text_digest;

/// Whether a `type_name` is that of a function or constructor: what has no path of its own is printed as a type.
///
/// A trait's function is printed as `<u32 as Scale>::scale`, and no type begins so.
pub(super) fn is_plain_path(name: &str) -> bool {
    let head = name.split('<').next().unwrap_or(name);
    !name.is_empty() && head.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '#')
}

/// A function's path for a reader, without the word of its crate twice, as messages and the command have it.
///
/// Two paths may look alike so: a list of several functions shows those in full. Costs no more than a copy of the path.
///
/// ```
/// use ndcache::inspect::shown_path;
///
/// assert_eq!(shown_path("app/app::load::table"), "app::load::table");
/// assert_eq!(shown_path("app/app/app::load::table"), "app::load::table"); // of a binary
/// assert_eq!(shown_path("app/tool/tool::load::table"), "app/tool::load::table");
/// assert_eq!(shown_path("a name of one's own"), "a name of one's own");
/// ```
#[must_use]
pub fn shown_path(path: &str) -> Cow<'_, str> {
    let Some((before, item)) = path.rsplit_once('/') else { return path.into() };
    let Some((krate, _)) = item.split_once("::") else { return path.into() };
    let mut words: Vec<&str> = before.split('/').filter(|word| word.replace('-', "_") != krate).collect();
    words.push(item);
    words.join("/").into()
}

/// `f/<stem>-<16 hex of the path>`: a reader finds the function, and no two paths share a folder.
pub(crate) fn folder(path: &str) -> String {
    let digest = text_digest(path).to_string();
    format!("f/{}-{}", stem(path), &digest[..16])
}

/// A path in lower-case ASCII letters, digits and single hyphens, at most 80 of them, the last ones kept.
fn stem(path: &str) -> String {
    let item = path.rsplit('/').next().unwrap_or(path);
    let mut stem = String::new();
    for c in item.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            stem.push(c.to_ascii_lowercase());
        } else if !stem.ends_with('-') && !stem.is_empty() {
            stem.push('-');
        }
    }
    let stem = stem.trim_end_matches('-');
    let stem = stem[stem.len().saturating_sub(80)..].trim_start_matches('-');
    if stem.is_empty() { "function".to_owned() } else { stem.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::any::type_name;

    use super::*;

    #[test]
    fn a_stem_is_short_lower_case_ascii() {
        assert_eq!(stem("pkg/bin/digits::Model<f64>::fit"), "digits-model-f64-fit");
        assert_eq!(stem("größe"), "gr-e");
        assert_eq!(stem("日本"), "function");
        assert!(stem(&"x::".repeat(100)).len() <= 80);
    }

    #[test]
    fn a_path_is_shown_without_the_same_word_twice() {
        for (path, expected) in [
            ("app/app/app::pipeline::kmeans", "app::pipeline::kmeans"),
            ("app/app::kmeans", "app::kmeans"),
            ("my-app/my_app::kmeans", "my_app::kmeans"),
            ("app/tool/tool::load::table", "app/tool::load::table"),
            ("app/<app::Unit as app::Twice>::scaled", "app/<app::Unit as app::Twice>::scaled"),
            ("squares, first edition", "squares, first edition"),
            ("a/b", "a/b"),
        ] {
            assert_eq!(shown_path(path), expected);
        }
    }

    #[test]
    fn functions_are_told_from_types_by_their_names() {
        use std::any::type_name_of_val;
        for function in
            [type_name_of_val(&f64::max), type_name_of_val(&str::len), type_name_of_val(&<u64 as From<u8>>::from)]
        {
            assert!(is_plain_path(function), "{function}");
        }
        for other in [
            type_name::<fn(u8) -> u8>(),
            type_name::<for<'a> fn(&'a u8) -> &'a u8>(),
            type_name::<&fn()>(),
            type_name::<dyn Fn()>(),
            type_name::<(u8,)>(),
            type_name::<[fn(); 2]>(),
            type_name::<*const fn()>(),
            "",
        ] {
            assert!(!is_plain_path(other), "{other}");
        }
    }

    #[test]
    fn paths_that_share_a_stem_have_folders_of_their_own() {
        assert_ne!(folder("a::b"), folder("a-b"));
    }
}
