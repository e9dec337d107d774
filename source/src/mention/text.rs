//! Names in the text of literals.

/// The names that a format string takes from its surroundings: `{name}`, `{name:?}`, `{:width$}`, `{:.precision$}`.
pub(super) fn formatted(literal: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = literal;
    while let Some(at) = rest.find('{') {
        rest = &rest[at + 1..];
        if let Some(escaped) = rest.strip_prefix('{') {
            rest = escaped;
            continue;
        }
        let Some(end) = rest.find('}') else { break };
        let argument = &rest[..end];
        names.extend(leading_name(argument));
        names.extend(argument.match_indices('$').filter_map(|(at, _)| trailing_name(&argument[..at])));
    }
    names
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn begins_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn leading_name(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let end = text.find(|character| !is_word(character)).unwrap_or(text.len());
    begins_name(&text[..end]).then_some(&text[..end])
}

fn trailing_name(text: &str) -> Option<&str> {
    let start = text.rfind(|character| !is_word(character)).map_or(0, |at| at + 1);
    let name = text.get(start..)?;
    begins_name(name).then_some(name)
}

/// Every path in a text: names, joined by `::`.
pub(super) fn paths(text: &str) -> Vec<Vec<&str>> {
    let mut paths = Vec::new();
    for words in text.split(|character| !is_word(character) && character != ':') {
        let path: Vec<&str> = words.split(':').filter(|word| !word.is_empty()).collect();
        if !path.is_empty() && path.iter().all(|word| begins_name(word)) {
            paths.push(path);
        }
    }
    paths
}
