use ndcache::{ContentHash, Payload};

#[derive(ContentHash)]
union KeyedUnion {
    a: u8,
}

#[derive(Payload)]
union StoredUnion {
    a: u8,
}

#[derive(Payload)]
struct Borrowed<'a> {
    text: &'a str,
}

fn main() {}
