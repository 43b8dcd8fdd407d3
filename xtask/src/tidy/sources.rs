//! What every source file must be: short, opened by prose, without hushed lints, without forgotten notes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longest source file, in lines.
const FILE_LINES_MAX: usize = 600;

/// Folders that hold no source of ours.
const SKIPPED: &[&str] = &["target", "node_modules", "dist", ".git", "corpus", "data", "artifacts", "book"];

/// Checks all Rust and TypeScript files below `root`.
pub(crate) fn check(root: &Path, problems: &mut Vec<String>) {
    let mut ratchet = exceptions(root, problems);
    let mut files = Vec::new();
    walk(root, &mut files);
    files.sort();
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        let Ok(text) = std::fs::read_to_string(&file) else {
            problems.push(format!("{name}: not UTF-8"));
            continue;
        };
        length(&name, text.lines().count(), &mut ratchet, problems);
        if file.extension().is_some_and(|end| end == "rs") {
            rust(&name, &text, problems);
        }
    }
    for (name, lines) in ratchet {
        problems.push(format!(
            "xtask/ratchet.txt: {name} ({lines} lines) is gone or short enough: delete its line"
        ));
    }
}

/// `PATH LINES DATE REASON` per line: files that may be longer, up to LINES. The list only shrinks.
fn exceptions(root: &Path, problems: &mut Vec<String>) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(root.join("xtask/ratchet.txt")).unwrap_or_default();
    let mut exceptions = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let fields: Vec<&str> = line.splitn(4, ' ').collect();
        match (fields.as_slice(), fields.get(1).and_then(|lines| lines.parse().ok())) {
            ([path, _, _, _], Some(lines)) => {
                exceptions.insert((*path).to_owned(), lines);
            }
            _ => problems.push(format!("xtask/ratchet.txt: want `PATH LINES DATE REASON`, found {line:?}")),
        }
    }
    exceptions
}

fn length(name: &str, lines: usize, ratchet: &mut BTreeMap<String, usize>, problems: &mut Vec<String>) {
    if lines <= FILE_LINES_MAX {
        return;
    }
    match ratchet.remove(name) {
        Some(allowed) if lines <= allowed => {}
        Some(allowed) => problems.push(format!("{name}: {lines} lines, its exception allows {allowed}")),
        None => problems.push(format!("{name}: {lines} lines, at most {FILE_LINES_MAX}: split it")),
    }
}

fn rust(name: &str, text: &str, problems: &mut Vec<String>) {
    let opening = text.lines().find(|line| !line.starts_with("#!") && !line.is_empty()).unwrap_or_default();
    if !opening.starts_with("//!") {
        problems.push(format!("{name}: does not open with prose (`//!`)"));
    }
    for (at, line) in text.lines().enumerate() {
        let at = at + 1;
        let code = line.trim_start();
        for blanket in ["clippy::all", "clippy::pedantic", "dead_code", "unused)"] {
            if code.starts_with("#!") && code.contains("allow(") && code.contains(blanket) {
                problems.push(format!("{name}:{at}: blanket allow of {blanket}"));
            }
        }
        let note = code.starts_with("//") && ["TODO", "FIXME", "XXX"].iter().any(|mark| code.contains(mark));
        if note && !name.starts_with("xtask/") {
            problems.push(format!("{name}:{at}: a note to come back belongs into docs/roadmap.md"));
        }
        let hushed = code.contains("too_many_lines") && !code.contains("//") && !code.contains("20");
        if hushed && !name.starts_with("xtask/") {
            problems
                .push(format!("{name}:{at}: the reason of a too_many_lines exception must carry its date"));
        }
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(&path, files);
            }
        } else if path.extension().is_some_and(|end| end == "rs" || end == "ts" || end == "tsx") {
            files.push(path);
        }
    }
}
