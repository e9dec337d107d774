//! Which items count by which rule, and what is unseen.

mod bodies;
mod hidden;
mod implemented;
mod macros;
mod methods;
mod modules;
mod paths;
mod roots;
mod types;
mod unseen;
