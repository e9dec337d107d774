use ndcache::{cache, call};

#[cache(secret(tokens))]
fn unknown_argument(token: &str) -> usize {
    token.len()
}

#[cache(secret(token, token))]
fn twice(token: &str) -> usize {
    token.len()
}

#[cache(ignore(token), secret(token))]
fn ignored(token: &str) -> usize {
    token.len()
}

#[cache(secret)]
fn of_nothing(token: &str) -> usize {
    token.len()
}

fn main() {
    let token = "a";
    let _ = call!(twice(token), secret(token));
    let _ = call!("name", |token| token.len(), secret(tokens));
}
