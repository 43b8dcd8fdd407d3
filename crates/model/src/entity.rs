//! What a signal is about: one model for every signal.

use serde::{Deserialize, Serialize};

/// Kinds of things that emit or are named by telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityKind {
    /// A service: namespace and name.
    Service,
    /// One version of a service.
    Version,
    /// An endpoint or span name of a service.
    Operation,
    /// A Deployment, `StatefulSet`, `DaemonSet`, Job, ...
    Workload,
    /// A pod, or a process outside Kubernetes (`service.instance.id`).
    Pod,
    /// A machine.
    Node,
    /// A database, queue or remote that is only seen from its callers.
    Remote,
}

/// One entity; its identity is (kind, namespace, name, of).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Kubernetes or service namespace; empty when none is known.
    pub namespace: String,
    /// Its name within kind, namespace and owner.
    pub name: String,
    /// The service that a version or an operation belongs to; empty otherwise.
    pub of: String,
}

impl Entity {
    /// A service.
    #[must_use]
    pub fn service(namespace: &str, name: &str) -> Self {
        Self { kind: EntityKind::Service, namespace: namespace.into(), name: name.into(), of: String::new() }
    }
}
