//! The command `ndcache`, run as a program on a copy of the frozen cache `data/v1`.

mod archives;
mod changes;
mod documents;
mod hostile;
mod interrupts;
mod limits;
mod owners;
mod pages;
mod report;
mod study;
mod support;
mod surroundings;
mod tiers;
mod usage;
