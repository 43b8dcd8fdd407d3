//! The behaviour of what stands beside this file, as data.

use super::*;
use model::attr::ValueRef;
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Empty,
    Str(String),
    Int(i64),
    Double(u64),
    Bool(bool),
    Bytes(Vec<u8>),
    Json(String),
}

impl Owned {
    fn raw(&self) -> Raw<'_> {
        match self {
            Self::Empty => Raw::Empty,
            Self::Str(text) => Raw::Text(Kind::Str, text.as_bytes()),
            Self::Int(value) => Raw::Int(Kind::Int, *value),
            Self::Double(bits) => Raw::Double(f64::from_bits(*bits)),
            Self::Bool(value) => Raw::Int(Kind::Bool, (*value).into()),
            Self::Bytes(bytes) => Raw::Text(Kind::Bytes, bytes),
            Self::Json(text) => Raw::Text(Kind::Json, text.as_bytes()),
        }
    }

    fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Empty => Self::Empty,
            ValueRef::Str(text) => Self::Str(text.into()),
            ValueRef::Int(value) => Self::Int(value),
            ValueRef::Double(value) => Self::Double(value.to_bits()),
            ValueRef::Bool(value) => Self::Bool(value),
            ValueRef::Bytes(bytes) => Self::Bytes(bytes.into()),
            ValueRef::Json(text) => Self::Json(text.into()),
        }
    }
}

type Row = Vec<(String, Owned)>;

fn encode(rows: &[Row]) -> Vec<u8> {
    let mut builder = AttrsBuilder::default();
    for row in rows {
        builder.push(row.iter().map(|(key, value)| (key.as_bytes(), value.raw())));
    }
    let mut writer = SegmentWriter::new();
    builder.write(&mut writer);
    writer.finish()
}

fn row_of(attrs: &Attrs, row: usize) -> Row {
    let (mut arena, mut list) = (Vec::new(), Vec::new());
    attrs.visit(&mut attrs.seek(row), &mut arena, &mut KeyTexts::default(), |attr| list.push(attr));
    list.iter().map(|attr| (attr.key.str(&arena).to_owned(), Owned::of(attr.value.resolve(&arena)))).collect()
}

fn check(rows: &[Row]) {
    let attrs =
        Attrs::read(&mut SegmentReader::open(&encode(rows)).expect("segment"), rows.len()).expect("attrs");
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(&row_of(&attrs, at), row, "row {at}");
    }
    let (key, value) = ("user".to_owned(), "u-7".to_owned());
    let mut found = Vec::new();
    attrs.rows_with(&key, &value, |row| found.push(row));
    found.sort_unstable();
    found.dedup();
    let wanted = |(k, v): &(String, Owned)| {
        *k == key && (*v == Owned::Str(value.clone()) || matches!(v, Owned::Json(_)))
    };
    assert_eq!(found, (0..rows.len()).filter(|row| rows[*row].iter().any(wanted)).collect::<Vec<_>>());
    let mut having = Vec::new();
    attrs.rows_having("rare", |row| having.push(row));
    assert_eq!(
        having,
        (0..rows.len()).filter(|row| rows[*row].iter().any(|(key, _)| key == "rare")).collect::<Vec<_>>()
    );
}

#[test]
fn dense_and_sparse_keys_come_back() {
    let row = |at: i32| {
        let mut row = vec![
            ("user".to_owned(), Owned::Str(format!("u-{}", at % 50))),
            ("size".to_owned(), Owned::Int(i64::from(at) * 3 - 1000)),
            ("ratio".to_owned(), Owned::Double((f64::from(at) / 8.0).to_bits())),
        ];
        if at % 2 == 0 {
            row.push((format!("sparse.{}", at % 900), Owned::Str(format!("v{at}"))));
            row.push((format!("count.{}", at % 700), Owned::Int(at.into())));
        }
        if at % 500 == 0 {
            row.push(("rare".to_owned(), Owned::Bool(true)));
            row.push(("user".to_owned(), Owned::Str("u-7".into())));
        }
        row
    };
    check(&(0..3000).map(row).collect::<Vec<_>>());
    check(&[]);
    check(&[vec![]]);
}

fn value() -> impl Strategy<Value = Owned> {
    prop_oneof![
        Just(Owned::Empty),
        "\\PC{0,12}".prop_map(Owned::Str),
        any::<i64>().prop_map(Owned::Int),
        any::<u64>().prop_map(Owned::Double),
        any::<bool>().prop_map(Owned::Bool),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Owned::Bytes),
        "[a-z]{0,4}".prop_map(Owned::Json),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_lists_come_back(rows in prop::collection::vec(prop::collection::vec(("[a-d]{0,2}|rare|user", value()), 0..6), 0..150)) {
        check(&rows);
    }

    #[test]
    fn damaged_lists_do_not_panic(at in any::<usize>(), to in any::<u8>()) {
        let rows: Vec<Row> = (0..300).map(|at| vec![("k".to_owned(), Owned::Int(at)), (format!("s{at}"), Owned::Str("x".into()))]).collect();
        let mut bytes = encode(&rows);
        let len = bytes.len();
        bytes[at % len] = to;
        if let Ok(attrs) = SegmentReader::open(&bytes).and_then(|mut reader| Attrs::read(&mut reader, rows.len())) {
            (0..rows.len()).for_each(|row| drop(row_of(&attrs, row)));
        }
    }
}
