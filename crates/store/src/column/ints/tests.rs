//! The behaviour of what stands beside this file, as data.

use super::*;
use proptest::prelude::*;

fn encode(values: &[u64]) -> Vec<u8> {
    let mut writer = SegmentWriter::new();
    write_ints(&mut writer, values);
    writer.finish()
}

fn check(values: &[u64], bytes_max: usize) {
    let bytes = encode(values);
    let mut reader = SegmentReader::open(&bytes).expect("segment");
    assert_eq!(read_ints(&mut reader, values.len()).as_deref(), Ok(values));
    assert!(bytes.len() <= bytes_max, "{} bytes", bytes.len());
}

/// `count` values of their position and a random number.
fn values(count: u64, make: impl Fn(u64, u64) -> u64) -> Vec<u64> {
    let random =
        |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xd1b5_4a32_d192_ed03);
    (0..count).map(|at| make(at, random(at + 1))).collect()
}

#[test]
fn columns_come_back_and_stay_small() {
    check(&[], 20);
    check(&[7; 1000], 20);
    check(&[0, u64::MAX, 1], 40);
    check(&values(10_000, |at, _| 1_700_000_000_000_000_000 + at * 1_000_000), 200);
    check(&values(10_000, |_, random| random), 81_000);
    check(&values(10_000, |at, _| at * at % 5), 4_000);
    check(&values(10_000, |at, _| at % 40 * 977), 1_000);
    check(&values(10_000, |_, random| u64::from(random.is_multiple_of(50))), 400);
}

#[test]
fn packed_bits_come_back_and_are_as_small_as_they_should() {
    for width in 1..=64_u32 {
        for count in [48_u64, 127, 128, 129, 255] {
            let mask = u64::MAX >> (64 - width);
            let bytes_max = usize::try_from(count * u64::from(width) / 8).unwrap_or(0) + 40;
            check(&values(count, |_, random| random & mask), bytes_max);
            check(&values(count, |at, _| if at % 2 == 0 { mask } else { 0 }), bytes_max);
        }
    }
    // Numbers that grow, that stand close to the largest, that are multiples.
    check(&values(200, |at, random| 1_000_000 + at * 1000 + random % 64), 200 * 11 / 8 + 40);
    check(&values(200, |at, _| u64::MAX - 1_200 + at * 3), 200 * 2 / 8 + 40);
    check(&values(200, |_, random| 5_000 + random % 4 * 1_000_000), 200 * 2 / 8 + 40);
    check(&values(200, |_, random| 200 + random % 152 * 2), 220);
}

#[test]
fn signed_extremes_come_back() {
    let values = [i64::MIN, 0, i64::MAX, -1];
    let mut writer = SegmentWriter::new();
    write_signed(&mut writer, &values);
    let mut reader = SegmentReader::open(&writer.finish()).expect("segment");
    assert_eq!(read_signed(&mut reader, 4).as_deref(), Ok(&values[..]));
}

#[test]
fn damaged_bits_are_refused() {
    let read = |meta: [u64; 3], raw: &[u8], count: usize| {
        let mut writer = SegmentWriter::new();
        for number in meta {
            writer.number(number);
        }
        writer.raw.extend_from_slice(raw);
        read_ints(&mut SegmentReader::open(&writer.finish()).expect("segment"), count)
    };
    assert_eq!(read([BITS, 5, 3], &[2, 0b11_10_01_00], 4), Ok(vec![5, 8, 11, 14]));
    assert_eq!(read([BITS, 5, 3], &[0x82, 0b01_00_10_10], 4), Ok(vec![8, 11, 11, 8]));
    for (raw, count) in
        [(&[][..], 1), (&[2], 4), (&[65, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1), (&[0], 129), (&[8, 1], 2)]
    {
        assert!(read([BITS, 0, 1], raw, count).is_err(), "{raw:?}");
    }
    // Numbers that no writer makes wrap.
    assert_eq!(read([BITS, u64::MAX, u64::MAX], &[8, 2], 1), Ok(vec![u64::MAX - 2]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_integers_come_back(
        values in prop::collection::vec(any::<u64>(), 0..700), shift in 0_u32..64, rises in any::<bool>(),
    ) {
        let mut sum = 0_u64;
        let value = |value: &u64| {
            sum = sum.wrapping_add(value >> shift);
            if rises { sum } else { value >> shift }
        };
        check(&values.iter().map(value).collect::<Vec<_>>(), usize::MAX);
    }

    #[test]
    fn damaged_columns_do_not_panic(at in any::<usize>(), to in any::<u8>(), count in 48_u64..700) {
        let values = values(count, |at, random| at * 7 + random % 1000);
        let mut bytes = encode(&values);
        let len = bytes.len();
        bytes[at % len] = to;
        drop(SegmentReader::open(&bytes).and_then(|mut reader| read_ints(&mut reader, values.len())));
    }
}
