//! The parts of a page.

use crate::commands::report::charts::{self, Chart};
use crate::commands::report::gather::EXPLAINED;
use crate::commands::report::model::{FunctionReport, Model, UNUSED_DAYS};
use crate::commands::report::page::columns::DIGITS;
use crate::commands::report::survey::ROWS;
use crate::commands::report::svg::escaped;
use crate::text::{count, day, duration, entries, nanoseconds, several, short, size};

/// How many rows of the table are there without a script, and on paper.
const STATIC: usize = 50;

/// A part of a page, which has a place of its own.
pub(crate) struct Section {
    id: &'static str,
    title: &'static str,
    body: fn(&Model) -> Option<String>,
}

const SAVED: &str = "Time saved by day";

pub(crate) const SECTIONS: &[Section] = &[
    Section { id: "days", title: SAVED, body: days },
    Section { id: "misses", title: "Misses and why", body: misses },
    Section { id: "entries", title: "Entries", body: table },
    Section { id: "space", title: "Space", body: space },
    Section { id: "lineage", title: "Lineage", body: lineage },
    Section { id: "pictures", title: "Pictures", body: pictures },
];

impl Section {
    pub(crate) fn html(&self, model: &Model) -> String {
        let (id, title) = (self.id, self.title(model));
        (self.body)(model).map_or_else(String::new, |body| {
            format!("<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{body}\n</section>\n")
        })
    }

    fn title(&self, model: &Model) -> &'static str {
        if self.id == "days" { days_title(model) } else { self.title }
    }

    /// Whether the report has it.
    pub(crate) fn is_there(&self, model: &Model) -> bool {
        self.id != "pictures" || model.pictures.is_some()
    }

    pub(crate) fn link(&self, model: &Model) -> String {
        format!("<li><a href=\"#{}\">{}</a></li>", self.id, self.title(model))
    }
}

/// The five numbers.
pub(crate) fn numbers(model: &Model) -> String {
    let card = |name: &str, id: &str, value: String, number: Option<u64>, note: String| {
        let number = number.map_or_else(String::new, |number| format!(" value=\"{number}\""));
        format!(
            "<div><dt>{name}</dt><dd class=\"value\"><data id=\"{id}\"{number}>{value}</data></dd><dd>{note}</dd></div>\n"
        )
    };
    // What was never counted is not 0.
    let none = || ("–".to_owned(), "nothing was counted".to_owned());
    let activity = model.activity.as_ref();
    let (saved, spent) =
        activity.map_or_else(none, |it| (duration(it.saved), format!("and spent {}", duration(it.spent))));
    let (hits, misses) = activity.map_or_else(none, |it| {
        let repeats = format!("{} computed, {} repeats", count(it.misses), count(it.repeats));
        (count(it.hits), repeats)
    });
    let stored = model.stored;
    let functions = model.functions.iter().filter(|function| function.stored.entries > 0).count();
    let plural = if functions == 1 { "function" } else { "functions" };
    let unread = match model.unreadable {
        0 => String::new(),
        unreadable => format!("; {} can't be read", count(unreadable)),
    };
    let stored_note = format!("{} of {} {plural}{unread}", entries(stored.entries), count(functions as u64));
    let unused_note = match model.unused.entries {
        0 => "no entry".to_owned(),
        unused => format!("{}; {} to compute again", entries(unused), duration(model.unused.duration)),
    };
    let since = model.begin.map_or_else(|| "–".to_owned(), day);
    let since_note = match &model.hosts {
        Some(hosts) if !hosts.is_empty() => format!("on <bdi>{}</bdi>", escaped(&hosts.join(", "))),
        _ => "by all programs that use this cache".to_owned(),
    };
    let cards = [
        card("Saved", "saved", saved, activity.map(|it| nanoseconds(it.saved)), spent),
        card("First hits", "hits", hits, activity.map(|it| it.hits), misses),
        card("Stored", "bytes", size(stored.bytes), Some(stored.bytes), stored_note),
        card(
            &format!("Unused for {UNUSED_DAYS} days"),
            "unused",
            size(model.unused.bytes),
            Some(model.unused.bytes),
            unused_note,
        ),
        card("Counted since", "begin", since, None, since_note),
    ];
    format!("<section aria-label=\"In five numbers\"><dl class=\"cards\">\n{}</dl></section>\n", cards.concat())
}

fn scrolled(label: &str, inside: &str) -> String {
    format!("<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"{label}\">{inside}</div>")
}

fn chart(label: &str, chart: Option<Chart>, none: &str) -> String {
    match chart {
        Some(Chart { svg, legend }) => format!("{}{legend}", scrolled(label, &svg)),
        None => format!("<p>{none}</p>"),
    }
}

