//! Layering: the edges between our crates, read from `cargo metadata`, must all be in the table below; every crate
//! must have its line in `ARCHITECTURE.md`.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

const ALL: &[&str] = &["*"];

/// Crate, and what it may depend on. `docs/adr` records why an edge was added.
const EDGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("platform", &["model"]),
    ("wire", &["model"]),
    ("language", &["model"]),
    ("topology", &["model", "platform"]),
    ("receive", &["model", "wire", "platform"]),
    ("store", &["model", "platform"]),
    ("query", &["model", "language", "platform", "store", "topology"]),
    ("serve", &["model", "wire", "language", "platform", "query", "topology"]),
    ("cli", &["model", "wire", "language", "platform"]),
    ("binnacle", ALL),
    ("sim", ALL),
    ("xtask", &[]),
    ("demo", &[]),
];

/// Appends a sentence per forbidden edge, unknown crate and crate missing from the map.
pub(crate) fn check(root: &Path, problems: &mut Vec<String>) {
    let output = Command::new("cargo")
        .current_dir(root)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output();
    let parsed = output.map_err(|e| e.to_string()).and_then(|output| {
        serde_json::from_slice::<Value>(&output.stdout).map_err(|error| error.to_string())
    });
    let metadata = match parsed {
        Ok(metadata) => metadata,
        Err(error) => return problems.push(format!("cannot read cargo metadata: {error}")),
    };
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_default();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
            problems.push(format!("crate {name} is not in the table of edges (xtask/src/tidy/edges.rs)"));
            continue;
        };
        if !map.contains(&format!("`{name}`")) && !map.contains(&format!("`{name}/`")) {
            problems.push(format!("crate {name} is missing from ARCHITECTURE.md"));
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = dependency["name"].as_str().unwrap_or_default();
            let ours = !dependency["path"].is_null();
            let test_only = dependency["kind"] == "dev";
            if ours && !test_only && *allowed != ALL && !allowed.contains(&target) {
                problems.push(format!("{name} may not depend on {target}: see the table in ARCHITECTURE.md"));
            }
        }
    }
}
