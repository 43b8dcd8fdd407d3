//! Changes that telemetry itself reveals: a service reports a version it did not run a while ago.

use crate::entities::VersionInfo;
use crate::resource::ResourceInfo;
use model::Change;
use model::change::ChangeKind;
use std::collections::BTreeMap;

/// A version unseen for this long counts as gone; when it comes back, that is a change. Nanoseconds.
pub(crate) const VERSION_GONE_NS: i64 = 5 * 60 * 1_000_000_000;

/// The change that `info` reveals, given the versions seen before. A service's very first version is no change:
/// nobody knows since when it runs.
pub(crate) fn version_moved(known: &[VersionInfo], info: &ResourceInfo, now_ns: i64) -> Option<Change> {
    let running = known.iter().find(|version| version.version == info.version);
    if running.is_some_and(|version| now_ns - version.last_ns < VERSION_GONE_NS) {
        return None;
    }
    let from = known.iter().filter(|version| version.version != info.version).max_by_key(|v| v.last_ns)?;
    let (service, to) = (&info.service, &info.version);
    Some(Change {
        id: format!("version:{}/{service}:{}:{to}:{}", info.namespace, from.version, now_ns / 1_000_000_000),
        ts_ns: now_ns,
        kind: ChangeKind::Deploy,
        entities: vec![info.version_entity(), info.entity()],
        summary: format!("{service} {} -> {to}", from.version),
        source: "service.version".to_owned(),
        attributes: BTreeMap::from([
            ("from".to_owned(), from.version.clone()),
            ("to".to_owned(), to.clone()),
        ]),
    })
}
