//! What can be said to `ndcache tier`.

use clap::{Args, Subcommand};

/// What is done with the tiers that `NDCACHE_REMOTE` names.
#[derive(Debug, Subcommand)]
pub(crate) enum Tier {
    /// Lists the tiers, and the number of results still to be sent there
    Status,
    /// Tries each operation that a tier is used for, and says what is wrong and what to do
    Doctor,
    /// Sends results that were computed and not yet sent
    Flush {
        /// The maximum time in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout: u64,
    },
    /// Sends results that are already in the cache
    Push(TierFilter),
    /// Fetches results from the tiers, and makes a cache if there is none yet
    Pull {
        #[command(flatten)]
        filter: TierFilter,
        /// Also pickled Python objects: loading them runs their code
        #[arg(long)]
        with_pickles: bool,
    },
    /// Removes results from the tiers, from here and from every machine
    Purge {
        #[command(flatten)]
        filter: TierFilter,
        /// Cancels purges instead: those of the function, or all
        #[arg(long, conflicts_with_all = ["since", "max_bytes"])]
        lift: bool,
        /// Doesn't ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

/// Selects results; by default all.
#[derive(Args, Debug)]
pub(crate) struct TierFilter {
    /// Results of this function, by its path or the end of the path
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
    /// Results that were computed within this time: `30d`, `12h`
    #[arg(long, value_name = "AGE")]
    pub(crate) since: Option<String>,
    /// Results of at most this size each: `20G`, `60MB`, `60MiB`, all in powers of 1024
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_bytes: Option<String>,
}
