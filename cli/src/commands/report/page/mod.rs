//! A report as one HTML file.
//!
//! It loads nothing and sends nothing: its own policy forbids both. Style and script are the files beside this one.

mod columns;
mod sections;

use crate::commands::report::model::Model;
use crate::commands::report::page::columns::columns;
use crate::commands::report::svg::escaped;
use crate::text::moment;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The SHA-256 of style and script, by which alone the page's policy lets a browser take them.
const STYLE_HASH: &str = "VfmIWbdI7tJtv9v3ll+PXvITMguWb83CMpTneb7qu9Y=";
const SCRIPT_HASH: &str = "8QUJ5AwONEEMf5eGAxX9XA/8q4qrpMY3gs3gcfoWUAg=";

/// The whole page. Two of one cache differ in the line of the time alone.
pub(crate) fn html(model: &Model) -> String {
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{STYLE_HASH}'; script-src 'sha256-{SCRIPT_HASH}'; \
         base-uri 'none'; form-action 'none'"
    );
    let folder = model
        .folder
        .as_deref()
        .map_or_else(String::new, |folder| format!("<p class=\"folder\"><bdi>{}</bdi></p>", escaped(folder)));
    let sections: String = sections::SECTIONS.iter().map(|section| section.html(model)).collect();
    let links: String =
        sections::SECTIONS.iter().filter(|it| it.is_there(model)).map(|section| section.link()).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Report of a cache</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the content</a>\n\
         <header>\n<h1>Report of a cache</h1>\n{folder}\n\
         <p class=\"made\">made {}</p>\n\
         <nav aria-label=\"Parts of the report\"><ul>{links}</ul></nav>\n</header>\n<main id=\"main\">\n\
         {}{sections}</main>\n<footer><p>{}</p></footer>\n\
         <script type=\"application/octet-stream\" id=\"data\">{}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        moment(model.made),
        sections::numbers(model),
        foot(model),
        columns(model),
    )
}

fn foot(model: &Model) -> &'static str {
    match model.texts {
        true => {
            "Texts of arguments and results, folder and hosts are shown, since <code>--texts</code> was given: look before you pass this file on."
        }
        false => {
            "Texts of arguments and results, folder and hosts aren't shown; <code>--texts</code> shows them. Names of functions and of arguments are."
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// The SHA-256 of a text as a policy has it, by OpenSSL-free means: `sha256sum`.
    fn hash(text: &str) -> Option<String> {
        let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        child.stdin.take()?.write_all(text.as_bytes()).ok()?;
        let output = String::from_utf8(child.wait_with_output().ok()?.stdout).ok()?;
        let digits = output.split(' ').next()?;
        let bytes = (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hex digits"));
        Some(crate::commands::report::png::base64(&bytes.collect::<Vec<_>>()))
    }

    #[test]
    fn the_policy_names_style_and_script_and_these_are_small() {
        assert!(SCRIPT.len() <= 20_000, "{}", SCRIPT.len());
        let (Some(style), Some(script)) = (hash(STYLE), hash(SCRIPT)) else {
            assert!(std::env::var_os("CI").is_none(), "sha256sum is needed and missing");
            println!("skipped: sha256sum is missing");
            return;
        };
        assert_eq!((STYLE_HASH, SCRIPT_HASH), (&*style, &*script), "the hashes of page.css and page.js");
    }

    #[test]
    fn style_and_script_end_where_they_end() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</"));
        // Nothing in them asks for anything.
        assert!(
            !["http:", "https:", "url(", "@import", "fetch(", "XMLHttpRequest", "import("]
                .iter()
                .any(|word| STYLE.contains(word) || SCRIPT.contains(word))
        );
    }
}
