//! The integration tests of ndcache, one module for each property.

mod arguments;
mod code;
mod compression;
mod expiry;
mod explain;
mod faults;
mod flights;
mod frozen;
mod functions;
mod golden;
mod helpers;
mod hostile;
mod hot;
mod interop;
mod joblib;
mod large;
mod limits;
mod lineage;
mod make;
mod many;
mod modes;
mod mutable;
mod pages;
mod pipeline;
#[cfg(feature = "progress")]
mod progress;
mod readable;
mod recheck;
mod results;
mod rooms;
mod rounding;
mod shelve;
mod staged;
mod support;
mod ui;
mod verbose;
