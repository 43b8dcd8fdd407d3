//! Native histograms: sparse exponential buckets, and custom bounds (schema -53) for classic ones.
//!
//! One shape serves integer and float histograms: counts are floats, buckets absolute. Source of the layout:
//! Prometheus' native histogram specification (`prometheus.io/docs/specs/native_histograms`).

/// Schema number of histograms with custom bounds (NHCB).
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// Lowest and highest standard exponential schema.
pub const EXPONENTIAL_SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

/// A run of adjacent buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketSpan {
    /// Gap to the previous span's end, in buckets; of the first span, the index of its first bucket.
    pub offset: i32,
    /// How many adjacent buckets.
    pub length: u32,
}

/// Whether this sample starts a new counting period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResetHint {
    /// Not said: compare with the sample before.
    #[default]
    Unknown,
    /// A reset happened right before.
    Yes,
    /// No reset since the sample before.
    No,
    /// Not a counter.
    Gauge,
}

/// A native histogram sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FloatHistogram {
    /// Reset hint.
    pub reset_hint: ResetHint,
    /// -4..=8 exponential, or [`CUSTOM_BUCKETS_SCHEMA`].
    pub schema: i32,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of the observations.
    pub sum: f64,
    /// Where positive buckets are.
    pub positive_spans: Vec<BucketSpan>,
    /// Where negative buckets are.
    pub negative_spans: Vec<BucketSpan>,
    /// Absolute counts, in span order.
    pub positive_buckets: Vec<f64>,
    /// Absolute counts, in span order.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds, ascending, without +Inf; only for the custom schema.
    pub custom_values: Vec<f64>,
}

impl FloatHistogram {
    /// Whether the bounds are custom.
    #[must_use]
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Whether this is a staleness marker.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        crate::metric::is_stale_nan(self.sum)
    }
}
