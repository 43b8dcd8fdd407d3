//! The behaviour of what stands beside this file, as data.

use super::super::line_filter::LineFilterBuilder;
use super::super::segment::{SegmentReader, SegmentWriter};
use super::*;
use model::{SpanId, TraceId};
use proptest::prelude::*;

fn column(values: &[&[u8]], ids: &[RowIds]) -> TemplateColumn {
    column_after(values, ids, &mut Learned::default())
}

fn column_after(values: &[&[u8]], ids: &[RowIds], learned: &mut Learned) -> TemplateColumn {
    let mut writer = SegmentWriter::new();
    Templates::find(values, ids, learned).write(&mut writer);
    let mut reader = SegmentReader::open(&writer.finish()).expect("segment");
    TemplateColumn::read(&mut reader, values.len()).expect("column")
}

fn check(values: &[&[u8]], ids: &[RowIds]) {
    let column = column(values, ids);
    for (at, value) in values.iter().enumerate() {
        let mut out = Vec::new();
        column.append(at, ids.get(at).unwrap_or(&RowIds::default()), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(value), "value {at}");
    }
}

fn check_lines(lines: &[String]) {
    let values: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    check(&values, &[]);
}

#[test]
fn lines_of_any_shape_come_back() {
    check(&[], &[]);
    check(&[b"", b"\n", b"\n\n", b"\\n", b"a\\nb\\", b"\xff\xfe", b"a\n\xf8"], &[]);
    let lines = |make: &dyn Fn(u32) -> String| (0..600).map(make).collect::<Vec<_>>();
    check_lines(&lines(&|at| format!("GET /item/{at} {:03} took {}ms", at % 700, at * 17)));
    check_lines(&lines(&|at| {
        format!("id={:08x} pod-{:x}q{}z{}k{}", at.wrapping_mul(0x9e37_79b9), at, at, at, at)
    }));
    check_lines(&lines(&|at| {
        format!("java.lang.E{}\n\tat a.b.C(C.java:{})\n\tat d.E(E.java:7)", at % 3, at)
    }));
    check_lines(&lines(&|at| "word ".repeat(at as usize % 50) + &"x".repeat(at as usize)));
    check_lines(&lines(&|at| format!("{}{}", "9".repeat(at as usize % 25), "é")));
}

#[test]
fn dots_join_digits_to_one_slot() {
    let line = |at: u32| {
        let [a, b] = [at % 256, at * 7 % 300];
        format!(
            "peer=10.{b}.3.{a}:{at} v1.{a}.2 took {at}.{:03}ms load {}.{} \\n0{at}.5 .{at}.{at}",
            at % 1000,
            a,
            b % 10
        )
    };
    let lines: Vec<String> = (0..900).map(line).collect();
    check_lines(&lines);
    check_words(&lines, &[], &["peers", "mss", "12345"]);
    let values: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let column = column(&values, &[]);
    for needle in [".", "ms", ".3.", "took 7.", "10.7.3.1:1 v", "0.5", "load", ".2 took"] {
        let verdicts = column.verdicts(&Needle::new(needle.as_bytes()));
        for (at, line) in lines.iter().enumerate() {
            let verdict = column.judge(at, &verdicts);
            assert!(verdict != Verdict::Never || !line.contains(needle), "{needle:?} lost {line:?}");
            assert!(verdict != Verdict::Always || line.contains(needle), "{needle:?} invented in {line:?}");
        }
    }
}

#[test]
fn the_ids_of_the_row_are_not_stored_again() {
    let ids: Vec<(TraceId, SpanId)> = (1..200_u64)
        .map(|at| (TraceId((u128::from(at) << 77 | 5).to_be_bytes()), SpanId((at << 40).to_be_bytes())))
        .collect();
    let lines: Vec<String> =
        ids.iter().map(|(trace, span)| format!("trace={trace} span={span} ok")).collect();
    let values: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let ids: Vec<RowIds> = ids.iter().map(|(trace, span)| RowIds::new(*trace, *span, 0)).collect();
    check(&values, &ids);
    let mut writer = SegmentWriter::new();
    Templates::find(&values, &ids, &mut Learned::default()).write(&mut writer);
    assert!(writer.finish().len() < 100);
}

fn in_zone(ts_ns: i64, at: u32) -> (String, String) {
    let row = RowIds::new(TraceId::default(), SpanId::default(), ts_ns);
    let mut stamp = Vec::new();
    let found = super::time::Times::default().read(b"2026-11-21T17:00:12.345", 1_795_280_412_345_000_000);
    if let Some(found) = found {
        found.stamp.write(row.ts_ns.unwrap_or(0), i64::from(at % 7) * 13, &mut stamp);
    }
    let text = String::from_utf8_lossy(&stamp).into_owned();
    (text.clone(), format!("{text}Z INFO job-{at} took 17:00:{:02}.5 in {}ms", at % 61, at * 3))
}

