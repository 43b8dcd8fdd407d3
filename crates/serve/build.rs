//! Builds again when the UI that is embedded was built again.

use std::path::Path;

fn main() {
    let ui = Path::new("../../ui");
    let dist = ui.join("dist");
    let watched = if dist.exists() { dist.as_path() } else { ui };
    if watched.exists() {
        println!("cargo:rerun-if-changed={}", watched.display());
    }
    println!("cargo:rerun-if-changed=build.rs");
}
