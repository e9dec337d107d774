use ndcache::cache;

struct Filter;

impl Filter {
    fn taps(&self) -> usize {
        1
    }
}

fn log() {}

#[cache(helpers(without(lgo)))]
fn of_a_misspelled_function() -> usize {
    log();
    1
}

#[cache(helpers(without(Filter::tpas)))]
fn of_a_misspelled_method() -> usize {
    Filter.taps()
}

#[cache(depends(Filter::tpas))]
fn on_a_misspelled_method() -> usize {
    Filter.taps()
}

#[cache(helpers(without(log, Filter::taps)))]
fn of_what_is_there() -> usize {
    log();
    Filter.taps()
}

#[cache(helpers = "all")]
fn of_another_word() {}

#[cache(helpers(with(log)))]
fn of_another_option() {}

fn main() {}
