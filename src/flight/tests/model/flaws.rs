//! That the checker finds what it looks for: each flaw makes some schedule fail.

use super::check::{RUNS, is_caught, is_caught_in};
use super::scenarios::{
    eviction, misfortune, orphan, peace, three_processes_in_vain, three_threads_in_vain, two_processes,
};
use super::world::Flaw;

#[test]
fn a_landing_that_wakes_one_thread_is_caught() {
    let flaw = Flaw { wakes_one: true, ..Flaw::default() };
    assert!(is_caught(flaw, three_threads));
}

#[test]
fn a_leader_that_does_not_look_again_is_caught() {
    let flaw = Flaw { trusts_its_first_look: true, ..Flaw::default() };
    assert!(is_caught(flaw, peace));
}

#[test]
fn a_flight_that_lands_before_its_result_is_published_is_caught() {
    let flaw = Flaw { lands_early: true, ..Flaw::default() };
    assert!(is_caught(flaw, peace));
}

#[test]
fn a_wait_for_the_lock_alone_is_caught() {
    let flaw = Flaw { waits_for_the_lock_alone: true, ..Flaw::default() };
    assert!(is_caught(flaw, orphan));
}

#[test]
fn a_circle_of_processes_that_nobody_looks_for_is_caught() {
    let flaw = Flaw { tells_nothing: true, ..Flaw::default() };
    assert!(is_caught(flaw, two_processes));
}

#[test]
fn a_flight_that_lands_empty_though_it_stores_is_caught() {
    let flaw = Flaw { lands_empty_though_it_stores: true, ..Flaw::default() };
    assert!(is_caught(flaw, eviction));
}

#[test]
fn a_kill_that_is_taken_for_an_empty_landing_is_caught() {
    let flaw = Flaw { kills_are_empty: true, ..Flaw::default() };
    assert!(is_caught(flaw, misfortune));
}

#[test]
fn an_empty_landing_that_other_processes_do_not_hear_of_is_caught() {
    let flaw = Flaw { lands_in_silence: true, ..Flaw::default() };
    assert!(is_caught(flaw, three_processes_in_vain));
}

#[test]
fn what_has_no_flaw_is_not_caught() {
    for scenario in [three_threads, peace, orphan, misfortune, eviction, three_threads_in_vain, three_processes_in_vain]
    {
        assert!(!is_caught_in(RUNS, Flaw::default(), scenario));
    }
}

/// Two of them wait for one.
fn three_threads() {
    use super::process::{Process, join, thread};
    join([1; 3].map(|number| thread(move || Process::new(number).get(1, &|| {}))));
}
