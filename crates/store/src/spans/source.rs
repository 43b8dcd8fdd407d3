//! Answers the span port.

use super::Spans;
use super::index::SpanIndex;
use super::operations;
use super::scan::Scan;
use crate::error::PartError;
use crate::part::{Part, ms_of};
use crate::shelf::{Source, View};
use model::scan::{AttrScope, Budget, Completeness, Operation, ScanError, SpanSelect, SpanSource};
use model::{SpanBatch, Tenant};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

impl SpanSource for Source<Spans> {
    fn scan(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
        on_batch: &mut dyn FnMut(&SpanBatch) -> ControlFlow<()>,
    ) -> Result<Completeness, ScanError> {
        budget.spend(0)?;
        // A trace in range may have spans at any time, so every part is asked.
        let View { parts, memories, mut completeness } = self.view(tenant, i64::MIN, i64::MAX);
        let mut on_damage = |error| self.absorb(error, &mut completeness);
        let mut scan = Scan::new(select, &mut on_damage);
        for part in &parts {
            budget.spend(0)?;
            scan.add_part(part)?;
        }
        memories.iter().flat_map(|memory| memory.chunks()).for_each(|chunk| scan.add_chunk(chunk));
        if select.trace_ids.is_empty() {
            scan.run(budget, on_batch)?;
        } else {
            scan.run_ids(budget, on_batch)?;
        }
        Ok(completeness)
    }

    fn attribute_names(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
    ) -> Result<Vec<(AttrScope, String)>, ScanError> {
        let range = (ms_of(select.start_ns), ms_of(select.end_ns.saturating_sub(1)));
        let View { parts, memories, mut completeness } = self.view(tenant, range.0, range.1);
        let mut names = BTreeSet::new();
        for part in &parts {
            budget.spend(0)?;
            if let Err(error) = names_of_part(part, select, &mut names) {
                self.absorb(error, &mut completeness)?;
            }
        }
        for chunk in memories.iter().flat_map(|memory| memory.chunks()) {
            budget.spend(0)?;
            if chunk.min_ns < select.end_ns && chunk.max_ns >= select.start_ns {
                names_of_batch(&chunk.batch, &mut names);
            }
        }
        Ok(names.into_iter().collect())
    }

    fn operations(
        &self,
        tenant: &Tenant,
        select: &SpanSelect,
        budget: &Budget,
    ) -> Result<BTreeSet<Operation>, ScanError> {
        let range_ns = select.start_ns..select.end_ns;
        let range = (ms_of(range_ns.start), ms_of(range_ns.end.saturating_sub(1)));
        let View { parts, memories, mut completeness } = self.view(tenant, range.0, range.1);
        let mut found = BTreeSet::new();
        let in_range = SpanSelect { start_ns: range_ns.start, end_ns: range_ns.end, ..SpanSelect::default() };
        let mut on_damage = |error| self.absorb(error, &mut completeness);
        // Of parts that do not say, the spans are read.
        let mut silent = Scan::new(&in_range, &mut on_damage);
        for part in &parts {
            budget.spend(0)?;
            match operations::of_part(part) {
                Ok(Some(known)) => found.extend(known),
                Ok(None) => silent.add_part(part)?,
                Err(error) => silent.damaged(error)?,
            }
        }
        memories.iter().flat_map(|memory| memory.chunks()).for_each(|chunk| {
            if chunk.min_ns < range_ns.end && chunk.max_ns >= range_ns.start {
                chunk.batch.operations(&range_ns, &mut found);
            }
        });
        silent.run(budget, &mut |batch| {
            batch.operations(&range_ns, &mut found);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }
}

fn names_of_part(
    part: &Part,
    select: &SpanSelect,
    names: &mut BTreeSet<(AttrScope, String)>,
) -> Result<(), PartError> {
    let index = SpanIndex::of(part)?;
    let blocks =
        index.blocks.iter().filter(|block| block.min_ns < select.end_ns && block.max_ns >= select.start_ns);
    let codes: BTreeSet<u32> = blocks.flat_map(|block| block.names.iter().copied()).collect();
    names.extend(codes.iter().filter_map(|code| index.names.get(*code as usize).cloned()));
    Ok(())
}

fn names_of_batch(batch: &SpanBatch, names: &mut BTreeSet<(AttrScope, String)>) {
    let mut add = |scope, attrs: &std::ops::Range<u32>| {
        for (key, _) in batch.attrs(attrs) {
            if !names.contains(&(scope, key.to_owned())) {
                names.insert((scope, key.to_owned()));
            }
        }
    };
    for resource in &batch.resources {
        add(AttrScope::Resource, &resource.attrs);
    }
    for scope in &batch.scopes {
        add(AttrScope::Instrumentation, &scope.attrs);
    }
    for span in &batch.spans {
        add(AttrScope::Span, &span.attrs);
    }
    for event in &batch.events {
        add(AttrScope::Event, &event.attrs);
    }
    for link in &batch.links {
        add(AttrScope::Link, &link.attrs);
    }
}
