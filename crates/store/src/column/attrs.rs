//! Attribute columns: the key-value lists of a block's records.
//!
//! A list is a shape (which keys with which kinds, in which order) and values. Each (key, kind) that at least one row in
//! a hundred has is a column of its own; the others share one residual column per kind. Order, duplicates and kinds
//! survive.

use super::ints::{read_floats, read_signed, read_u32s, write_floats, write_signed, write_u32s};
use super::segment::{SegmentReader, SegmentWriter};
use super::template::RowIds;
use super::text::{TextColumn, write_text};
use super::{Decoded, KeyMap};
use crate::error::Damage;
use model::{Attr, Text, Value};

/// Rows per checkpoint of the cursors.
const CHECKPOINT_ROWS: usize = 1024;
/// A pair that fewer than one row in this many has goes to the residual column.
const DENSE_ROWS: usize = 100;
/// Up to this many pairs all have columns of their own.
const DENSE_PAIRS_MIN: usize = 32;
/// Most keys, pairs or shapes a block may claim.
const SHAPES_MAX: usize = 1 << 22;

/// Kinds of values, with the numbers that files carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// No value.
    Empty = 0,
    /// UTF-8 text.
    Str = 1,
    /// 64-bit integer.
    Int = 2,
    /// 64-bit float.
    Double = 3,
    /// Boolean.
    Bool = 4,
    /// Opaque bytes.
    Bytes = 5,
    /// OTLP JSON of a composite.
    Json = 6,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Empty, Self::Str, Self::Int, Self::Double, Self::Bool, Self::Bytes, Self::Json];
}

/// A value as it stands in a batch. Texts are bytes: what goes into columns needs no look at its characters.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'a> {
    /// No value.
    Empty,
    /// Text, opaque bytes or JSON.
    Text(Kind, &'a [u8]),
    /// Integer or boolean.
    Int(Kind, i64),
    /// Float.
    Double(f64),
}

impl<'a> Raw<'a> {
    /// `value`, whose text is in `arena`.
    #[must_use]
    pub fn of(value: Value, arena: &'a [u8]) -> Self {
        match value {
            Value::Empty => Self::Empty,
            Value::Str(text) => Self::Text(Kind::Str, text.bytes(arena)),
            Value::Bytes(text) => Self::Text(Kind::Bytes, text.bytes(arena)),
            Value::Json(text) => Self::Text(Kind::Json, text.bytes(arena)),
            Value::Int(value) => Self::Int(Kind::Int, value),
            Value::Bool(value) => Self::Int(Kind::Bool, value.into()),
            Value::Double(value) => Self::Double(value),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Empty => Kind::Empty,
            Self::Text(kind, _) | Self::Int(kind, _) => kind,
            Self::Double(_) => Kind::Double,
        }
    }
}

/// The keys and values of attributes whose texts are in `arena`.
pub fn raw<'a>(arena: &'a [u8], attrs: &'a [Attr]) -> impl Iterator<Item = (&'a [u8], Raw<'a>)> {
    attrs.iter().map(|attr| (attr.key.bytes(arena), Raw::of(attr.value, arena)))
}

/// Values of one kind, in row order.
#[derive(Debug)]
enum Values<'a> {
    Empty,
    Text(Vec<&'a [u8]>),
    Int(Vec<i64>),
    Double(Vec<f64>),
}

impl<'a> Values<'a> {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Empty => Self::Empty,
            Kind::Str | Kind::Bytes | Kind::Json => Self::Text(Vec::new()),
            Kind::Int | Kind::Bool => Self::Int(Vec::new()),
            Kind::Double => Self::Double(Vec::new()),
        }
    }

    fn push(&mut self, value: Raw<'a>) {
        match (self, value) {
            (Self::Text(values), Raw::Text(_, bytes)) => values.push(bytes),
            (Self::Int(values), Raw::Int(_, value)) => values.push(value),
            (Self::Double(values), Raw::Double(value)) => values.push(value),
            _ => {}
        }
    }

    fn push_again(&mut self) {
        match self {
            Self::Empty => {}
            Self::Text(values) => values.extend(values.last().copied()),
            Self::Int(values) => values.extend(values.last().copied()),
            Self::Double(values) => values.extend(values.last().copied()),
        }
    }

    fn copy(&mut self, from: &Self, at: usize) {
        match (self, from) {
            (Self::Text(into), Self::Text(from)) => into.extend(from.get(at)),
            (Self::Int(into), Self::Int(from)) => into.extend(from.get(at)),
            (Self::Double(into), Self::Double(from)) => into.extend(from.get(at)),
            _ => {}
        }
    }

    fn write(&self, writer: &mut SegmentWriter) {
        match self {
            Self::Empty => {}
            Self::Text(values) => write_text(writer, values),
            Self::Int(values) => write_signed(writer, values),
            Self::Double(values) => write_floats(writer, values),
        }
    }
}

