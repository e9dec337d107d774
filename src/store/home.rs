//! Folders in the user's home, which a shell and joblib write with a `~`.

use std::borrow::Cow;
use std::env;
use std::path::{Component, Path};

use crate::error::{Error, Result};

/// The folder, with the user's home for a `~` that it begins with. `what` it is, for messages.
///
/// The home of another user, `~bob`, isn't looked up: no folder of that name is made in its place.
pub(crate) fn expanded<'a>(folder: &'a Path, what: &str) -> Result<Cow<'a, Path>> {
    let shown = || folder.display().to_string().escape_debug().to_string();
    if let Ok(rest) = folder.strip_prefix("~") {
        let home = env::home_dir().filter(|home| home.is_absolute()).ok_or_else(|| {
            let remedy = "set `HOME`, or write `./~` for a folder of that name";
            Error::invalid(format!("{what} `{}` is in the home folder, which isn't known: {remedy}", shown()))
        })?;
        return Ok(home.join(rest).into());
    }
    match folder.components().next() {
        Some(Component::Normal(first)) if first.as_encoded_bytes().starts_with(b"~") => Err(Error::invalid(format!(
            "{what} `{}` begins with a user's home, which isn't looked up: write its path, or `./{}` for a folder of that \
             name",
            shown(),
            shown()
        ))),
        _ => Ok(folder.into()),
    }
}
