//! A short soak in every test run; `cargo xtask soak` is the long one.

use sim::soak::run;

#[test]
fn nothing_acknowledged_is_lost_whatever_happens() {
    let (mut faults, mut refused, mut resent, mut restored, mut dropped) = (0, 0, 0, 0, 0);
    for seed in 2..=5 {
        let summary = run(seed, 250).unwrap_or_else(|failure| panic!("{failure}"));
        println!("{summary}");
        faults += summary.faults;
        refused += summary.refused;
        resent += summary.resent;
        restored += summary.restored;
        dropped += summary.dropped;
    }
    assert!(restored > 5 && dropped > 100, "{restored} snapshots restored, {dropped} records dropped");
    assert!(faults > 20 && refused > 5 && resent > 5, "{faults} faults, {refused} refused, {resent} resent");
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(77, 100), run(77, 100));
}
