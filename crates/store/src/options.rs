//! What can be set about the store: every limit has a name, a unit and a default.

/// When the WAL is made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncMode {
    /// Before every answer; all that wait share one sync.
    Group,
    /// At most this many milliseconds after the answer: an unclean stop may lose what was acknowledged since.
    Interval {
        /// Longest time without a sync.
        ms: u64,
    },
}

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// A committer thread and a background thread that flushes, merges and retires.
    Own,
    /// None: a write commits before its future is made, background work happens in `flush` and `maintain` only.
    /// Deterministic, for simulation.
    None,
}

/// Options of a [`Store`](crate::Store).
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// When the WAL is synced.
    pub sync: SyncMode,
    /// Who does the work.
    pub threads: Threads,
    /// Bytes of batches that may wait for room in memory and for the committer; more are refused with a retry hint.
    pub queue_bytes_max: usize,
    /// Bytes of memory parts, active and frozen; above it a write waits for the flush some seconds and is then refused
    /// with a retry hint.
    pub memory_bytes_max: usize,
    /// Bytes of active memory parts that start a flush.
    pub flush_memory_bytes: usize,
    /// Bytes of unflushed WAL that start a flush: bounds what a start replays.
    pub flush_wal_bytes: u64,
    /// Age of the oldest unflushed record, in seconds, that starts a flush.
    pub flush_age_s: u64,
    /// Bytes of one WAL segment.
    pub segment_bytes_max: u64,
    /// Bytes that stay free on the disk, so that a flush can still be written when writes are refused.
    pub disk_reserve_bytes: u64,
    /// Bytes of decoded part indexes in memory.
    pub index_bytes_max: usize,
    /// Records older than this many seconds are dropped, part by part; `None` keeps all.
    pub retention_s: Option<u64>,
    /// When parts take more bytes than this the oldest are dropped; `None` keeps all.
    pub retention_bytes: Option<u64>,
    /// Largest part that a merge makes.
    pub part_bytes_max: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            sync: SyncMode::Group,
            threads: Threads::Own,
            queue_bytes_max: 32 << 20,
            memory_bytes_max: 96 << 20,
            flush_memory_bytes: 40 << 20,
            flush_wal_bytes: 64 << 20,
            flush_age_s: 1800,
            segment_bytes_max: 16 << 20,
            disk_reserve_bytes: 32 << 20,
            index_bytes_max: 64 << 20,
            retention_s: None,
            retention_bytes: None,
            part_bytes_max: 1 << 30,
        }
    }
}
