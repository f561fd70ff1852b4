//! Forty random faults, each audited. More of them: `cargo run -p tidemill-tests --bin faults -- --cycles 1000 --seed 7`.

use tidemill_tests::cycles;

use crate::PLANT;

#[test]
fn whatever_dies_everything_is_done_and_nothing_is_launched_twice() {
    let say = |what: &str| println!("{what}");
    let sum = cycles::run(&PLANT, 40, 4, 1, say);
    println!("{sum}");
    assert_eq!(sum.cycles, 40);
    assert!(sum.counts.lost > 0, "nothing was hit: {sum}");
}