#[test]
fn the_time_of_the_row_is_not_stored_again() {
    let times = |at: u32| 1_795_280_412_345_000_000 + i64::from(at) * 7_919_000_000;
    let rows: Vec<(RowIds, String, String)> = (0..900)
        .map(|at| {
            let (stamp, line) = in_zone(times(at), at);
            (RowIds::new(TraceId::default(), SpanId::default(), times(at)), stamp, line)
        })
        .collect();
    let lines: Vec<String> = rows.iter().map(|(_, _, line)| line.clone()).collect();
    let values: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let ids: Vec<RowIds> = rows.iter().map(|(ids, ..)| *ids).collect();
    check(&values, &ids);
    check_words(&lines, &ids, &["INFOS", "12345"]);
    let column = column(&values, &ids);
    for needle in ["Z INFO", "T17", ":", "-", " ", ".", "T", "12.3", "2026-11-21T17:00:12.345Z INFO"] {
        let verdicts = column.verdicts(&Needle::new(needle.as_bytes()));
        for (at, line) in lines.iter().enumerate() {
            let found = line.contains(needle);
            match column.judge(at, &verdicts) {
                Verdict::Never => assert!(!found, "{needle:?} lost {line:?}"),
                Verdict::Always => assert!(found, "{needle:?} invented in {line:?}"),
                Verdict::Maybe => {}
            }
        }
    }
    let never = column.verdicts(&Needle::new(b"ERROR"));
    assert!((0..lines.len()).all(|at| column.judge(at, &never) == Verdict::Never));
    let stamps: Vec<&[u8]> = rows.iter().map(|(_, stamp, _)| stamp.as_bytes()).collect();
    let mut writer = SegmentWriter::new();
    Templates::find(&stamps, &ids, &mut Learned::default()).write(&mut writer);
    let bytes = writer.finish().len();
    assert!(bytes < 500, "{bytes} bytes for 900 times");
}

#[test]
fn verdicts_never_lose_a_line() {
    let lines: Vec<String> = (0..400_u32)
        .map(|at| match at % 4 {
            0 => format!("payment declined for user{at} code=0{at}"),
            1 => format!("dead beef cafe{at:04x} {at}"),
            2 => format!("cache miss key={:016x}", u64::from(at).wrapping_mul(0x1234_5678_9abc)),
            _ => format!("free text {}", "a b ".repeat((at % 7) as usize)),
        })
        .collect();
    let values: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let column = column(&values, &[]);
    let mut never = 0;
    for needle in [
        "payment",
        "decl",
        "cafe00",
        "e",
        "user1",
        "12",
        " ",
        "miss key=0",
        "ed for u",
        "zzz",
        "=",
        "dead",
        "",
    ] {
        let prepared = Needle::new(needle.as_bytes());
        let verdicts = column.verdicts(&prepared);
        for (at, line) in lines.iter().enumerate() {
            match column.judge(at, &verdicts) {
                Verdict::Never => {
                    assert!(!line.contains(needle), "{needle:?} lost {line:?}");
                    never += 1;
                }
                Verdict::Always => assert!(line.contains(needle), "{needle:?} invented in {line:?}"),
                Verdict::Maybe => {}
            }
        }
    }
    assert!(never > 1000, "only {never} lines were ruled out");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_lines_come_back(lines in prop::collection::vec("[a-f0-9 \\\\n\n.:x-zé]{0,40}", 0..200)) {
        check_lines(&lines);
    }
}

/// Every run of the lines is found and every absent one is not; trace ids alone may be missing.
fn check_words(lines: &[String], ids: &[RowIds], absent: &[&str]) {
    let values: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let mut builder = LineFilterBuilder::new(1 << 24);
    Templates::find(&values, ids, &mut Learned::default()).write_lines(
        &mut SegmentWriter::new(),
        ids,
        &mut builder,
    );
    let filter = builder.finish(usize::MAX / 8);
    for (at, line) in values.iter().enumerate() {
        let trace = ids.get(at).and_then(RowIds::trace);
        let known = |run: &[u8]| trace.is_some_and(|id| id == run);
        for run in runs(line) {
            let needle = [b" ", run, b" "].concat();
            assert!(filter.may_contain(&needle, known), "{} of {}", run.escape_ascii(), lines[at]);
        }
        assert!(filter.may_contain(line, known), "{}", lines[at]);
    }
    for run in absent {
        assert!(!filter.may_contain(format!(" {run} ").as_bytes(), |_| false), "{run}");
    }
}