fn days_title(model: &Model) -> &'static str {
    if model.activity.is_some() { SAVED } else { "Entries made by day" }
}

fn days(model: &Model) -> Option<String> {
    let why = match model.activity {
        Some(_) => {
            "A hit is the first one of its key in a run of a program: it saved the computation. Repeats save nothing more."
        }
        None => {
            "Nothing was counted in this cache, or the counts were reset, so that this shows when entries were made. Programs count unless they are told not to, and where the folder may be written to."
        }
    };
    let drawn = chart(days_title(model), charts::days(model), "There is nothing to draw.");
    let unread = match model.unread {
        0 => String::new(),
        1 => "<p>1 line of the log can't be read, and isn't counted.</p>".to_owned(),
        unread => format!("<p>{} lines of the log can't be read, and aren't counted.</p>", count(unread)),
    };
    Some(format!("<p>{why}</p>{drawn}{unread}"))
}

fn misses(model: &Model) -> Option<String> {
    let none = "No miss was counted.";
    let reasons = chart("Misses by function and reason", charts::reasons(model), none);
    let mut most: Vec<&FunctionReport> = model.functions.iter().filter(|it| !it.spent().is_zero()).collect();
    most.sort_by(|a, b| (b.spent(), &a.name).cmp(&(a.spent(), &b.name)));
    let row = |function: &&FunctionReport| {
        let misses = function.activity.as_ref().map_or_else(|| "–".to_owned(), |activity| count(activity.misses));
        cells([
            name(&function.name),
            misses,
            duration(function.spent()),
            duration(function.stored.duration),
            escaped(function.why.as_deref().unwrap_or("–")).into_owned(),
        ])
    };
    let rows: String = most.iter().take(EXPLAINED).map(row).collect();
    let head = ["Function", "Computed", "Spent", "What is stored took", "Why the newest entry was computed"];
    let title = format!("The {EXPLAINED} functions that compute most");
    Some(format!(
        "{reasons}<h3>{title}</h3>{}{}{}",
        plain_table(&title, &head, &rows),
        never_hit(model),
        versions(model)
    ))
}

/// The most functions that a list beside the tables has.
const LISTED: usize = 20;

fn never_hit(model: &Model) -> String {
    let never: Vec<_> = model.functions.iter().filter(|function| function.never_hit()).collect();
    let shown: Vec<_> = never.iter().take(LISTED).map(|function| name(&function.name)).collect();
    let more =
        if never.len() > shown.len() { format!(", and {} more", never.len() - shown.len()) } else { String::new() };
    match (model.activity.is_some(), shown.is_empty()) {
        (false, _) => String::new(),
        (true, true) => "<p>Each function that was counted has hit.</p>".to_owned(),
        (true, false) => format!("<p>Computed, and never hit: {}{more}.</p>", shown.join(", ")),
    }
}

fn versions(model: &Model) -> String {
    let older = |function: &&FunctionReport| function.versions.len() > 1;
    let row = |function: &FunctionReport| {
        let (newest, older) = (&function.versions[0], &function.versions[1..]);
        let bytes = older.iter().map(|version| version.stored.bytes).sum();
        let stored = older.iter().map(|version| version.stored.entries).sum();
        let takes = format!("{}, {}", count(function.superseded.entries), size(function.superseded.bytes));
        cells([name(&function.name), day(newest.first), count(older.len() as u64), count(stored), size(bytes), takes])
    };
    let rows: String = model.functions.iter().filter(older).take(LISTED).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = ["Function", "Newest code since", "Older versions", "Their entries", "Size", "Of which may go"];
    let title = "Versions of code, and what the older ones take";
    let note = "<p>Entries of older code stay while they are used: those may go that weren't used since the newest code was \
                first stored, and are neither pinned nor edited.</p>";
    let goes = model.functions.iter().any(|function| function.superseded.entries > 0);
    let line = if goes { command("ndcache gc --superseded --dry-run") } else { String::new() };
    let left_out = model.functions.iter().filter(older).count().saturating_sub(LISTED);
    let more = match left_out {
        0 => String::new(),
        _ => format!(
            "<p>The {LISTED} functions that take most bytes are listed; {left_out} more with older code aren't.</p>"
        ),
    };
    format!("<h3>{title}</h3>{}{more}{note}{line}", plain_table(title, &head, &rows))
}

fn name(function: &str) -> String {
    format!("<bdi title=\"{}\">{}</bdi>", escaped(function), escaped(short(function)))
}

