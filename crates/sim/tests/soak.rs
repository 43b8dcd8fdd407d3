//! A short soak in every test run; `cargo xtask soak` is the long one.

use sim::soak::run;

#[test]
fn nothing_acknowledged_is_lost_whatever_happens() {
    let (mut faults, mut refused, mut resent) = (0, 0, 0);
    for seed in 1..=4 {
        let summary = run(seed, 250).unwrap_or_else(|failure| panic!("{failure}"));
        println!("{summary}");
        faults += summary.faults;
        refused += summary.refused;
        resent += summary.resent;
    }
    assert!(faults > 20 && refused > 5 && resent > 5, "{faults} faults, {refused} refused, {resent} resent");
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(77, 100), run(77, 100));
}
