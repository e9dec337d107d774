//! `ndcache report`: the whole cache on one page, which needs nothing but a browser.
//!
//! * `gather` reads the cache into a `model`, by a `survey` of its entries; `private` says which texts may be shown,
//!   `pictures` reads arrays.
//! * `page` prints a model as HTML, with what `charts` draws by `svg` and `png`; `markdown` prints it as Markdown.

mod charts;
mod gather;
mod markdown;
mod model;
mod page;
mod pictures;
mod png;
mod private;
mod survey;
mod svg;

use std::cmp::Reverse;
use std::fs::{self, File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ndcache::Key;

use crate::args::{Format, Report};
use crate::cache;
use crate::commands::report::gather::gather;
use crate::commands::report::private::Texts;
use crate::exit::{Exit, Failure, Outcome};
use crate::interrupt::Unfinished;
use crate::out::Out;
use crate::text::{count, size};

/// A longer report is warned about.
const LARGE: u64 = 2 << 20;

/// A longer one is written only if that is asked for.
const LARGEST: u64 = 10 << 20;

pub(crate) fn run(args: &Report, out: &mut Out) -> Outcome {
    let format = if out.is_json() { Format::Json } else { args.format };
    if format == Format::Html && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::usage("a page is nothing for a terminal: name a file for it with `-o report.html`"));
    }
    let memory = cache::for_reading(out)?;
    let model = gather(&memory, Texts(args.texts), args.pictures, out);
    let text = match format {
        Format::Html => page::html(&model),
        Format::Json => out.document_text(model.json()),
        Format::Markdown => markdown::markdown(&model),
    };
    check_length(text.len() as u64, format, args.big, out)?;
    match &args.output {
        None => out.bytes(text.as_bytes())?,
        Some(path) => {
            write(path, text.as_bytes())?;
            out.note(format!("wrote `{}`, {}", path.display(), size(text.len() as u64)));
        }
    }
    if model.left_out > 0 {
        let (which, are) = match model.left_out {
            1 => ("the oldest entry".to_owned(), "isn't"),
            many => (format!("the {} oldest entries", count(many)), "aren't"),
        };
        out.note(format!("{which} {are} listed"));
    }
    out.unread(model.unreadable);
    Ok(Exit::Fine)
}

fn check_length(bytes: u64, format: Format, is_allowed: bool, out: &mut Out) -> Outcome<()> {
    if bytes > LARGEST && !is_allowed {
        let (bytes, most) = (size(bytes), size(LARGEST));
        return Err(Failure::usage(format!("the report has {bytes}, expected at most {most}: say `--big` to have it")));
    }
    if bytes > LARGE {
        let much = if format == Format::Html { ", which is much for a browser" } else { "" };
        out.note(format!("the report has {}{much}", size(bytes)));
    }
    Ok(())
}

/// Writes a file, or replaces one: whoever opens it finds the one or the other, and never a part.
fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    let cannot = |error: std::io::Error| Failure::unreadable(format!("can't write `{}`: {error}", path.display()));
    // A pipe or a device is written to as it is.
    if fs::metadata(path).is_ok_and(|stat| !stat.is_file()) {
        return OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes)).map_err(cannot);
    }
    // On a signal the draft goes, too.
    let unfinished = Unfinished::begin();
    let draft = UnfinishedFile::beside(path);
    draft.create(bytes).map_err(cannot)?;
    unfinished.check()?;
    fs::rename(&draft.0, path).map_err(cannot)
}

/// The order of entries in a report: the newest one is the least, whatever the order in which a folder is read.
pub(crate) type Age = (Reverse<SystemTime>, Key);

/// A file that is removed unless it was renamed.
struct UnfinishedFile(PathBuf);

impl UnfinishedFile {
    fn beside(path: &Path) -> Self {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}", std::process::id()));
        Self(path.with_file_name(name))
    }

    fn create(&self, bytes: &[u8]) -> std::io::Result<()> {
        File::options().write(true).create_new(true).open(&self.0)?.write_all(bytes)
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
