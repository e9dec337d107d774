//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Looks into a cache of ndcache: what is stored and where it comes from, what may go and what that would cost.
#[derive(Debug, Parser)]
#[command(name = "ndcache", version, max_term_width = 100)]
#[command(
    after_help = "ENTRY is the beginning of a key (`3f2a`), a path of a `.record` or `.npy`, or `smooth@1`, the latest \
                        entry of `smooth`.\nFUNCTION is its path or the end of it: `smooth`, `filters.smooth` or `pipeline.filters.smooth`.\nExit codes: 0; 1 something was found; 2 usage; 3 can't read, or no cache; 130 Ctrl-C."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Below which the help lists what every command takes.
const COMMON: &str = "Common options";

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// The cache; else `NDCACHE_DIR`, else, for reading only, the nearest one upward
    #[arg(short = 'C', long = "cache", value_name = "FOLDER", global = true, help_heading = COMMON)]
    pub(crate) folder: Option<PathBuf>,
    /// One JSON document
    #[arg(long, global = true, help_heading = COMMON, conflicts_with = "jsonl")]
    pub(crate) json: bool,
    /// A JSON document in each line, for lists of any length
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) jsonl: bool,
    /// Whether to use colours
    #[arg(long, global = true, help_heading = COMMON, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
    /// Says nothing but the result
    #[arg(short, long, global = true, help_heading = COMMON, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Says more: each entry that would go, of every one the arguments
    #[arg(short, long, global = true, help_heading = COMMON)]
    pub(crate) verbose: bool,
    /// Shows no progress
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
    /// Says in what two entries differ
    Diff(Diff),
    /// Says why an entry was computed, against the nearest one that was there
    Why(Why),
    /// Shows what went into an entry, or what was made of it
    Tree(Tree),
    /// Shows the calls of a function as a table: arguments and results
    Table(TableArgs),
    /// Says what calls hit, missed, saved and cost
    Stats(Stats),
    /// Writes the whole cache on one page, for a browser
    Report(Report),
    /// Checks every stored byte
    Verify(Verify),
    /// Removes what limits take, after saying what that is
    Gc(Gc),
    /// Removes entries
    Rm(Rm),
    /// Removes everything that is stored
    Clear(Clear),
    /// Pins entries under a name, so that no limit takes them
    Pin(Pin),
    /// Removes a list of pins; its entries stay
    Unpin(Unpin),
    /// Writes entries into an archive, or an array into a file
    Export(Export),
    /// Takes entries from an archive, once all of them are verified
    Import(Import),
    /// Prints the digests of arrays in `.npy` files
    Hash(Hash),
    /// Looks at tiers, and moves results to them and from them
    #[command(subcommand)]
    Tier(Tier),
    /// Says how the cache is: its file system, room, permissions, clock, and what is being computed
    Doctor,
    /// Measures how fast this machine hashes arrays
    Bench(Bench),
    /// Prints a script that completes commands
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Writes the manual pages
    Man {
        /// The folder for them
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
}

/// Which entries are meant.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Those with such an argument: `sigma>1`, `name=a`, `kind!=b`, `path~part`; `*` is any, and a value may be the
    /// beginning of an array's digest
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) conditions: Vec<String>,
    /// Those that weren't used for so long: `30d`, `12h`
    #[arg(long, value_name = "AGE")]
    pub(crate) older: Option<String>,
}

/// In which order, and how many.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Order {
    /// What to sort by
    #[arg(long, value_name = "BY")]
    pub(crate) sort: Option<Sort>,
    /// The other way round
    #[arg(short, long)]
    pub(crate) reverse: bool,
    /// At most so many
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
    /// The function, by its path or the end of it
    pub(crate) function: Option<String>,
    /// The entries of all functions, and not the functions
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
    /// The time that hits have saved, of functions; of entries the time that a hit saves
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
    /// The one
    pub(crate) before: String,
    /// The other; without it the one is compared with the nearest that was there before it
    pub(crate) now: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Why {
    /// An entry, or a function, of which the last misses and the last entries are told
    pub(crate) what: String,
    /// The most entries of one function
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 10)]
    pub(crate) count: usize,
}

