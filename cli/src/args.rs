//! What can be said on the command line.

mod tier;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use tier::{Tier, TierFilter};

/// Inspects and manages a cache of ndcache: what is stored, where it comes from, what can be removed at what cost.
#[derive(Debug, Parser)]
#[command(name = "ndcache", version, max_term_width = 100)]
#[command(
    after_help = "ENTRY is the first digits of a key (`3f2a`), the path of a `.record` or `.npy`, or `smooth@1`, the latest \
                        entry of `smooth`.\nFUNCTION is the path of a function or the end of it: `smooth`, `filters.smooth` or `pipeline.filters.smooth`.\nExit codes: 0 success; 1 something was found; 2 wrong usage; 3 the cache can't be read, or there is none; 130 Ctrl-C."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The heading in the help above the options that every command takes.
const COMMON: &str = "Common options";

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// The cache folder; otherwise `NDCACHE_DIR`, otherwise, for reading only, the nearest one upward
    #[arg(short = 'C', long = "cache", value_name = "FOLDER", global = true, help_heading = COMMON)]
    pub(crate) folder: Option<PathBuf>,
    /// Prints one JSON document
    #[arg(long, global = true, help_heading = COMMON, conflicts_with = "jsonl")]
    pub(crate) json: bool,
    /// Prints one JSON document per line, for lists of any length
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) jsonl: bool,
    /// Whether to use colours
    #[arg(long, global = true, help_heading = COMMON, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
    /// Prints only the result
    #[arg(short, long, global = true, help_heading = COMMON, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Prints more: each entry that would be removed, with its arguments
    #[arg(short, long, global = true, help_heading = COMMON)]
    pub(crate) verbose: bool,
    /// Shows no progress bars
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) no_progress: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists functions, or the entries of one
    Ls(Ls),
    /// Shows an entry: its arguments and where they come from, its result, its arrays
    Show(Show),
    /// Says how two entries differ
    Diff(Diff),
    /// Says why an entry was computed, compared with the most similar earlier one
    Why(Why),
    /// Shows what an entry was computed from, or what was computed from it
    Tree(Tree),
    /// Shows the calls of a function as a table: arguments and results
    Table(TableArgs),
    /// Shows hits, misses, and the time saved and spent
    Stats(Stats),
    /// Writes a report of the whole cache as one page for a browser
    Report(Report),
    /// Checks every stored byte
    Verify(Verify),
    /// Removes entries that exceed limits, after listing them
    Gc(Gc),
    /// Removes entries
    Rm(Rm),
    /// Removes all entries, and the records of build steps; statistics and lists of pins stay
    Clear(Clear),
    /// Pins entries in a named list, so that no limit removes them, or shows the lists
    Pin(Pin),
    /// Removes a list of pins; its entries stay
    Unpin(Unpin),
    /// Writes entries into an archive, or an array into a file
    Export(Export),
    /// Imports entries from an archive, after verifying all of them
    Import(Import),
    /// Prints the digests of arrays in `.npy` files
    Hash(Hash),
    /// Shows tiers, and moves results to and from them
    #[command(subcommand)]
    Tier(Tier),
    /// Checks the cache's file system, free space, permissions and clock, and lists what is being computed
    Doctor,
    /// Measures how fast this machine hashes arrays
    Bench(Bench),
    /// Prints a script for command completion
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Writes the manual pages
    Man {
        /// The folder to write them to
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
}

/// Selects entries.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Entries with such an argument: `sigma>1`, `name=a`, `kind!=b`, `path~part`; `*` is any argument, and a value may be the
    /// first digits of an array's digest
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) conditions: Vec<String>,
    /// Entries that weren't used for this time: `30d`, `12h`
    #[arg(long, value_name = "AGE")]
    pub(crate) older: Option<String>,
}

/// In which order, and how many.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Order {
    /// What to sort by
    #[arg(long, value_name = "BY")]
    pub(crate) sort: Option<Sort>,
    /// Reverses the order
    #[arg(short, long)]
    pub(crate) reverse: bool,
    /// The maximum number
    #[arg(short = 'n', value_name = "COUNT")]
    pub(crate) count: Option<usize>,
}

impl Order {
    /// Whether any order will do, and all is wanted.
    pub(crate) fn is_free(self) -> bool {
        self.sort.is_none() && !self.reverse && self.count.is_none()
    }

    /// Turns a list that is in order, and shortens it, as it is asked for.
    pub(crate) fn finish<T>(self, list: &mut Vec<T>) {
        if self.reverse {
            list.reverse();
        }
        list.truncate(self.count.unwrap_or(usize::MAX));
    }
}

