use ndarray::prelude::*;
use ndarray::s;

use crate::digest::arrays::trust::*;
use crate::digest::values::content::{ContentHash, digest};
use crate::digest::values::hasher::ContentHasher;

/// A digest that no array has: where it turns up, it was taken from the table.
const PLANTED: Digest = Digest::from_bytes([7; 16]);

fn trusting<T: ContentHash + ?Sized>(value: &T) -> (Digest, bool) {
    let mut hasher = ContentHasher::trusting();
    value.content_hash(&mut hasher);
    let claimed = hasher.claimed();
    (hasher.finish(), claimed)
}

fn register<A: Element, D: Dimension>(array: &Array<A, D>, known: Known) -> Registration {
    Registration::new(array, Arc::new(known)).expect("not empty")
}

fn ramp() -> Array2<f64> {
    Array2::from_shape_fn((4, 6), |(i, j)| (6 * i + j) as f64)
}

#[test]
fn only_what_covers_a_registered_array_exactly_takes_its_digest() {
    let array = ramp();
    let _registration = register(&array, Known::verified(PLANTED));
    assert_eq!(digest(&array), PLANTED);
    assert_eq!(digest(&array.view()), PLANTED);
    assert_eq!(digest(&*array), PLANTED);
    assert_eq!(digest(&array.view().into_dyn()), PLANTED);

    let copy = ramp();
    assert_eq!(digest(&array.clone()), digest(&copy));
    assert_eq!(digest(&array.slice(s![..2, ..])), digest(&copy.slice(s![..2, ..])));
    assert_eq!(digest(&array.slice(s![..;2, ..])), digest(&copy.slice(s![..;2, ..])));
    assert_eq!(digest(&array.slice(s![1.., ..])), digest(&copy.slice(s![1.., ..])));
    assert_eq!(digest(&array.t()), digest(&copy.t()));
    let reshaped = array.view().into_shape_with_order((6, 4)).unwrap();
    assert_eq!(digest(&reshaped), digest(&reshaped.to_owned()));
    assert_eq!(digest(array.as_slice().unwrap()), digest(&copy.flatten()));
    let bits: &[u64] = bytemuck::cast_slice(array.as_slice().unwrap());
    let bits = ArrayView2::from_shape((4, 6), bits).unwrap();
    assert_eq!(digest(&bits), digest(&bits.to_owned()));
}

#[test]
fn an_array_whose_registration_is_gone_is_hashed() {
    let array = ramp();
    let registration = register(&array, Known::verified(PLANTED));
    let second = register(&array, Known::verified(PLANTED));
    drop(registration);
    assert_eq!(digest(&array), PLANTED); // of two, one is left
    drop(second);
    assert_eq!(digest(&array), digest(&ramp()));
    assert!(!read().unwrap().contains_key(&array.as_ptr().addr()));
}

#[test]
fn another_array_at_a_freed_address_is_not_taken_for_the_first() {
    let mut array = ramp();
    let address = array.as_ptr();
    let registration = register(&array, Known::unknown());
    let first = digest(&array);
    assert_eq!(digest(&array), first);
    drop(registration);
    array += 1.0; // other bytes where the registered ones were
    assert_eq!(array.as_ptr(), address);
    assert_eq!(digest(&array), digest(&(ramp() + 1.0)));
    let _registration = register(&array, Known::unknown());
    assert_eq!(digest(&array), digest(&(ramp() + 1.0)));
}

#[test]
fn an_unknown_array_is_hashed_once() {
    let array = ramp();
    let registration = register(&array, Known::unknown());
    assert_eq!(registration.known().digest(), None);
    assert_eq!(trusting(&array), (digest(&ramp()), false));
    assert!(registration.known().is_verified());
    assert_eq!(registration.known().digest(), Some(digest(&ramp())));
}

#[test]
fn a_claim_is_good_for_a_lookup_but_a_strict_caller_verifies_it() {
    let array = ramp();
    let truth = digest(&ramp());
    let registration = register(&array, Known::claimed(truth));
    assert_eq!(trusting(&array), (truth, true));
    let map = std::collections::BTreeMap::from([(1, array.view())]);
    assert!(trusting(&Some(&array)).1);
    assert!(trusting(&vec![vec![array.view()]]).1);
    assert!(trusting(&map).1);
    assert!(!registration.known().is_verified());

    assert_eq!(digest(&array), truth);
    assert!(registration.known().is_verified());
    assert_eq!(trusting(&array), (truth, false));
}

#[test]
fn a_wrong_claim_is_found_out_by_a_strict_caller_and_never_trusted_again() {
    let array = ramp();
    let registration = register(&array, Known::claimed(PLANTED));
    assert_eq!(trusting(&array), (PLANTED, true));
    assert_eq!(digest(&array), digest(&ramp()));
    assert_eq!(trusting(&array), (digest(&ramp()), false));
    assert!(!registration.known().verify(digest(&ramp())));
    assert!(Known::claimed(PLANTED).verify(PLANTED));
    assert!(Known::unknown().verify(PLANTED));
}

#[test]
fn of_two_at_one_place_the_verified_one_counts() {
    let array = ramp();
    let _claimed = register(&array, Known::claimed(digest(&ramp())));
    let _verified = register(&array, Known::verified(PLANTED));
    assert_eq!(trusting(&array), (PLANTED, false));
}

#[test]
fn an_empty_array_is_never_registered() {
    let array = Array2::<f64>::zeros((0, 3));
    assert!(Registration::new(&array, Arc::new(Known::verified(PLANTED))).is_none());
    assert_ne!(digest(&array), PLANTED);
}

#[test]
fn a_known_array_is_taken_from_the_table_by_all_threads() {
    let array = ramp();
    let _registration = register(&array, Known::verified(PLANTED));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    let own = Array1::from_elem(3, 1.0);
                    let registration = register(&own, Known::unknown());
                    assert_eq!(digest(&array), PLANTED);
                    assert_eq!(digest(&own), digest(&[1.0, 1.0, 1.0]));
                    drop(registration);
                }
            });
        }
    });
}
