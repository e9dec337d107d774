//! Where results go, and how they look there.

mod progress;

use std::io::{self, BufRead, BufWriter, IsTerminal, StderrLock, StdoutLock, Write};

use serde_json::{Value, json};

use crate::args::{Common, When};
use crate::exit::{Exit, Outcome};
use crate::text::{count, safe, safe_json};
use progress::Bar;

/// The version of what `--json` prints. Fields are only ever added.
const SCHEMA: u64 = 1;

/// Stdout for results, and stderr for everything else.
pub(crate) struct Out {
    stdout: BufWriter<StdoutLock<'static>>,
    pub(crate) common: Common,
    /// Stdout is a terminal.
    terminal: bool,
    color: bool,
    /// Something was printed on stdout.
    has_printed: bool,
    /// It goes on where nobody reads stdout.
    goes_on: bool,
}

/// A list in a document that is being printed.
pub(crate) struct DocumentList {
    /// What stands before its first item, between two of them, and behind the last one.
    before: &'static str,
    between: &'static str,
    after: &'static str,
    /// The rest of the document.
    end: String,
    has_items: bool,
}

/// An item of a list in a document, as it is printed there.
pub(crate) fn item_text(item: &Value) -> String {
    safe_json(serde_json::to_string_pretty(item).unwrap_or_default()).replace('\n', "\n    ")
}

/// What a text is coloured by.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Head,
    Key,
    Bad,
    Dim,
}

