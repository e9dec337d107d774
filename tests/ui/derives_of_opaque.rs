use ndcache::{ContentHash, Payload};

struct Opaque;

#[derive(ContentHash)]
struct Keyed {
    opaque: Opaque,
}

#[derive(Payload)]
enum Stored {
    Opaque(Opaque),
}

fn main() {}