#[derive(Debug)]
struct Pair<'a> {
    key: &'a [u8],
    kind: Kind,
    count: usize,
    values: Values<'a>,
}

/// Collects the lists of a block, row by row.
#[derive(Debug, Default)]
pub struct AttrsBuilder<'a> {
    pairs: Vec<Pair<'a>>,
    pair_by_key: KeyMap<(&'a [u8], u8), u32>,
    shapes: Vec<Vec<u32>>,
    shape_by_pairs: KeyMap<Vec<u32>, u32>,
    rows: Vec<u32>,
    shape: Vec<u32>,
}

impl<'a> AttrsBuilder<'a> {
    /// Appends the list of the next row.
    pub fn push(&mut self, list: impl Iterator<Item = (&'a [u8], Raw<'a>)>) {
        let mut shape = std::mem::take(&mut self.shape);
        shape.clear();
        let guess = self.rows.last().copied();
        for (key, value) in list {
            let kind = value.kind();
            // Neighbours mostly have the same keys in the same order.
            let neighbour = guess
                .and_then(|guess| self.shapes.get(guess as usize))
                .and_then(|pairs| pairs.get(shape.len()));
            let same =
                |pair: &&u32| self.pairs.get(**pair as usize).is_some_and(|p| p.key == key && p.kind == kind);
            let pair = neighbour.filter(same).copied().unwrap_or_else(|| self.intern(key, kind));
            if let Some(pair) = self.pairs.get_mut(pair as usize) {
                pair.count += 1;
                pair.values.push(value);
            }
            shape.push(pair);
        }
        // Pair by pair: most lists are empty, and comparing what an empty vector points at as bytes is slow on some CPUs.
        let is_shape = |pairs: &Vec<u32>| pairs.iter().eq(&shape);
        let same = guess.filter(|last| self.shapes.get(*last as usize).is_some_and(is_shape));
        let known = same.or_else(|| self.shape_by_pairs.get(&shape).copied());
        let code = known.unwrap_or_else(|| {
            let code = index(self.shapes.len());
            self.shapes.push(shape.clone());
            self.shape_by_pairs.insert(shape.clone(), code);
            code
        });
        self.rows.push(code);
        self.shape = shape;
    }

    /// Appends the list of the row before once more, as the next row's; an empty one when there is none.
    pub fn push_again(&mut self) {
        let Some(code) = self.rows.last().copied() else { return self.push(std::iter::empty()) };
        for pair in self.shapes.get(code as usize).into_iter().flatten() {
            if let Some(pair) = self.pairs.get_mut(*pair as usize) {
                pair.count += 1;
                pair.values.push_again();
            }
        }
        self.rows.push(code);
    }

    fn intern(&mut self, key: &'a [u8], kind: Kind) -> u32 {
        *self.pair_by_key.entry((key, kind as u8)).or_insert_with(|| {
            self.pairs.push(Pair { key, kind, count: 0, values: Values::new(kind) });
            index(self.pairs.len() - 1)
        })
    }

