//! The table of faults: how each begins, how long it may last, and how it ends.

use super::machine::{DISK_RESERVE_BYTES, Machine};
use platform::{Random, SeededRandom};

/// How a fault ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The machine loses power: what was not synced is gone or torn.
    PowerCut,
    /// The process is killed; what was written stays.
    Kill,
    /// The process stops as it should.
    Stop,
    /// There is room on the disk again.
    Room,
    /// Power is cut while the disk is full; room comes after the start.
    PowerCutThenRoom,
    /// Nothing more happens.
    Over,
}

/// One row of the table.
pub(super) struct Fault {
    /// Does the harm.
    pub(super) begin: fn(&Machine, &SeededRandom),
    /// Most steps until it ends.
    pub(super) steps_max: u64,
    /// How it ends.
    pub(super) end: End,
}

const fn row(begin: fn(&Machine, &SeededRandom), steps_max: u64, end: End) -> Fault {
    Fault { begin, steps_max, end }
}

/// Changing calls within which power or process go.
const CALLS: u64 = 60;
const HOUR_NS: u64 = 3_600_000_000_000;

/// Every fault; all are equally likely.
pub(super) const FAULTS: &[Fault] = &[
    row(nothing, 0, End::PowerCut),
    row(nothing, 0, End::Kill),
    row(nothing, 0, End::Stop),
    row(calls_fail, 8, End::PowerCut),
    row(calls_fail, 8, End::Kill),
    row(disk_fills, 30, End::Room),
    row(disk_fills, 30, End::PowerCutThenRoom),
    row(sync_fails, 8, End::Over),
    row(clock_jumps_ahead, 0, End::Over),
    row(clock_jumps_back, 0, End::Over),
];

fn nothing(_: &Machine, _: &SeededRandom) {}

/// From some call on nothing can be written.
fn calls_fail(machine: &Machine, random: &SeededRandom) {
    machine.disk.fail_power_in(random.below(CALLS));
}

/// Others fill the disk, sometimes into what is reserved for flushes.
fn disk_fills(machine: &Machine, random: &SeededRandom) {
    machine.disk.set_capacity(machine.used_bytes() + random.below(DISK_RESERVE_BYTES * 2));
}

fn sync_fails(machine: &Machine, random: &SeededRandom) {
    machine.disk.fail_sync_in(1 + random.below(6));
}

fn clock_jumps_ahead(machine: &Machine, random: &SeededRandom) {
    machine.clock.jump(random.below(30 * HOUR_NS).cast_signed());
}

fn clock_jumps_back(machine: &Machine, random: &SeededRandom) {
    machine.clock.jump(-random.below(30 * HOUR_NS).cast_signed());
}
