//! Services and what runs them, as the telemetry itself tells.

use crate::changes;
use crate::resource::ResourceInfo;
use model::{Change, Entity};
use serde::Serialize;
use std::collections::BTreeMap;

/// Most services per tenant; resources of further ones are not tracked.
pub(crate) const SERVICES_MAX: usize = 10_000;
/// Most versions, pods or nodes kept per service; the longest unseen leave first.
pub(crate) const PER_SERVICE_MAX: usize = 1_000;

/// A version and when it ran, as the spans' arrival shows; nanoseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionInfo {
    /// `service.version`.
    pub version: String,
    /// First seen.
    pub first_ns: i64,
    /// Last seen.
    pub last_ns: i64,
}

/// A service and what is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceInfo {
    /// Kind, namespace, name.
    pub entity: Entity,
    /// Oldest first.
    pub versions: Vec<VersionInfo>,
    /// Pods (or instances) and when each was last seen, nanoseconds since the epoch.
    pub pods: BTreeMap<String, i64>,
    /// Nodes (or hosts), likewise.
    pub nodes: BTreeMap<String, i64>,
    /// The Deployment or its kin; empty outside Kubernetes.
    pub workload: String,
    /// Last seen, nanoseconds since the epoch.
    pub last_ns: i64,
}

/// All services of one tenant.
#[derive(Debug, Default)]
pub(crate) struct Entities {
    services: BTreeMap<Entity, ServiceInfo>,
}

impl Entities {
    /// Takes note of a resource and returns the change it reveals.
    pub(crate) fn observe(&mut self, info: &ResourceInfo, now_ns: i64) -> Option<Change> {
        let entity = info.entity();
        if self.services.len() >= SERVICES_MAX && !self.services.contains_key(&entity) {
            return None;
        }
        let service = self.services.entry(entity.clone()).or_insert_with(|| ServiceInfo::new(entity));
        service.last_ns = now_ns;
        if !info.workload.is_empty() {
            service.workload.clone_from(&info.workload);
        }
        touch(&mut service.pods, &info.pod, now_ns);
        touch(&mut service.nodes, &info.node, now_ns);
        if info.version.is_empty() {
            return None;
        }
        let change = changes::version_moved(&service.versions, info, now_ns);
        service.saw_version(&info.version, now_ns);
        change
    }

    /// Remembers the versions that a stored change names.
    pub(crate) fn restore(&mut self, change: &Change) {
        let Some(entity) = change.entities.iter().find(|entity| entity.kind == model::EntityKind::Service)
        else {
            return;
        };
        let service = self.services.entry(entity.clone()).or_insert_with(|| ServiceInfo::new(entity.clone()));
        for key in ["from", "to"] {
            if let Some(version) = change.attributes.get(key) {
                service.saw_version(version, change.ts_ns);
            }
        }
    }

    pub(crate) fn services(&self) -> Vec<ServiceInfo> {
        self.services.values().cloned().collect()
    }
}

impl ServiceInfo {
    fn new(entity: Entity) -> Self {
        Self {
            entity,
            versions: Vec::new(),
            pods: BTreeMap::new(),
            nodes: BTreeMap::new(),
            workload: String::new(),
            last_ns: 0,
        }
    }

    fn saw_version(&mut self, version: &str, now_ns: i64) {
        if let Some(known) = self.versions.iter_mut().find(|known| known.version == version) {
            known.last_ns = known.last_ns.max(now_ns);
            return;
        }
        if self.versions.len() >= PER_SERVICE_MAX {
            self.versions.remove(0);
        }
        self.versions.push(VersionInfo { version: version.to_owned(), first_ns: now_ns, last_ns: now_ns });
    }
}

fn touch(names: &mut BTreeMap<String, i64>, name: &str, now_ns: i64) {
    if name.is_empty() {
        return;
    }
    if let Some(seen) = names.get_mut(name) {
        *seen = now_ns;
        return;
    }
    if names.len() >= PER_SERVICE_MAX {
        let oldest = names.iter().min_by_key(|(_, seen)| **seen).map(|(name, _)| name.clone());
        oldest.and_then(|name| names.remove(&name));
    }
    names.insert(name.to_owned(), now_ns);
}
