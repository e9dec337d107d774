use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::super::flight::{Clearance, Place, request};
use crate::digest::Digest;
use crate::key::Key;

fn key(n: u8) -> Key {
    Key::from_digest(Digest::from_bytes([n; 16]))
}

fn place() -> Place {
    static PLACES: AtomicU64 = AtomicU64::new(0);
    (u64::MAX, PLACES.fetch_add(1, Ordering::Relaxed))
}

#[test]
fn one_thread_leads_and_the_others_see_it_land() {
    let place = place();
    let (leaders, landed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                match request(place, key(1), None) {
                    Clearance::Leads(_flight) => {
                        leaders.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(Duration::from_millis(50));
                    }
                    Clearance::Landed => drop(landed.fetch_add(1, Ordering::Relaxed)),
                    Clearance::Alone => panic!("nobody has to compute alone"),
                }
            });
        }
    });
    assert_eq!((leaders.into_inner(), landed.into_inner()), (1, 7));
}

#[test]
fn a_thread_does_not_wait_for_itself() {
    let place = place();
    let Clearance::Leads(_flight) = request(place, key(1), None) else { panic!("the first leads") };
    assert!(matches!(request(place, key(1), None), Clearance::Alone));
}

#[test]
fn two_threads_do_not_wait_for_each_other() {
    let place = place();
    let both_lead = Barrier::new(2);
    let alone = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (mine, other) in [(1, 2), (2, 1)] {
            let (both_lead, alone) = (&both_lead, &alone);
            scope.spawn(move || {
                let Clearance::Leads(_flight) = request(place, key(mine), None) else { panic!("each leads one") };
                both_lead.wait();
                if matches!(request(place, key(other), None), Clearance::Alone) {
                    alone.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(alone.into_inner(), 1);
}

#[test]
fn a_panic_frees_the_flight() {
    let place = place();
    let thread = thread::spawn({
        move || {
            let _flight = request(place, key(1), None);
            panic!("on purpose");
        }
    });
    assert!(thread.join().is_err());
    assert!(matches!(request(place, key(1), None), Clearance::Leads(_)));
}

#[test]
fn a_wait_ends_at_its_limit() {
    let place = place();
    let _flight = request(place, key(1), None);
    let waits = || request(place, key(1), Some(Duration::from_millis(10)));
    thread::scope(|scope| assert!(matches!(scope.spawn(waits).join().unwrap(), Clearance::Alone)));
}
