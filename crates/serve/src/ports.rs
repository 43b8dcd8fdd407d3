//! What doors need from parts that `serve` may not depend on: `binnacle` implements these over store, receive and its
//! own configuration. Plain data crosses; nothing here knows HTTP.

use model::{Change, Labels, Refusal, ScanError, Tenant};
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

/// The answer of [`ChangeLog::append`].
pub type Appended<'a> = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + 'a>>;

/// Keeps change records.
pub trait ChangeLog: Send + Sync + 'static {
    /// Stores `change`; done when it is durable. The same id again is the same change.
    fn append(&self, tenant: &Tenant, change: Change) -> Appended<'_>;

    /// Changes with `start <= ts < end` (nanoseconds), oldest first.
    ///
    /// # Errors
    /// When the disk fails.
    fn changes(&self, tenant: &Tenant, range_ns: Range<i64>) -> Result<Vec<Change>, ScanError>;
}

/// Whether the last scrape of a target worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetHealth {
    /// The last scrape worked.
    Up,
    /// It failed.
    Down,
    /// Not scraped yet.
    Unknown,
}

impl TargetHealth {
    /// As Prometheus spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// A target that is being scraped.
#[derive(Clone, Debug)]
pub struct ActiveTarget {
    /// Before relabelling.
    pub discovered: Labels,
    /// After relabelling: what its series carry.
    pub labels: Labels,
    /// `job_name` of its configuration.
    pub pool: String,
    /// `http://host:port/metrics`.
    pub url: String,
    /// What went wrong last; empty when nothing did.
    pub last_error: String,
    /// Nanoseconds since the epoch; 0 before the first scrape.
    pub last_scrape_ns: i64,
    /// Seconds the last scrape took.
    pub last_duration_s: f64,
    /// Whether it worked.
    pub health: TargetHealth,
    /// Milliseconds between scrapes.
    pub interval_ms: u64,
    /// Milliseconds a scrape may take.
    pub timeout_ms: u64,
}

/// A discovered target that relabelling dropped.
#[derive(Clone, Debug)]
pub struct DroppedTarget {
    /// `job_name` of its configuration.
    pub pool: String,
    /// Before relabelling.
    pub discovered: Labels,
}

/// Knows what is scraped.
pub trait Targets: Send + Sync + 'static {
    /// Targets in scrape, sorted by pool and URL.
    fn active(&self) -> Vec<ActiveTarget>;
    /// Targets that relabelling dropped; of a pool with many, some.
    fn dropped(&self) -> Vec<DroppedTarget>;
    /// How many targets of each pool relabelling dropped.
    fn dropped_counts(&self) -> BTreeMap<String, usize>;
    /// The `job_name` of every scrape configuration.
    fn pools(&self) -> Vec<String>;
}

/// Knows the process: what the status calls show.
pub trait Process: Send + Sync + 'static {
    /// `Ok` once every part is up; the reason otherwise.
    ///
    /// # Errors
    /// One sentence that says what is being waited for.
    fn ready(&self) -> Result<(), String>;
    /// Binnacle's version.
    fn version(&self) -> String;
    /// Revision the binary was built from; empty when unknown.
    fn revision(&self) -> String;
    /// Start of the process, nanoseconds since the epoch.
    fn started_ns(&self) -> i64;
    /// The configuration in force as YAML, secrets masked; it holds `global.scrape_interval` as Prometheus writes it.
    fn config_yaml(&self) -> String;
    /// Whether the last reload worked and when it was, nanoseconds since the epoch.
    fn last_reload(&self) -> (bool, i64);
    /// Settings by flag name.
    fn flags(&self) -> BTreeMap<String, String>;
    /// `15d`, `10GiB`, `15d or 10GiB`; empty when nothing is ever dropped.
    fn retention(&self) -> String;
    /// The data directory.
    fn data_dir(&self) -> String;
}
