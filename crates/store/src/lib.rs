//! WAL, memory, immutable parts, merges: metrics, logs and spans over one part core.
//!
//! # The way of a record
//!
//! ```text
//! write_* ─► bounded queue ─► committer: WAL append, one fdatasync for all that wait ─► memory part ─► answer
//!                                                                                          │
//!        scan = parts + memory parts (one view, taken under one lock)                      ▼ flush
//!                                       merge, retention, snapshot  ◄──────────  part files (tenant × day)
//! ```
//!
//! What was acknowledged is durable and queryable. A full queue refuses with a retry hint, a full memory after a bounded wait; a full disk
//! refuses and loses nothing. Damaged parts and WAL records move to `quarantine/`, are named in the completeness of
//! every answer they would have been part of, and the rest answers.
//!
//! # How a signal plugs in
//!
//! A signal (metrics, logs, spans, changes) is one type that implements [`signal::Signal`]:
//!
//! * `encode` turns a batch into a WAL payload, `decode` turns the payload back (replay). Stateless.
//! * `Memory::ready` turns a batch into the chunk that is kept, in the thread that brings it.
//! * `Memory::apply` takes a chunk that is durable; what it took is visible to readers when it returns. One thread
//!   applies, in WAL order; any number read. Readers must not hold a lock that `apply` needs for long: keep
//!   `Arc`s of immutable chunks and clone the list.
//! * `seal` writes a frozen memory part into one part per day through a [`part::PartSink`].
//! * `merge` writes several parts of one tenant and day into one, through the same sink.
//!
//! The types are `metrics::Metrics`, `logs::Logs`, `spans::Spans`, `changes::Changes`. `PartSink::begin(day)` gives a
//! writer, `writer.chunk(bytes)` a [`part::ChunkRef`] to keep in the signal's meta bytes, `sink.finish(writer,
//! range_ms, rows, &meta)` closes it. Reading back: `part.meta()`, `part.read(chunk)`, and `part.index(load)` for a
//! decoded index that a bounded cache shared by all signals keeps.
//!
//! It answers queries by implementing its `model::scan` port for [`shelf::Source`]`<ThatSignal>`:
//! `source.view(tenant, range_ms)` gives the parts and memory parts to read, oldest first; a read error of a part goes
//! to `source.absorb(error, &mut completeness)`, which quarantines damage and only fails the scan for disk errors.
//! A part may be seen both as a memory part and as a file by no view: the swap is atomic. Records may still be there
//! twice because clients resend: the scan (and the merge) removes duplicates.
//!
//! # Where things are
//!
//! `signal` the trait · `wal/` framed records, segments, group commit, replay · `part/` the part file: writer, reader ·
//! `shelf` what a tenant has of a signal: memory, frozen memory, parts · `catalogue/` the manifest · `object/` where
//! part files live · `codec` varints and bounded reading · `metrics/ logs/ spans/ changes` the signals ·
//! `merge`, `retention`, `snapshot` background work · `room` who may come in · `store` the public handle.

mod background;
pub mod catalogue;
mod changes;
pub mod codec;
pub mod column;
mod commit;
mod engine;
pub mod error;
mod flush;
mod gauges;
pub mod logs;
mod merge;
pub mod metrics;
pub mod object;
mod options;
pub mod part;
mod recover;
mod retention;
mod room;
pub mod shelf;
pub mod signal;
mod snapshot;
pub mod spans;
mod store;
pub mod wal;
mod window;

pub use catalogue::Missing;
pub use error::{PartError, StoreError};
pub use options::{StoreOptions, SyncMode, Threads};
pub use store::{Recovery, Store};
