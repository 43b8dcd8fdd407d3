//! Change records: a deploy, a configuration edit, a scaling move, a policy swap, an action of our own.
//!
//! A change is a signal like any other: it has a time, a tenant and the entities it touched, and it is queryable.

use crate::entity::Entity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// A new version runs.
    Deploy,
    /// Configuration was edited.
    Config,
    /// Replicas or resources moved.
    Scale,
    /// A policy was swapped.
    Policy,
    /// A fault was injected or lifted.
    Fault,
    /// Something Binnacle did.
    Action,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Unique within the tenant; a resend of the same id is the same change.
    pub id: String,
    /// Nanoseconds since the epoch.
    pub ts_ns: i64,
    /// Kind.
    pub kind: ChangeKind,
    /// What it touched, most specific first.
    pub entities: Vec<Entity>,
    /// One sentence: `fraud-check 2.4.0 -> 2.4.1`.
    pub summary: String,
    /// Who or what reported it: `api`, `service.version`, ...
    pub source: String,
    /// Anything else: `from`, `to`, `author`, `url`.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}
