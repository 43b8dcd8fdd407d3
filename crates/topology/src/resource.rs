//! From resource attributes to entities, by OpenTelemetry's semantic conventions for services and Kubernetes.

use model::attr::ValueRef;
use model::{Entity, EntityKind};

/// Who sent a group of spans. Texts are empty when the resource does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceInfo {
    /// `service.name`, or `unknown_service`.
    pub service: String,
    /// `service.namespace`, else `k8s.namespace.name`.
    pub namespace: String,
    /// `service.version`.
    pub version: String,
    /// `k8s.pod.name`, else `service.instance.id`.
    pub pod: String,
    /// `k8s.node.name`, else `host.name`.
    pub node: String,
    /// `k8s.deployment.name` and its kin.
    pub workload: String,
}

/// Attributes that name a workload, by preference.
const WORKLOADS: [&str; 5] =
    ["k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name", "k8s.cronjob.name", "k8s.job.name"];

/// Reads a resource's attributes.
pub fn describe<'a>(attrs: impl Iterator<Item = (&'a str, ValueRef<'a>)>) -> ResourceInfo {
    let texts: Vec<(&str, &str)> = attrs
        .filter_map(|(key, value)| match value {
            ValueRef::Str(text) if !text.is_empty() => Some((key, text)),
            _ => None,
        })
        .collect();
    let first = |keys: &[&str]| {
        let mut found = keys.iter().filter_map(|key| texts.iter().find(|(name, _)| name == key));
        found.next().map_or(String::new(), |(_, text)| (*text).to_owned())
    };
    let service = first(&["service.name"]);
    ResourceInfo {
        service: if service.is_empty() { "unknown_service".to_owned() } else { service },
        namespace: first(&["service.namespace", "k8s.namespace.name"]),
        version: first(&["service.version"]),
        pod: first(&["k8s.pod.name", "service.instance.id"]),
        node: first(&["k8s.node.name", "host.name"]),
        workload: first(&WORKLOADS),
    }
}

impl ResourceInfo {
    /// The service.
    #[must_use]
    pub fn entity(&self) -> Entity {
        Entity::service(&self.namespace, &self.service)
    }

    /// One version of the service.
    #[must_use]
    pub fn version_entity(&self) -> Entity {
        Entity {
            kind: EntityKind::Version,
            namespace: self.namespace.clone(),
            name: self.version.clone(),
            of: self.service.clone(),
        }
    }
}
