use ndcache::{cache, call, code};

#[cache]
#[track_caller]
fn called_from() -> u32 {
    std::panic::Location::caller().line()
}

#[cache]
#[cfg_attr(all(), track_caller)]
fn conditionally() -> u32 {
    1
}

#[cache]
fn lines() -> String {
    format!("{}", std::line!())
}

#[cache(code = "body")]
fn columns() -> u32 {
    column!()
}

#[code]
fn files() -> &'static str {
    file!()
}

#[cache]
fn renamed() -> u32 {
    use std::panic::Location as Place;
    Place::caller().line()
}

#[code]
macro_rules! lined {
    () => {
        line!()
    };
}

#[cache]
fn asserted(line: u32) -> u32 {
    assert!(line > 0, "a panic may say its line");
    line
}

fn main() {
    let x = 1;
    let _ = call!("line", |x| x + line!());
}
