use ndcache::cache;

#[cache(ignored(x))]
fn unknown_option(x: f64) -> f64 {
    x
}

#[cache(version = 1, version = 2)]
fn twice(x: f64) -> f64 {
    x
}

#[cache(ignore(verbos))]
fn unknown_argument(x: f64, verbose: bool) -> f64 {
    x
}

#[cache(ignore(verbose))]
fn no_argument() -> f64 {
    1.0
}

#[cache(ignore(x, x))]
fn ignored_twice(x: f64) -> f64 {
    x
}

#[cache(ignore())]
fn nothing_ignored(x: f64) -> f64 {
    x
}

#[cache(code = "sources")]
fn unknown_code(x: f64) -> f64 {
    x
}

#[cache(code = "version")]
fn version_without_version(x: f64) -> f64 {
    x
}

#[cache(version = "2")]
fn text_version(x: f64) -> f64 {
    x
}

#[cache(version = -1)]
fn negative_version(x: f64) -> f64 {
    x
}

#[cache(name = "")]
fn empty_name(x: f64) -> f64 {
    x
}

#[cache(depends(&helper))]
fn reference(x: f64) -> f64 {
    x
}

#[cache(method = true)]
fn flag_with_value(x: f64) -> f64 {
    x
}

#[cache(ignore = ["x"])]
fn list_without_parentheses(x: f64) -> f64 {
    x
}

#[cache(readable)]
fn flag_without_value(x: f64) -> f64 {
    x
}

#[cache(depend(helper))]
fn misspelled(x: f64) -> f64 {
    x
}

#[cache(mmap_mode = "r")]
fn mapped_as_joblib_does(x: f64) -> f64 {
    x
}

#[cache(verbose = 0)]
fn verbose_as_joblib_is(x: f64) -> f64 {
    x
}

#[cache(cache_validation_callback = recent)]
fn validated_as_joblib_does(x: f64) -> f64 {
    x
}

#[cache(depends = [helper])]
fn another_list_without_parentheses(x: f64) -> f64 {
    x
}

#[cache(crate = 1)]
fn no_path(x: f64) -> f64 {
    x
}

#[derive(ndcache::ContentHash)]
#[ndcache(krate = ndcache)]
struct Derived;

fn main() {}