fn cells<const N: usize>(cells: [String; N]) -> String {
    let [first, rest @ ..] = cells.as_slice() else { return String::new() };
    let rest: String = rest.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr><th scope=\"row\">{first}</th>{rest}</tr>")
}

fn plain_table(label: &str, head: &[&str], rows: &str) -> String {
    let head: String = head.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    scrolled(label, &format!("<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"))
}

/// A line for a terminal; the script adds a button that copies it.
fn command(line: &str) -> String {
    format!("<p class=\"command\"><code>{line}</code></p>")
}

fn table(model: &Model) -> Option<String> {
    let columns = [
        ("key", "Key"),
        ("function", "Function"),
        ("arguments", "Arguments"),
        ("result", "Result"),
        ("bytes", "Size"),
        ("took", "Took"),
        ("created", "Created"),
        ("used", "Last used"),
    ];
    let head: String =
        columns.iter().map(|(id, name)| format!("<th scope=\"col\" data-by=\"{id}\">{name}</th>")).collect();
    let row = |row: &crate::commands::report::model::Row| {
        let text = |text: &str| escaped(text).into_owned();
        let key = format!("<code>{}</code>", &row.key.to_string()[..DIGITS]);
        let (created, used) = (day(row.created), day(row.used));
        let function = name(model.name(row.function));
        cells([
            key,
            function,
            text(&row.arguments),
            text(&row.result),
            size(row.bytes),
            duration(row.duration),
            created,
            used,
        ])
    };
    let rows: String = model.entries.iter().take(STATIC).map(row).collect();
    let left_out = match model.left_out {
        0 => String::new(),
        left_out => {
            format!("<p>The newest {} are listed; {} more, older, aren't.</p>", count(ROWS as u64), count(left_out))
        }
    };
    let all = entries(model.entries.len() as u64);
    let table = format!("<table id=\"table\"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>");
    let note =
        format!("<p id=\"shown\" aria-live=\"polite\">{all}; the newest {STATIC} are shown without a script</p>");
    Some(format!("{left_out}<div id=\"tools\"></div>{note}{}", scrolled("Entries", &table)))
}

fn space(model: &Model) -> Option<String> {
    let treemap = charts::space(model)
        .map_or_else(|| "<p>Nothing is stored.</p>".to_owned(), |svg| scrolled("Bytes by function", &svg));
    let age = charts::age(model).map_or_else(String::new, |svg| {
        format!("<h3>Size against last use</h3>{}", scrolled("Size against last use", &svg))
    });
    let unused = model.unused;
    let text = match unused.entries {
        0 => format!("No entry was unused for {UNUSED_DAYS} days."),
        _ => format!(
            "{} unused for {UNUSED_DAYS} days: {}, which took {} to compute.",
            entries(unused.entries),
            size(unused.bytes),
            duration(unused.duration)
        ),
    };
    let gc = command(&format!("ndcache gc --unused {UNUSED_DAYS}d --dry-run"));
    Some(format!("{treemap}{age}<p>{text}</p>{gc}"))
}

fn lineage(model: &Model) -> Option<String> {
    let drawn = charts::lineage(model);
    let none = "No stored array is an argument of another stored call.";
    let drawn = drawn.map_or_else(|| format!("<p>{none}</p>"), |svg| {
        let text = "Arrays that one function returned and another one took. Edges are as wide as the bytes are many, the bar in a node is as long as its function computed.";
        format!("<p>{text}</p>{}", scrolled("Lineage by function", &svg))
    });
    let left_out = match model.lineage.left_out {
        0 => String::new(),
        more => format!("<p>Not drawn: {} more.</p>", several(more, "function")),
    };
    Some(format!("{drawn}{left_out}"))
}

fn pictures(model: &Model) -> Option<String> {
    let pictures = model.pictures.as_ref()?;
    let figure = |it: &crate::commands::report::pictures::Picture| {
        let (key, text) = (&it.key.to_string()[..DIGITS], escaped(&it.alt()).into_owned());
        let drawn = charts::picture(it);
        format!(
            "<figure>{drawn}<figcaption>{} <code>{key}</code><br>{text}</figcaption></figure>",
            name(model.name(it.function))
        )
    };
    let figures: String = pictures.drawn.iter().map(figure).collect();
    let mut text = "Colours go from the 2nd to the 98th percentile; NaN is magenta.".to_owned();
    if pictures.left_out > 0 {
        text.push_str(&format!(" Not drawn: {} more.", several(pictures.left_out, "array")));
    }
    if pictures.unreadable > 0 {
        text.push_str(&format!(" {} can't be read: see <code>ndcache verify</code>.", count(pictures.unreadable)));
    }
    Some(format!("<p>{text}</p><div class=\"pictures\">{figures}</div>"))
}
