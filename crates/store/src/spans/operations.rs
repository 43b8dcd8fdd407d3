//! The operations of a part, in a chunk of their own: lists of services and operations are answered without reading a
//! span. Parts from before this chunk have none.

use super::index::SpanIndex;
use crate::column::ints::{read_u32s, write_u32s};
use crate::column::segment::{SegmentReader, SegmentWriter};
use crate::column::template::RowIds;
use crate::column::text::{TextColumn, write_text};
use crate::error::{Damage, PartError};
use crate::part::Part;
use model::SpanKind;
use model::scan::Operation;
use model::span::UNKNOWN_SERVICE;
use std::collections::BTreeSet;

/// Highest number of a kind.
const KIND_MAX: usize = SpanKind::Consumer as usize;

/// The bytes of the chunk.
pub(super) fn encode(operations: &BTreeSet<Operation>) -> Vec<u8> {
    let mut writer = SegmentWriter::new();
    writer.count(operations.len());
    let texts = |text: fn(&Operation) -> &str| -> Vec<&[u8]> {
        operations.iter().map(|operation| text(operation).as_bytes()).collect()
    };
    write_text(&mut writer, &texts(|operation| &operation.service));
    write_text(&mut writer, &texts(|operation| &operation.name));
    write_u32s(&mut writer, &operations.iter().map(|one| u32::from(one.kind as u8)).collect::<Vec<_>>());
    writer.finish()
}

/// Reads a chunk.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Operation>, Damage> {
    let mut reader = SegmentReader::open(bytes)?;
    let count = reader.count()?;
    reader.reserve(count * size_of::<Operation>())?;
    let services = TextColumn::read(&mut reader, count)?;
    let names = TextColumn::read(&mut reader, count)?;
    let kinds = read_u32s(&mut reader, count, KIND_MAX)?;
    let text = |column: &TextColumn, at: usize| {
        let mut text = Vec::new();
        column.append(at, &RowIds::default(), &mut text);
        String::from_utf8(text).map_err(|_| Damage::new("the name of an operation is not UTF-8"))
    };
    let operation = |(at, kind): (usize, &u32)| {
        let kind = SpanKind::from_otlp(i32::try_from(*kind).unwrap_or(0));
        // Parts that were written first have no name here for spans without a service.
        let service = Some(text(&services, at)?).filter(|name| !name.is_empty());
        Ok(Operation {
            service: service.unwrap_or_else(|| UNKNOWN_SERVICE.to_owned()),
            name: text(&names, at)?,
            kind,
        })
    };
    kinds.iter().enumerate().map(operation).collect()
}

/// The operations of `part`; `None` when it does not say.
pub(super) fn of_part(part: &Part) -> Result<Option<Vec<Operation>>, PartError> {
    let Some(chunk) = SpanIndex::of(part)?.operations else { return Ok(None) };
    decode(&part.read(chunk)?).map(Some).map_err(|damage| part.damaged(damage))
}