impl Out {
    pub(crate) fn new(common: &Common) -> Self {
        let terminal = io::stdout().is_terminal();
        let color = match common.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let wants_none = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
                !wants_none && (terminal || is_set("CLICOLOR_FORCE"))
            }
        };
        Self {
            stdout: BufWriter::with_capacity(64 << 10, io::stdout().lock()),
            common: common.clone(),
            terminal,
            color,
            has_printed: false,
            goes_on: false,
        }
    }

    /// Whether a document is wanted, and no text.
    pub(crate) fn is_json(&self) -> bool {
        self.common.json || self.common.jsonl
    }

    /// How many columns there are; `None` where lines aren't cut.
    pub(crate) fn width(&self) -> Option<usize> {
        let columns = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        self.terminal.then(|| columns().or_else(terminal_width).unwrap_or(80))
    }

    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> Outcome<()> {
        self.has_printed = true;
        let written = writeln!(self.stdout, "{}", text.as_ref());
        self.heard(written)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.has_printed = true;
        let written = self.stdout.write_all(bytes);
        self.heard(written)
    }

    /// From here on the command does what was agreed to, whether or not anybody reads what it prints.
    pub(crate) fn go_on(&mut self) {
        self.goes_on = true;
    }

    fn heard(&self, written: io::Result<()>) -> Outcome<()> {
        match written {
            Err(error) if self.goes_on && error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// The document of a command: an object, to which the version is added.
    pub(crate) fn document(&mut self, document: Value) -> Outcome<()> {
        let text = self.document_text(document);
        self.bytes(text.as_bytes())
    }

    /// A document as it is printed, with the line's end.
    pub(crate) fn document_text(&self, mut document: Value) -> String {
        if let Value::Object(fields) = &mut document {
            fields.insert("schema".to_owned(), json!(SCHEMA));
        }
        let mut text = match self.common.jsonl {
            true => document.to_string(),
            false => serde_json::to_string_pretty(&document).unwrap_or_default(),
        };
        text = safe_json(text);
        text.push('\n');
        text
    }

    /// Begins the document of a command whose list of this name is of any length: its items are printed as they come.
    pub(crate) fn begin_list(&mut self, mut document: Value, name: &str) -> Outcome<DocumentList> {
        if let Value::Object(fields) = &mut document {
            fields.insert(name.to_owned(), json!([]));
        }
        let text = self.document_text(document);
        let (colon, before, between, after) =
            if self.common.jsonl { (":", "", ",", "") } else { (": ", "\n    ", ",\n    ", "\n  ") };
        // No text in it has quotes that aren't escaped, and so none of them is this.
        let open = format!("{name:?}{colon}[");
        let (begin, end) = text.split_once(&open).unwrap_or((&text, ""));
        self.bytes(begin.as_bytes())?;
        self.bytes(open.as_bytes())?;
        Ok(DocumentList { before, between, after, end: end.to_owned(), has_items: false })
    }

    /// Prints the next item of a list, which [`item_text`] has made.
    pub(crate) fn list_item(&mut self, list: &mut DocumentList, item: &str) -> Outcome<()> {
        let has_items = std::mem::replace(&mut list.has_items, true);
        self.bytes(if has_items { list.between } else { list.before }.as_bytes())?;
        self.bytes(item.as_bytes())
    }

    /// Prints what stands behind a list in its document.
    pub(crate) fn end_list(&mut self, list: DocumentList) -> Outcome<()> {
        self.bytes(if list.has_items { list.after } else { "" }.as_bytes())?;
        self.bytes(list.end.as_bytes())
    }

    /// One of a list of any length.
    pub(crate) fn item(&mut self, item: &Value) -> Outcome<()> {
        self.line(safe_json(item.to_string()))
    }

    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Head => "1",
            Style::Key => "36",
            Style::Bad => "31",
            Style::Dim => "2",
        };
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Prints a note, which isn't a result, on stderr, unless `--quiet` is given.
    pub(crate) fn note(&mut self, text: impl AsRef<str>) {
        if !self.common.quiet {
            let _ = self.stdout.flush();
            say(&mut io::stderr().lock(), text.as_ref());
        }
    }

    /// Says how much couldn't be read.
    pub(crate) fn unread(&mut self, bad: u64) {
        if bad > 0 {
            self.note(format!("{} can't be read: see `ndcache verify`", count(bad)));
        }
    }

    pub(crate) fn complain(&mut self, text: &str) {
        let _ = self.stdout.flush();
        say(&mut io::stderr().lock(), text);
    }

    /// Says why a command ended early: on stderr, and as the document that was wanted, unless some of it was printed.
    pub(crate) fn fail(&mut self, exit: Exit, message: &str) {
        if self.common.json && !self.has_printed {
            let _ = self.document(json!({ "error": safe(message), "exit": exit as u8 }));
        }
        self.complain(message);
    }

    /// Asks for a Yes, on a terminal only; anything else is a No.
    pub(crate) fn confirm(&mut self, question: &str) -> Outcome<bool> {
        self.stdout.flush()?;
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush())?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Whether somebody can be asked: nobody who keeps what is printed in a file or a pipe.
    pub(crate) fn can_ask(&self) -> bool {
        self.terminal && io::stdin().is_terminal() && io::stderr().is_terminal() && !self.is_json()
    }

    /// A bar on stderr, where that and stdout are a terminal; what it goes up to is only asked for then.
    pub(crate) fn bar(&self, total: impl FnOnce() -> u64) -> Bar {
        let is_wanted = !self.common.no_progress && !self.common.quiet;
        match is_wanted && self.terminal && io::stderr().is_terminal() {
            true => Bar::shown(total()),
            false => Bar::hidden(),
        }
    }

    pub(crate) fn finish(&mut self) -> Outcome<()> {
        let flushed = self.stdout.flush();
        self.heard(flushed)
    }
}

/// Prints the document of a command that couldn't be understood.
pub(crate) fn print_error(exit: Exit, message: &str) {
    let document = json!({ "error": safe(message), "exit": exit as u8, "schema": SCHEMA });
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    // A pipe that is closed has nobody who reads it.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

fn say(stderr: &mut StderrLock<'_>, text: &str) {
    // Paths and names may come from anybody, and have lines of their own.
    let _ = writeln!(stderr, "ndcache: {}", safe(text));
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}
