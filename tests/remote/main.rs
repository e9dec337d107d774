//! Object stores over real servers on this machine, and over one that does everything wrong.
//!
//! `.ci/prepare` installs the servers; a test begins those that it needs, on ports that the kernel gives, and they end with
//! this program, however it ends. With `CI=true` a server that is missing is a failure; elsewhere its tests say that they
//! are skipped, and why.

mod conform;
mod doctor;
mod faults;
#[path = "../support/fork.rs"]
mod fork;
mod machines;
mod places;
mod process;
mod proxy;
mod secrets;
mod servers;
mod tls;
