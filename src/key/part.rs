//! What a code digest was made of, so that a miss can say which part of the code changed.

use serde::Serialize;

use crate::digest::{Digest, escaped};

/// The function itself, or one piece of code that it depends on, as the code digest counts it (docs/format.md, "Parts").
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    /// The name that `depends(…)` gives it; empty for the function itself.
    pub(crate) name: String,
    /// `code = "…"`; records call it `counts`.
    #[serde(rename = "counts")]
    pub(crate) scope: String,
    /// The version of the package, where it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    /// `version = …`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
    /// The digest of the tokens, or of the build's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Digest>,
    /// Names and values of what the compiler decides about the tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) facts: Vec<(String, String)>,
}

impl Part {
    /// What counts of a helper: what the sources say of it.
    pub(crate) const FOUND: &str = "found";

    fn is_found(&self) -> bool {
        self.scope == Self::FOUND
    }

    /// The name without its modules.
    fn last_name(&self) -> &str {
        self.name.rsplit("::").next().unwrap_or(&self.name)
    }

    /// Whether it is a helper that `depends(…)` names as well, which is shown as that.
    fn is_shown(&self, named: &[Part]) -> bool {
        let last = self.last_name();
        self.is_found() && named.iter().any(|part| !part.is_found() && part.last_name() == last)
    }
}

/// What has changed from one code to another one, each in words; empty where that isn't known.
pub(crate) fn changes(before: &[Part], now: &[Part]) -> Vec<String> {
    // What was before comes from a record.
    in_words(before, now).iter().map(|change| escaped(change).into_owned()).collect()
}

/// What has changed from one code to another whose items are the same.
const IMPORTS: &str = "imports changed: a name in the code or in a helper leads elsewhere";

fn in_words(before: &[Part], now: &[Part]) -> Vec<String> {
    if before.is_empty() || now.is_empty() {
        return Vec::new();
    }
    if let (Some(old), Some(new)) = (before.first(), now.first())
        && old.scope != new.scope
    {
        // Then other helpers count as well, and their differences say nothing.
        return vec![format!("what counts as code: {} → {}", old.scope, new.scope)];
    }
    let is_shown = |part: &&Part| !part.is_shown(before) && !part.is_shown(now);
    let mut left: Vec<&Part> = before.iter().filter(is_shown).collect();
    let mut now: Vec<&Part> = now.iter().filter(is_shown).collect();
    // A helper that was moved is the one that has its digest, or else its name.
    let mut pairs = Vec::new();
    for is_same in [same_name, same_body, same_last_name] {
        now.retain(|part| match left.iter().position(|old| is_same(old, part)) {
            // If several helpers have one name, the first is compared with the first.
            Some(at) => {
                pairs.push((left.remove(at), *part));
                false
            }
            None => true,
        });
    }
    let mut changes = Vec::new();
    for (before, now) in pairs {
        now.changes_since(before, &mut changes);
    }
    let place = |part: &Part| if part.is_found() { "the helpers" } else { "depends" };
    changes.extend(now.iter().map(|part| format!("`{}` is new in {}", part.name, place(part))));
    changes.extend(left.iter().map(|part| format!("`{}` is no longer in {}", part.name, place(part))));
    // Beside the items themselves it counts what the names in them lead to.
    if changes.is_empty() && before[0].scope == "auto" {
        changes.push(IMPORTS.to_owned());
    }
    changes
}

fn same_name(before: &Part, now: &Part) -> bool {
    before.is_found() == now.is_found() && before.name == now.name
}

fn same_body(before: &Part, now: &Part) -> bool {
    before.is_found() && now.is_found() && before.body == now.body
}

fn same_last_name(before: &Part, now: &Part) -> bool {
    before.is_found() && now.is_found() && before.last_name() == now.last_name()
}

impl Part {
    fn changes_since(&self, before: &Part, changes: &mut Vec<String>) {
        let of = match self.name.as_str() {
            "" => String::new(),
            name if self.is_found() => format!(" of `{name}`"),
            name => format!(" of `{name}` (depends)"),
        };
        if self.scope != before.scope {
            return changes.push(format!("what counts as code{of}: {} → {}", before.scope, self.scope));
        }
        if self.body != before.body {
            let what = if self.scope == "build" { "build" } else { "code" };
            changes.push(format!("{what}{of} changed"));
        }
        if self.version != before.version {
            let number = |version: Option<u64>| version.map_or_else(|| "none".to_owned(), |number| number.to_string());
            changes.push(format!("`version`{of} {} → {}", number(before.version), number(self.version)));
        }
        self.facts_since(before, &of, changes);
        if let (Some(old), Some(new)) = (&before.package, &self.package)
            && old != new
        {
            let versions = format!("{old} → {new}");
            // Helpers of the function's own package would say the same again.
            if self.name.is_empty() || !changes.contains(&format!("package version {versions}")) {
                changes.push(format!("package version{of} {versions}"));
            }
        }
    }