#[test]
fn the_words_of_templates_are_those_of_the_lines() {
    let lines = |make: &dyn Fn(u32) -> String| (0..900).map(make).collect::<Vec<_>>();
    let plain = lines(&|at| format!("user_{at} took 1{at}ms at 2026-01-01T{:02}:00 v1 const_7x", at % 24));
    check_words(&plain, &[], &["users", "tooks", "10901ms", "user_901"]);
    let words = ["red", "green", "blue", "cyan"];
    let word = |at: u32| words[(at % 4) as usize];
    check_words(
        &lines(&|at| format!("{} {}-{} {}", word(at), word(at / 4), word(at / 16), at)),
        &[],
        &["rose"],
    );
    check_words(&lines(&|at| "x y ".repeat(at as usize) + "end_1"), &[], &["ends"]);
    check_words(
        &lines(&|at| format!("E{at}\n\\nat f{at}\\nat g\n\tat h.i({at})\n{at}é ü{at}")),
        &[],
        &["at fx"],
    );
    let ids: Vec<(TraceId, SpanId)> = (1..901_u64)
        .map(|at| (TraceId((u128::from(at) << 77 | 5).to_be_bytes()), SpanId((at << 40).to_be_bytes())))
        .collect();
    let traced: Vec<String> = ids
        .iter()
        .zip(&plain)
        .map(|((trace, span), line)| format!("{line} {trace} x_{trace} {span} span_{span}"))
        .collect();
    let ids: Vec<RowIds> = ids.iter().map(|(trace, span)| RowIds::new(*trace, *span, 0)).collect();
    check_words(&traced, &ids, &["xs_", "spans"]);
    let ragged: Vec<String> =
        traced.iter().map(|line| format!("{} {line}", "y ".repeat(line.len() % 97))).collect();
    check_words(&ragged, &ids, &["xs_", "spans"]);
}

/// Lines of a few shapes whose fields are mostly the same, and now and then something that is cut in another way.
fn odd_lines(count: u32) -> Vec<String> {
    const ODD: &[&str] = &[
        "10.0.0.1",
        "10.300.0.1",
        "01.2.3.4",
        "10.0.0.1.5",
        "1.2.3",
        "12.5ms",
        "12.5abc",
        "12.5abcd",
        "12.5e5",
        "12ms",
        "1d",
        "100d",
        "7",
        "0x1f",
        "é12",
        "dead",
        "deadbeef",
        "12345678",
        "added",
        "v1",
        "a1b2",
        "a1b2c3d4e5z",
        "123456789012345678",
        "1234567890123456789",
        "12345678901234567890",
        "17:00:12",
        "2026-11-21T17:00:12.345Z",
        "2026-11-21",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "",
        ".",
        "\u{10ffff}9",
    ];
    let mut state = 7_u64;
    let mut below = move |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % bound
    };
    let mut line = || {
        let mut field = |usual: &str| {
            let odd = below(16) == 0;
            if odd { ODD[below(ODD.len())].to_owned() } else { usual.to_owned() }
        };
        let [level, peer, took, agent] = ["info", "10.0.0.1", "12.5ms", "curl/8.11.0"].map(&mut field);
        let (one, two) = (field("17"), field("00"));
        let (id, other) = (below(100_000), below(1 << 20));
        match below(3) {
            0 => format!("level={level} peer={peer}:{id} took={took} id={other:05x} \"{agent}\""),
            1 => format!("{level} {one}.{two}.{took} {one}:{two}:12 {id}{took} {agent}"),
            _ => format!("{{\"{level}\":{one}{two},\"{peer}\":\"{other:x}\"}}"),
        }
    };
    (0..count).map(|_| line()).collect()
}

#[test]
fn what_was_learned_changes_neither_lines_nor_words_nor_verdicts() {
    let lines = odd_lines(9000);
    let times = (0..9000_i64).map(|at| 1_795_280_412_345_000_000 + at * 7_000_000);
    let ids: Vec<RowIds> = times
        .map(|ns| {
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736".parse().expect("trace id");
            RowIds::new(if ns % 2 == 0 { trace } else { TraceId::default() }, SpanId::default(), ns)
        })
        .collect();
    let values: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    check(&values, &ids);
    check_lines(&lines);
    check_words(&lines, &ids, &["infos", "10.0.0.2"]);
    check_words(&lines, &[], &["infos", "10.0.0.2"]);
    let column = column(&values, &ids);
    for (at, line) in lines.iter().enumerate().step_by(23) {
        let start = at % (line.len() / 2 + 1);
        let Some(needle) = line.get(start..(start + 3 + at % 11).min(line.len())) else { continue };
        let verdicts = column.verdicts(&Needle::new(needle.as_bytes()));
        for (at, line) in lines.iter().enumerate().skip(at % 7).step_by(7) {
            match column.judge(at, &verdicts) {
                Verdict::Never => assert!(!line.contains(needle), "{needle:?} lost {line:?}"),
                Verdict::Always => assert!(line.contains(needle), "{needle:?} invented in {line:?}"),
                Verdict::Maybe => {}
            }
        }
    }
}

#[test]
fn what_one_block_taught_harms_no_other() {
    let plain =
        |seed: u32| (0..5000).map(move |at| format!("job {at} of batch-{seed} done in {}ms", at * seed));
    let blocks: [Vec<String>; 6] = [
        plain(3).collect(),
        plain(4).collect(),
        odd_lines(6000),
        plain(3).take(50).collect(),
        odd_lines(7000).split_off(1000),
        plain(3).chain(odd_lines(5000)).collect(),
    ];
    let mut learned = Learned::default();
    for lines in blocks {
        let values: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        let column = column_after(&values, &[], &mut learned);
        for (at, line) in lines.iter().enumerate() {
            let mut out = Vec::new();
            column.append(at, &RowIds::default(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), *line, "line {at}");
        }
    }
}