    /// Appends the lists to the segment.
    pub fn write(&self, writer: &mut SegmentWriter) {
        let dense = |pair: &Pair<'_>| {
            self.pairs.len() <= DENSE_PAIRS_MIN || pair.count * DENSE_ROWS >= self.rows.len()
        };
        writer.count(self.pairs.len());
        for pair in &self.pairs {
            writer.number(pair.kind as u64 | u64::from(dense(pair)) << 3);
            writer.bytes(pair.key);
        }
        writer.count(self.shapes.len());
        let lengths: Vec<u32> = self.shapes.iter().map(|shape| index(shape.len())).collect();
        write_u32s(writer, &lengths);
        write_u32s(writer, &self.shapes.concat());
        write_u32s(writer, &self.rows);
        for pair in self.pairs.iter().filter(|pair| dense(pair) && pair.kind != Kind::Empty) {
            writer.count(pair.count);
            pair.values.write(writer);
        }
        for (kind, (count, values)) in Kind::ALL.iter().zip(self.residual(dense)) {
            if *kind != Kind::Empty {
                writer.count(count);
                values.write(writer);
            }
        }
    }

    /// The values of the sparse pairs in row order, by kind.
    fn residual(&self, dense: impl Fn(&Pair<'_>) -> bool) -> [(usize, Values<'a>); 7] {
        let mut residual = Kind::ALL.map(|kind| (0, Values::new(kind)));
        let sparse: Vec<bool> = self.pairs.iter().map(|pair| !dense(pair)).collect();
        if !sparse.contains(&true) {
            return residual;
        }
        let mut next = vec![0; self.pairs.len()];
        let shapes = self.rows.iter().filter_map(|shape| self.shapes.get(*shape as usize));
        for at in shapes.flatten().map(|pair| *pair as usize).filter(|pair| sparse[*pair]) {
            let (count, values) = &mut residual[self.pairs[at].kind as usize];
            values.copy(&self.pairs[at].values, next[at]);
            next[at] += 1;
            *count += 1;
        }
        residual
    }

    /// The keys, each once per kind.
    pub fn keys(&self) -> impl Iterator<Item = &'a [u8]> {
        self.pairs.iter().map(|pair| pair.key)
    }
}

fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[derive(Debug)]
enum Column {
    Empty,
    Text(TextColumn),
    Int(Vec<i64>),
    Double(Vec<f64>),
}

impl Column {
    fn read(reader: &mut SegmentReader, kind: Kind) -> Decoded<Self> {
        if kind == Kind::Empty {
            return Ok(Self::Empty);
        }
        let count = reader.count()?;
        Ok(match kind {
            Kind::Str | Kind::Bytes | Kind::Json => Self::Text(TextColumn::read(reader, count)?),
            Kind::Int | Kind::Bool => Self::Int(read_signed(reader, count)?),
            Kind::Double => Self::Double(read_floats(reader, count)?),
            Kind::Empty => Self::Empty,
        })
    }
}

#[derive(Debug)]
struct DecodedPair {
    key: String,
    kind: Kind,
    column: u32,
}

/// Decoded lists.
#[derive(Debug)]
pub struct Attrs {
    pairs: Vec<DecodedPair>,
    shapes: Vec<Vec<u32>>,
    rows: Vec<u32>,
    columns: Vec<Column>,
    /// Cursors at every [`CHECKPOINT_ROWS`]th row.
    checkpoints: Vec<Vec<u32>>,
}

/// Where a sequential reader stands: the next value of each column.
#[derive(Clone, Debug)]
pub struct Cursor {
    row: usize,
    next: Vec<u32>,
}

/// Key texts already in the arena of the batch that is being filled.
#[derive(Debug, Default)]
pub struct KeyTexts(Vec<Option<Text>>);

impl Attrs {
    /// Reads the lists of `count` rows.
    ///
    /// # Errors
    /// When the bytes are not such columns.
    pub fn read(reader: &mut SegmentReader, count: usize) -> Decoded<Self> {
        let pair_count = reader.count()?.min(SHAPES_MAX);
        let mut pairs = Vec::new();
        let mut dense = Vec::new();
        for _ in 0..pair_count {
            let mode = reader.number()?;
            let kind =
                Kind::ALL.get((mode & 7) as usize).ok_or_else(|| Damage::new("unknown kind of value"))?;
            let key =
                String::from_utf8(reader.bytes()?.to_vec()).map_err(|_| Damage::new("a key is not UTF-8"))?;
            let column = if mode & 8 != 0 {
                dense.push(*kind);
                index(dense.len() - 1)
            } else {
                u32::MAX
            };
            pairs.push(DecodedPair { key, kind: *kind, column });
        }
        let shapes = read_shapes(reader, pairs.len())?;
        let rows = read_u32s(reader, count, shapes.len().saturating_sub(1))?;
        let mut columns = Vec::with_capacity(dense.len() + Kind::ALL.len());
        let residual = dense.len();
        for kind in dense.into_iter().chain(Kind::ALL) {
            columns.push(Column::read(reader, kind)?);
        }
        for pair in pairs.iter_mut().filter(|pair| pair.column == u32::MAX) {
            pair.column = index(residual + pair.kind as usize);
        }
        let mut attrs = Self { pairs, shapes, rows, columns, checkpoints: Vec::new() };
        attrs.checkpoints(reader)?;
        Ok(attrs)
    }