#[derive(Args, Debug)]
pub(crate) struct Tree {
    pub(crate) entry: String,
    /// What was made of it
    #[arg(long)]
    pub(crate) down: bool,
    /// All of it: at a terminal many calls of one function are counted else
    #[arg(long)]
    pub(crate) all: bool,
    /// Prints a graph for Graphviz
    #[arg(long)]
    pub(crate) dot: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TableArgs {
    /// The function, by its path or the end of it
    pub(crate) function: String,
    /// With commas
    #[arg(long)]
    pub(crate) csv: bool,
    #[command(flatten)]
    pub(crate) order: Order,
    #[command(flatten)]
    pub(crate) selection: Selection,
}

#[derive(Args, Debug)]
pub(crate) struct Stats {
    /// Only what was recorded since: `7d`
    #[arg(long, value_name = "AGE")]
    pub(crate) since: Option<String>,
    /// What to add up by
    #[arg(long, value_name = "BY", default_value = "function")]
    pub(crate) by: By,
    /// Only one run of a program: `last`, or its digits
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Forgets what was recorded
    #[arg(long)]
    pub(crate) reset: bool,
    /// Asks nothing
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
    /// The file for it, which is replaced; else stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format of the report
    #[arg(long, value_name = "FORMAT", default_value = "html")]
    pub(crate) format: Format,
    /// Shows texts of arguments and results, the folder and the hosts
    #[arg(long)]
    pub(crate) texts: bool,
    /// Draws arrays: at most 60
    #[arg(long)]
    pub(crate) pictures: bool,
    /// Writes more than 10 MiB, too
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
    /// Only this share of the entries: `5%`
    #[arg(long, value_name = "SHARE")]
    pub(crate) sample: Option<String>,
    /// Removes nothing: says what `--repair` would remove
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Asks nothing
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Gc {
    /// At most so many bytes: `20G`, `60MB`, `60MiB`, all by 1024; or `50%` of what is stored
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<String>,
    /// At most so many entries
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_items: Option<u64>,
    /// None that wasn't used for so long: `60d`
    #[arg(long, value_name = "AGE")]
    pub(crate) unused: Option<String>,
    /// None of older code that wasn't used since the newest was first stored, nor for so long
    #[arg(long, value_name = "AGE", num_args = 0..=1, require_equals = true, default_missing_value = "0s")]
    pub(crate) superseded: Option<String>,
    /// What goes first above `--max-size` and `--max-items`
    #[arg(long, value_name = "BY", default_value = "used")]
    pub(crate) by: First,
    /// Only of this function, for which the limits are then
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    /// Only says what would go; without any limit that is what no entry needs
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Asks nothing
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What limits take first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum First {
    /// What was used longest ago, as `MemoryBuilder::limits` has it
    Used,
    /// What saves the least computing time for its bytes
    Value,
}

#[derive(Args, Debug)]
pub(crate) struct Rm {
    /// The entries
    pub(crate) entries: Vec<String>,
    /// All of this function, or those of it that are selected
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Only says what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Asks nothing
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Clear {
    /// Leaves build steps
    #[arg(long)]
    pub(crate) keep_steps: bool,
    /// Asks nothing
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Pin {
    /// The name of the list
    pub(crate) name: String,
    #[arg(required = true)]
    pub(crate) entries: Vec<String>,
    /// What went into them, too
    #[arg(long)]
    pub(crate) lineage: bool,
}

/// What is done with the tiers that `NDCACHE_REMOTE` names.
#[derive(Debug, Subcommand)]
pub(crate) enum Tier {
    /// Says which there are, and what is still to be sent there
    Status,
    /// Tries of each what it is used for, and says what is wrong and what helps
    Doctor,
    /// Sends what was computed and isn't sent yet
    Flush {
        /// For so many seconds at most
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout: u64,
    },
    /// Sends what is in the cache already
    Push(TierFilter),
    /// Fetches what the tiers have, and makes a cache where there is none yet
    Pull {
        #[command(flatten)]
        filter: TierFilter,
        /// Objects that Python pickled, too: who loads them runs what they say
        #[arg(long)]
        with_pickles: bool,
    },
    /// Removes results from the tiers, from here and from every machine
    Purge {
        #[command(flatten)]
        filter: TierFilter,
        /// Lifts purges instead: those of the function, or all
        #[arg(long, conflicts_with_all = ["since", "max_bytes"])]
        lift: bool,
        /// Asks nothing
        #[arg(long)]
        yes: bool,
    },
}

/// Which results are meant; all, unless it is said.
#[derive(Args, Debug)]
pub(crate) struct TierFilter {
    /// Those of this function, by its path or the end of it
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    /// Those that were computed within that time: `30d`, `12h`
    #[arg(long, value_name = "AGE")]
    pub(crate) since: Option<String>,
    /// Those of at most so many bytes each: `20G`, `60MB`, `60MiB`, all by 1024
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_bytes: Option<String>,
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
    /// All of this function, or those of it that are selected
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// What went into them, too
    #[arg(long)]
    pub(crate) lineage: bool,
    /// Objects that Python pickled, too
    #[arg(long)]
    pub(crate) with_pickles: bool,
    /// The archive, which is a new file
    #[arg(short, long, value_name = "FILE", required_unless_present = "npy")]
    pub(crate) output: Option<PathBuf>,
    /// Writes the one array of an entry into this new file instead
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    pub(crate) npy: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The archive
    pub(crate) archive: PathBuf,
    /// Only verifies, and says what would come
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Objects that Python pickled, too: who loads them runs what they say
    #[arg(long)]
    pub(crate) with_pickles: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Hash {
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The files hold digests, as this command prints them, to be compared with those of the arrays that they name
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// Up to arrays of so many mebibytes
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    pub(crate) largest: usize,
}
