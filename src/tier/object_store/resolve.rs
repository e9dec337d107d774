//! Addresses of hosts, without threads of the runtime: it panics where there is none to be had.

use std::net::ToSocketAddrs;
use std::thread;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

/// Asks the system, on a thread for each name.
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let (reply, replied) = oneshot::channel();
            let ask = move || drop(reply.send((name.as_str(), 0).to_socket_addrs().map(Vec::from_iter)));
            thread::Builder::new().name("ndcache-resolve".to_owned()).spawn(ask)?;
            let found = replied.await??;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