    fn checkpoints(&mut self, reader: &mut SegmentReader) -> Decoded<()> {
        let mut cursor = Cursor { row: 0, next: vec![0; self.columns.len()] };
        let mut checkpoints = Vec::new();
        for row in 0..self.rows.len() {
            if row % CHECKPOINT_ROWS == 0 {
                reader.reserve(cursor.next.len() * 4)?;
                checkpoints.push(cursor.next.clone());
            }
            self.skip(&mut cursor);
        }
        self.checkpoints = checkpoints;
        Ok(())
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    fn shape(&self, row: usize) -> &[u32] {
        self.rows.get(row).and_then(|shape| self.shapes.get(*shape as usize)).map_or(&[], Vec::as_slice)
    }

    /// Moves `cursor` past its row.
    pub fn skip(&self, cursor: &mut Cursor) {
        for pair in self.shape(cursor.row) {
            let column = self.pairs.get(*pair as usize).map_or(0, |pair| pair.column as usize);
            if let Some(next) = cursor.next.get_mut(column) {
                *next += 1;
            }
        }
        cursor.row += 1;
    }

    /// A cursor at `row`; cheapest when rows are asked in order.
    #[must_use]
    pub fn seek(&self, row: usize) -> Cursor {
        let at = row / CHECKPOINT_ROWS;
        let next = self.checkpoints.get(at).cloned().unwrap_or_else(|| vec![0; self.columns.len()]);
        let mut cursor =
            Cursor { row: if self.checkpoints.len() > at { at * CHECKPOINT_ROWS } else { 0 }, next };
        self.advance(&mut cursor, row);
        cursor
    }

    /// Moves `cursor` to `row`, forward or back.
    pub fn advance(&self, cursor: &mut Cursor, row: usize) {
        if row < cursor.row || row - cursor.row > CHECKPOINT_ROWS {
            *cursor = self.seek_checkpoint(row);
        }
        while cursor.row < row {
            self.skip(cursor);
        }
    }

    fn seek_checkpoint(&self, row: usize) -> Cursor {
        let at = (row / CHECKPOINT_ROWS).min(self.checkpoints.len().saturating_sub(1));
        let next = self.checkpoints.get(at).cloned().unwrap_or_default();
        Cursor { row: at * CHECKPOINT_ROWS, next }
    }

    /// Calls `on_attr` with each key and value of the cursor's row, texts appended to `arena`, and moves on.
    pub fn visit(
        &self,
        cursor: &mut Cursor,
        arena: &mut Vec<u8>,
        keys: &mut KeyTexts,
        mut on_attr: impl FnMut(Attr),
    ) {
        keys.0.resize(self.pairs.len(), None);
        for at in self.shape(cursor.row) {
            let Some(pair) = self.pairs.get(*at as usize) else { continue };
            let key = *keys.0[*at as usize].get_or_insert_with(|| Text::push(arena, pair.key.as_bytes()));
            let Some(next) = cursor.next.get_mut(pair.column as usize) else { continue };
            let column = self.columns.get(pair.column as usize).unwrap_or(&Column::Empty);
            on_attr(Attr { key, value: value(column, pair.kind, *next as usize, arena) });
            *next += 1;
        }
        cursor.row += 1;
    }

    /// Calls `on_row` with each row that has text `wanted`, or an array or a map, under `key`; a row may come twice.
    pub fn rows_with(&self, key: &str, wanted: &str, mut on_row: impl FnMut(usize)) {
        self.rows_where(|pair| pair.key == key && pair.kind == Kind::Json, &mut on_row);
        for (at, pair) in
            self.pairs.iter().enumerate().filter(|(_, pair)| pair.key == key && pair.kind == Kind::Str)
        {
            let Some(Column::Text(column)) = self.columns.get(pair.column as usize) else { continue };
            let hits = column.equal(wanted.as_bytes(), self.values_of(pair.column));
            // One pass over the rows finds whose values they are.
            if hits.contains(&true) {
                self.rows_of(index(at), pair.column, |row, value| {
                    if hits.get(value) == Some(&true) {
                        on_row(row);
                    }
                });
            }
        }
    }

    fn values_of(&self, column: u32) -> usize {
        let mut count = 0;
        self.rows_of_column(column, |_, _, _| count += 1);
        count
    }

    fn rows_of_column(&self, column: u32, mut on_value: impl FnMut(usize, u32, usize)) {
        let in_column =
            |pair: &&u32| self.pairs.get(**pair as usize).is_some_and(|pair| pair.column == column);
        let mut value = 0;
        for row in 0..self.rows.len() {
            for pair in self.shape(row).iter().filter(in_column) {
                on_value(row, *pair, value);
                value += 1;
            }
        }
    }

    fn rows_of(&self, wanted: u32, column: u32, mut on_value: impl FnMut(usize, usize)) {
        self.rows_of_column(column, |row, pair, value| {
            if pair == wanted {
                on_value(row, value);
            }
        });
    }

    /// Calls `on_row` with each row that has `key` with any kind of value.
    pub fn rows_having(&self, key: &str, mut on_row: impl FnMut(usize)) {
        self.rows_where(|pair| pair.key == key, &mut on_row);
    }

    fn rows_where(&self, wanted: impl Fn(&DecodedPair) -> bool, on_row: &mut dyn FnMut(usize)) {
        let has =
            |shape: &Vec<u32>| shape.iter().any(|pair| self.pairs.get(*pair as usize).is_some_and(&wanted));
        let shapes: Vec<bool> = self.shapes.iter().map(has).collect();
        if shapes.contains(&true) {
            let hit = |shape: &u32| shapes.get(*shape as usize) == Some(&true);
            self.rows.iter().enumerate().filter(|(_, shape)| hit(shape)).for_each(|(row, _)| on_row(row));
        }
    }
}

fn read_shapes(reader: &mut SegmentReader, pairs: usize) -> Decoded<Vec<Vec<u32>>> {
    let count = reader.count()?;
    let lengths = read_u32s(reader, count, SHAPES_MAX)?;
    let total = lengths.iter().map(|len| *len as usize).sum::<usize>();
    if total > SHAPES_MAX {
        return Err(Damage::new("a block claims too many attribute shapes"));
    }
    reader.reserve(total * 4 + count * 24)?;
    let flat = read_u32s(reader, total, pairs.saturating_sub(1))?;
    let mut rest = flat.as_slice();
    let take = |len: &u32| {
        let (shape, after) = rest.split_at_checked(*len as usize)?;
        rest = after;
        Some(shape.to_vec())
    };
    lengths.iter().map(take).collect::<Option<_>>().ok_or_else(|| Damage::new("attribute shapes end early"))
}

fn value(column: &Column, kind: Kind, at: usize, arena: &mut Vec<u8>) -> Value {
    let start = arena.len();
    if let Column::Text(column) = column {
        column.append(at, &RowIds::default(), arena);
    }
    let text = Text { start: index(start), len: index(arena.len() - start) };
    let int = || match column {
        Column::Int(values) => values.get(at).copied().unwrap_or(0),
        _ => 0,
    };
    match (kind, column) {
        (Kind::Str, _) => Value::Str(text),
        (Kind::Bytes, _) => Value::Bytes(text),
        (Kind::Json, _) => Value::Json(text),
        (Kind::Int, _) => Value::Int(int()),
        (Kind::Bool, _) => Value::Bool(int() != 0),
        (Kind::Double, Column::Double(values)) => Value::Double(values.get(at).copied().unwrap_or(0.0)),
        _ => Value::Empty,
    }
}

#[cfg(test)]
mod tests;