#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// The function, by its path or the end of the path
    pub(crate) function: Option<String>,
    /// Lists the entries of all functions instead of the functions
    #[arg(short, long, conflicts_with = "steps")]
    pub(crate) entries: bool,
    /// Full keys and paths, and more columns
    #[arg(short, long)]
    pub(crate) long: bool,
    #[command(flatten)]
    pub(crate) order: Order,
    /// Lists build steps and their targets instead
    #[arg(long, conflicts_with_all = ["conditions", "older"])]
    pub(crate) steps: bool,
    #[command(flatten)]
    pub(crate) selection: Selection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    Size,
    Used,
    Created,
    /// The time that hits have saved, for functions; for entries the time that a hit saves
    Saved,
    /// The time that it took to compute
    Took,
    Name,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    pub(crate) entry: String,
    /// Reads arrays of more than 1 GiB, too
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The first entry
    pub(crate) before: String,
    /// The second entry; by default the most similar one that was stored before the first
    pub(crate) now: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Why {
    /// An entry; or a function, for its last misses and last entries
    pub(crate) what: String,
    /// The maximum number of entries of one function
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 10)]
    pub(crate) count: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Tree {
    pub(crate) entry: String,
    /// Shows what was computed from it
    #[arg(long)]
    pub(crate) down: bool,
    /// Shows everything: otherwise many calls of one function are shown as a count at a terminal
    #[arg(long)]
    pub(crate) all: bool,
    /// Prints a graph for Graphviz
    #[arg(long)]
    pub(crate) dot: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TableArgs {
    /// The function, by its path or the end of the path
    pub(crate) function: String,
    /// Prints comma-separated values
    #[arg(long)]
    pub(crate) csv: bool,
    /// What to sort by: a column, of which numbers go by value and texts naturally; or `size`, `used`, `saved` or `name`, as in
    /// `ls`
    #[arg(long, value_name = "COLUMN")]
    pub(crate) sort: Option<String>,
    /// Reverses the order
    #[arg(short, long)]
    pub(crate) reverse: bool,
    /// The maximum number
    #[arg(short = 'n', value_name = "COUNT")]
    pub(crate) count: Option<usize>,
    #[command(flatten)]
    pub(crate) selection: Selection,
}

#[derive(Args, Debug)]
pub(crate) struct Stats {
    /// Only what was recorded within this time: `7d`
    #[arg(long, value_name = "AGE")]
    pub(crate) since: Option<String>,
    /// What to group by
    #[arg(long, value_name = "BY", default_value = "function")]
    pub(crate) by: By,
    /// Only one run of a program: `last`, or its digits
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Deletes what was recorded
    #[arg(long)]
    pub(crate) reset: bool,
    /// Doesn't ask for confirmation
    #[arg(long, requires = "reset")]
    pub(crate) yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Function,
    Day,
    Run,
    Host,
    /// Why calls missed
    Reason,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The file to write, which is replaced; by default stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format of the report
    #[arg(long, value_name = "FORMAT", default_value = "html")]
    pub(crate) format: Format,
    /// Shows texts of arguments and results, the folder and the hosts
    #[arg(long)]
    pub(crate) texts: bool,
    /// Draws at most 60 arrays
    #[arg(long)]
    pub(crate) pictures: bool,
    /// Writes a report of more than 10 MiB, too
    #[arg(long)]
    pub(crate) big: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One page that needs nothing but a browser
    Html,
    Json,
    Markdown,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Only the entries of this function
    pub(crate) function: Option<String>,
    /// Removes what is damaged
    #[arg(long)]
    pub(crate) repair: bool,
    /// Checks only this share of the entries: `5%`
    #[arg(long, value_name = "SHARE")]
    pub(crate) sample: Option<String>,
    /// Removes nothing, and lists what `--repair` would remove
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Doesn't ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Gc {
    /// The maximum size: `20G`, `60MB`, `60MiB`, all in powers of 1024; or `50%` of the present size
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<String>,
    /// Removes entries until this much is free that they took: `20G`, or `10%` of the present size
    #[arg(long, value_name = "SIZE", conflicts_with = "max_size")]
    pub(crate) free: Option<String>,
    /// The maximum number of entries
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_items: Option<u64>,
    /// Removes entries that weren't used for this time: `60d`
    #[arg(long, value_name = "AGE")]
    pub(crate) unused: Option<String>,
    /// Removes entries of older code that weren't used since the newest was first stored, nor for this time
    #[arg(long, value_name = "AGE", num_args = 0..=1, require_equals = true, default_missing_value = "0s")]
    pub(crate) superseded: Option<String>,
    /// Which entries are removed first above `--max-size` and `--max-items`, and for `--free`
    #[arg(long, value_name = "BY", default_value = "used")]
    pub(crate) by: First,
    /// Applies the limits to this function alone
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    /// Only lists what would be removed; without any limit that is files that belong to no entry
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Doesn't ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What limits take first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum First {
    /// The least recently used entries, as with `MemoryBuilder::limits`
    Used,
    /// The entries that save the least computing time per byte
    Value,
}

#[derive(Args, Debug)]
pub(crate) struct Rm {
    /// The entries
    pub(crate) entries: Vec<String>,
    /// All entries of this function, or those of it that are selected
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Only lists what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Doesn't ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Clear {
    /// Keeps the records of build steps
    #[arg(long)]
    pub(crate) keep_steps: bool,
    /// Doesn't ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Pin {
    /// The name of the list; without one, all lists are shown
    pub(crate) name: Option<String>,
    /// What to pin; without any, the entries of the list are shown
    pub(crate) entries: Vec<String>,
    /// Also the entries that they were computed from
    #[arg(long)]
    pub(crate) lineage: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Unpin {
    /// The name of the list
    pub(crate) name: String,
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The entries
    pub(crate) entries: Vec<String>,
    /// All entries of this function, or those of it that are selected
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Also the entries that they were computed from
    #[arg(long)]
    pub(crate) lineage: bool,
    /// Also pickled Python objects
    #[arg(long)]
    pub(crate) with_pickles: bool,
    /// The archive to create
    #[arg(short, long, value_name = "FILE", required_unless_present = "npy")]
    pub(crate) output: Option<PathBuf>,
    /// Writes the only array of an entry to this new file instead
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    pub(crate) npy: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The archive
    pub(crate) archive: PathBuf,
    /// Only verifies, and says what would be imported
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Also pickled Python objects: loading them runs their code
    #[arg(long)]
    pub(crate) with_pickles: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Hash {
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Reads digests, as this command prints them, from the files, and compares them with those of the named arrays
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// The largest array, in mebibytes
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub(crate) largest: usize,
}
