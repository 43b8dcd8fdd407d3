//! Replays what fuzzing found or was started from: every file under `fuzz/corpus/TARGET/` through that target.

use std::path::Path;

#[test]
#[expect(clippy::disallowed_methods, reason = "the corpus is test data beside the sources")]
fn no_target_fails_on_its_corpus() {
    let corpora = Path::new("../../fuzz/corpus");
    for (name, target) in sim::fuzz::TARGETS {
        target(b"");
        let folder = corpora.join(name);
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut seeds = 0;
        for entry in entries {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            target(&std::fs::read(&path).unwrap());
            seeds += 1;
        }
        assert!(seeds > 0, "{name} has no seeds");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "compares the table of targets with the files beside it")]
fn every_target_has_a_program() {
    let programs = Path::new("../../fuzz/fuzz_targets");
    for (name, _) in sim::fuzz::TARGETS {
        assert!(programs.join(format!("{name}.rs")).is_file(), "{name}");
    }
    assert_eq!(std::fs::read_dir(programs).unwrap().count(), sim::fuzz::TARGETS.len());
}
