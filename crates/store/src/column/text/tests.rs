//! The behaviour of what stands beside this file, as data.

use super::*;
use proptest::prelude::*;

fn encode(values: &[&[u8]]) -> Vec<u8> {
    let mut writer = SegmentWriter::new();
    write_text(&mut writer, values);
    writer.finish()
}

fn check(values: &[Vec<u8>]) -> usize {
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let bytes = encode(&values);
    let mut reader = SegmentReader::open(&bytes).expect("segment");
    let column = TextColumn::read(&mut reader, values.len()).expect("column");
    for (at, value) in values.iter().enumerate() {
        let mut out = Vec::new();
        column.append(at, &RowIds::default(), &mut out);
        assert_eq!(&out, value, "value {at}");
    }
    if let Some(wanted) = values.first() {
        let expected: Vec<bool> = values.iter().map(|value| value == wanted).collect();
        assert_eq!(column.equal(wanted, values.len()), expected);
    }
    bytes.len()
}

fn texts(make: impl Fn(usize) -> String) -> Vec<Vec<u8>> {
    (0..4000).map(|at| make(at).into_bytes()).collect()
}

#[test]
fn every_form_comes_back_and_is_small() {
    assert!(check(&texts(|_| "same".into())) < 20);
    assert!(check(&texts(|at| format!("{}", at * 3))) < 200);
    assert!(check(&texts(|at| format!("{at:09}"))) < 200);
    assert!(
        check(&texts(|at| format!("{:016x}", (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))))
            < 4000 * 8 + 50
    );
    assert!(check(&texts(|at| format!("{:015x}", at * at))) < 4000 * 8 + 50);
    assert!(check(&texts(|at| ["GET", "POST", "PUT"][at % 3].into())) < 200);
    assert!(check(&texts(|at| format!("user-{}", at * 7919 % 100_003))) < 4000 * 3);
    check(&texts(|at| "0".repeat(at % 25)));
    check(&[]);
    check(&[b"18446744073709551615".to_vec(), b"00".to_vec(), b"0".to_vec(), Vec::new()]);
    check(&[vec![0xff; 70_000], b"x".to_vec()]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_bytes_come_back(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..100)) {
        check(&values);
    }

    #[test]
    fn damaged_columns_do_not_panic(at in 0_usize..2000, to in any::<u8>(), kind in 0_usize..3) {
        let values = [texts(|at| format!("{}", at * at)), texts(|at| format!("w{} of {at}", at % 7)), texts(|at| "é".repeat(at % 9))];
        let values: Vec<&[u8]> = values[kind].iter().map(Vec::as_slice).collect();
        let mut bytes = encode(&values);
        let len = bytes.len();
        bytes[at % len] = to;
        let Ok(mut reader) = SegmentReader::open(&bytes) else { return Ok(()) };
        if let Ok(column) = TextColumn::read(&mut reader, values.len()) {
            let mut out = Vec::new();
            (0..values.len()).for_each(|at| column.append(at, &RowIds::default(), &mut out));
        }
    }
}
