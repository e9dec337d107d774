//! The integration tests of ndcache, one module for each property.

mod arguments;
mod code;
mod compression;
mod expiry;
mod faults;
mod flights;
mod frozen;
mod functions;
mod golden;
mod hostile;
mod interop;
mod limits;
mod modes;
mod mutable;
mod pages;
mod pipeline;
mod results;
mod rooms;
mod shelve;
mod staged;
mod support;
mod ui;
