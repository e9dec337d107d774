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
const STYLE_HASH: &str = "KnpZwPRHox+w44mb2T3Edav4Y2iBY+KqOSVY44x1t1o=";
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
        sections::SECTIONS.iter().filter(|it| it.is_there(model)).map(|section| section.link(model)).collect();
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
    use std::time::{Duration, SystemTime};

    use ndcache::stats::Activity;

    use super::*;
    use crate::commands::report::model::{Day, Edge, FunctionReport, LineageGraph, Row, StoredTotals};

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

    /// A cache of many functions, days and entries.
    fn wide(functions: usize, entries: usize, days: i64) -> Model {
        let name = |at: usize| format!("pipeline::step_{at}");
        let began = jiff::civil::date(2024, 1, 1);
        let time = |at: usize| SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 9_000 * at as u64);
        let activity = |at: usize| {
            let mut activity = Activity::default();
            (activity.misses, activity.spent) = (1 + at as u64, Duration::from_secs(at as u64));
            activity.reasons = (0..12).map(|reason| (format!("reason {reason}"), 1 + at as u64)).collect();
            activity
        };
        let function = |at: usize| FunctionReport {
            name: name(at),
            stored: StoredTotals { entries: 1, bytes: 1 << (at % 40), duration: Duration::from_secs(1) },
            activity: Some(activity(at)),
            why: Some("code".to_owned()),
            ..FunctionReport::default()
        };
        let day = |day: i64| {
            let saved = (0..functions).map(|at| (name(at), Duration::from_secs(60 + at as u64))).collect();
            let date = began.saturating_add(jiff::Span::new().days(day));
            (date, Day { saved, spent: Duration::from_secs(3600), ..Day::default() })
        };
        let row = |at: usize| Row {
            key: format!("{:032x}", at * 7919).parse().expect("a key"),
            function: at % functions,
            arguments: format!("n={at}"),
            result: "f64[3]".to_owned(),
            bytes: (at as u64 * 7919) % (1 << 30),
            duration: Duration::from_millis(at as u64),
            created: time(at),
            used: time(at),
        };
        let edge = |at: usize| Edge { from: at, to: (at * 3 + 1) % 200, links: 1, bytes: 1 << (at % 30) };
        Model {
            made: SystemTime::UNIX_EPOCH,
            folder: None,
            hosts: None,
            texts: false,
            begin: Some(SystemTime::UNIX_EPOCH),
            unread: 0,
            stored: StoredTotals { entries: entries as u64, bytes: 1 << 40, duration: Duration::from_secs(1) },
            unreadable: 0,
            activity: Some(activity(1)),
            unused: StoredTotals::default(),
            days: (0..days).map(day).collect(),
            functions: (0..functions).map(function).collect(),
            entries: (0..entries).map(row).collect(),
            left_out: 0,
            lineage: LineageGraph { nodes: (0..200).collect(), edges: (0..200).map(edge).collect(), left_out: 0 },
            pictures: None,
        }
    }

    #[test]
    fn drawings_have_at_most_two_thousand_elements_and_pages_at_most_two_mebibytes() {
        let page = html(&wide(600, 20_000, 900));
        let body = page.split("<main").nth(1).expect("the parts");
        let drawings = body.split("<svg").skip(1).map(|rest| rest.split("</svg>").next().unwrap_or_default());
        let elements: usize = drawings.map(|it| 1 + it.matches('<').count() - it.matches("</").count()).sum();
        // Sixty pictures have at most four each.
        assert!(elements > 500 && elements + 240 <= 2000, "{elements}");
        assert!(page.len() <= 2 << 20, "{}", page.len());
    }

    #[test]
    fn the_drawing_by_day_is_titled_by_what_it_shows() {
        let mut model = wide(2, 2, 2);
        let counted = html(&model);
        model.activity = None;
        let uncounted = html(&model);
        for (page, title, other) in [
            (counted, "Time saved by day", "Entries made by day"),
            (uncounted, "Entries made by day", "Time saved by day"),
        ] {
            // In the list of parts, and above the drawing.
            assert!(page.matches(&format!(">{title}<")).count() == 2 && !page.contains(other), "{title}");
        }
    }
}