    fn facts_since(&self, before: &Part, of: &str, changes: &mut Vec<String>) {
        for (name, value) in &self.facts {
            let old = before.facts.iter().find(|(old, _)| old == name).map(|(_, value)| value);
            let Some(old) = old.filter(|old| *old != value) else { continue };
            // Only the digests of environment variables and included files are known.
            let readable = name.starts_with("cfg(") || name == "module_path";
            changes.push(match readable {
                true => format!("`{name}`{of} {old} → {value}"),
                false => format!("`{name}`{of} changed"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str) -> Part {
        Part {
            name: name.to_owned(),
            scope: "package".to_owned(),
            package: Some("0.1.0".to_owned()),
            version: None,
            body: Some(Digest::of(name.as_bytes())),
            facts: vec![("cfg(unix)".to_owned(), "true".to_owned()), ("env(KEY)".to_owned(), "aa".to_owned())],
        }
    }

    fn edited(name: &str) -> Part {
        Part { body: Some(Digest::of(b"edited")), ..part(name) }
    }

    #[test]
    fn equal_code_has_no_changes() {
        let code = [part(""), part("window")];
        assert!(changes(&code, &code).is_empty());
    }

    #[test]
    fn where_all_items_are_the_same_it_is_the_imports() {
        let auto = |name| Part { scope: "auto".to_owned(), package: None, ..part(name) };
        let found = |name| Part { scope: Part::FOUND.to_owned(), ..auto(name) };
        let code = [auto(""), found("window")];
        assert_eq!(changes(&code, &code), [IMPORTS]);
        assert_eq!(changes(&code, &[auto(""), Part { body: None, ..found("window") }]), ["code of `window` changed"]);
    }

    #[test]
    fn a_changed_helper_is_named() {
        assert_eq!(
            changes(&[part(""), part("window"), part("fir")], &[part(""), edited("window"), part("fir")]),
            ["code of `window` (depends) changed"]
        );
        assert_eq!(changes(&[part("")], &[edited("")]), ["code changed"]);
    }

    #[test]
    fn helpers_that_come_and_go_are_named() {
        assert_eq!(
            changes(&[part(""), part("fir"), part("window")], &[part(""), part("window"), part("taps")]),
            ["`taps` is new in depends", "`fir` is no longer in depends"]
        );
    }

    #[test]
    fn of_two_helpers_of_one_name_one_may_go() {
        assert_eq!(
            changes(&[part(""), part("fir"), part("fir")], &[part(""), part("fir")]),
            ["`fir` is no longer in depends"]
        );
    }

    #[test]
    fn versions_are_told_once() {
        let newer = |name| Part { package: Some("0.2.0".to_owned()), ..part(name) };
        assert_eq!(
            changes(&[part(""), part("window")], &[newer(""), newer("window")]),
            ["package version 0.1.0 → 0.2.0"]
        );
        assert_eq!(
            changes(&[part(""), part("window")], &[part(""), newer("window")]),
            ["package version of `window` (depends) 0.1.0 → 0.2.0"]
        );
        let second = |version| Part { version, ..part("") };
        assert_eq!(changes(&[second(None)], &[second(Some(2))]), ["`version` none → 2"]);
    }

    #[test]
    fn conditions_are_told_and_secrets_are_not() {
        let mut now = part("window");
        now.facts = vec![("cfg(unix)".to_owned(), "false".to_owned()), ("env(KEY)".to_owned(), "bb".to_owned())];
        assert_eq!(
            changes(&[part(""), part("window")], &[part(""), now]),
            ["`cfg(unix)` of `window` (depends) true → false", "`env(KEY)` of `window` (depends) changed"]
        );
    }

    #[test]
    fn of_what_counts_differently_no_more_is_said() {
        let by_body = |name| Part { scope: "body".to_owned(), package: None, ..edited(name) };
        assert_eq!(
            changes(&[part(""), part("fir")], &[by_body(""), by_body("fir")]),
            ["what counts as code: package → body"]
        );
        assert_eq!(
            changes(&[part(""), part("fir")], &[part(""), by_body("fir")]),
            ["what counts as code of `fir` (depends): package → body"]
        );
    }

    #[test]
    fn a_record_without_parts_tells_nothing() {
        assert!(changes(&[], &[part("")]).is_empty());
    }
}
