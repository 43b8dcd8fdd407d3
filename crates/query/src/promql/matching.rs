//! Binary operators between vectors: series find each other by their labels, step by step.

use super::answer::PromError;
use super::binary::{changes_metric, samples};
use super::eval::{Context, DUPLICATE_LABELS, Result, merge_rows};
use super::value::{Cell, Grid, Row, braces, without_name};
use language::promql::ast::{Binary, BinaryOp, Cardinality, Matching, Span};
use model::Labels;
use model::labels::METRIC_NAME;
use std::collections::HashMap;

pub(crate) fn eval(context: &Context<'_>, binary: &Binary, span: Span, grid: Grid) -> Result<Vec<Row>> {
    let left = context.rows(&binary.lhs, grid)?;
    let right = context.rows(&binary.rhs, grid)?;
    let default = Matching::default();
    let matching = binary.matching.as_ref().unwrap_or(&default);
    let held: u64 = left.iter().chain(&right).map(super::eval::weight).sum();
    let out = if binary.op.is_set() {
        set_operation(binary.op, matching, left, right, grid)
    } else {
        Join::new(context, binary, matching, span, left, right, grid).run()
    }?;
    context.release(held);
    context.hold(out.iter().map(super::eval::weight).sum())?;
    Ok(out)
}

/// The labels that two series must have in common.
fn match_labels(matching: &Matching, labels: &Labels) -> Labels {
    let named = |name: &str| matching.labels.iter().any(|label| label == name);
    if matching.on { labels.retain(named) } else { labels.retain(|name| name != METRIC_NAME && !named(name)) }
}

/// Numbers the match groups; each row gets its group's number.
struct Groups(HashMap<Labels, usize>);

impl Groups {
    fn number(&mut self, matching: &Matching, rows: &[Row]) -> Vec<usize> {
        rows.iter()
            .map(|row| {
                let next = self.0.len();
                *self.0.entry(match_labels(matching, &row.labels)).or_insert(next)
            })
            .collect()
    }
}

fn set_operation(
    op: BinaryOp,
    matching: &Matching,
    mut left: Vec<Row>,
    mut right: Vec<Row>,
    grid: Grid,
) -> Result<Vec<Row>> {
    let mut groups = Groups(HashMap::new());
    let (left_groups, right_groups) = (groups.number(matching, &left), groups.number(matching, &right));
    let present = |rows: &[Row], numbers: &[usize], at: usize| {
        let mut present = vec![false; groups.0.len()];
        for (row, group) in rows.iter().zip(numbers) {
            let filled = row.cells.get(at).is_some_and(|cell| !cell.is_empty());
            if let Some(slot) = present.get_mut(*group).filter(|_| filled) {
                *slot = true;
            }
        }
        present
    };
    for at in 0..grid.len() {
        let (rows, numbers, present) = match op {
            BinaryOp::Or => (&mut right, &right_groups, present(&left, &left_groups, at)),
            _ => (&mut left, &left_groups, present(&right, &right_groups, at)),
        };
        let keep_present = op == BinaryOp::And;
        for (row, group) in rows.iter_mut().zip(numbers) {
            let matched = present.get(*group).copied().unwrap_or_default();
            if let Some(cell) = row.cells.get_mut(at).filter(|_| matched != keep_present) {
                *cell = Cell::Empty;
            }
        }
    }
    if op == BinaryOp::Or {
        left.extend(right);
    }
    merge_rows(left)
}

/// An arithmetic or comparison join. The right side is the "one" side; `group_right` swaps the operands.
struct Join<'j> {
    context: &'j Context<'j>,
    op: BinaryOp,
    return_bool: bool,
    matching: &'j Matching,
    span: Span,
    many: Vec<Row>,
    one: Vec<Row>,
    many_groups: Vec<usize>,
    one_groups: Vec<usize>,
    group_count: usize,
    swapped: bool,
    grid: Grid,
    /// Output row of a pair of input rows; `None` stands for a filled-in side.
    pairs: HashMap<(Option<usize>, Option<usize>), usize>,
    places: HashMap<Labels, usize>,
    out: Vec<Row>,
}

impl<'j> Join<'j> {
    fn new(
        context: &'j Context<'j>,
        binary: &Binary,
        matching: &'j Matching,
        span: Span,
        left: Vec<Row>,
        right: Vec<Row>,
        grid: Grid,
    ) -> Self {
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let mut groups = Groups(HashMap::new());
        let (many_groups, one_groups) = (groups.number(matching, &many), groups.number(matching, &one));
        Self {
            context,
            op: binary.op,
            return_bool: binary.return_bool,
            matching,
            span,
            many,
            one,
            many_groups,
            one_groups,
            group_count: groups.0.len(),
            swapped,
            grid,
            pairs: HashMap::new(),
            places: HashMap::new(),
            out: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Vec<Row>> {
        for at in 0..self.grid.len() {
            self.context.budget.spend(0)?;
            self.step(at)?;
        }
        self.out.retain(Row::has_cells);
        Ok(self.out)
    }

    fn step(&mut self, at: usize) -> Result<()> {
        let filled = |row: &Row| row.cells.get(at).is_some_and(|cell| !cell.is_empty());
        let any = |rows: &[Row]| rows.iter().any(filled);
        let sides = usize::from(any(&self.many)) + usize::from(any(&self.one));
        let fills = self.matching.fill_left.is_some() || self.matching.fill_right.is_some();
        if sides == 0 || sides == 1 && !fills {
            return Ok(());
        }
        let mut one_of_group: Vec<Option<usize>> = vec![None; self.group_count];
        for (index, group) in self.one_groups.iter().enumerate() {
            if !self.one.get(index).is_some_and(filled) {
                continue;
            }
            if let Some(slot) = one_of_group.get_mut(*group) {
                if let Some(other) = *slot {
                    return Err(self.duplicate(index, other));
                }
                *slot = Some(index);
            }
        }
        let mut matched: Vec<Vec<usize>> = vec![Vec::new(); self.group_count];
        for index in 0..self.many.len() {
            if !self.many.get(index).is_some_and(filled) {
                continue;
            }
            let group = self.many_groups.get(index).copied().unwrap_or_default();
            let one = one_of_group.get(group).copied().flatten();
            if one.is_some() || self.matching.fill_right.is_some() {
                self.pair(at, Some(index), one, matched.get_mut(group))?;
            }
        }
        if self.matching.fill_left.is_none() {
            return Ok(());
        }
        for (group, one) in one_of_group.into_iter().enumerate() {
            let unmatched = matched.get(group).is_some_and(Vec::is_empty);
            if one.is_some() && unmatched {
                self.pair(at, None, one, matched.get_mut(group))?;
            }
        }
        Ok(())
    }

    fn duplicate(&self, a: usize, b: usize) -> PromError {
        let name = |at: usize| self.one.get(at).map(|row| braces(&row.labels)).unwrap_or_default();
        let (mut a_name, mut b_name) = (name(a), name(b));
        if a_name > b_name {
            std::mem::swap(&mut a_name, &mut b_name);
        }
        let group = self.one.get(a).map(|row| match_labels(self.matching, &row.labels)).unwrap_or_default();
        let group = braces(&group);
        let side = if self.swapped { "left" } else { "right" };
        PromError::execution(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: \
             [{a_name}, {b_name}];many-to-many matching not allowed: matching labels must be unique on one side"
        ))
    }

    /// Applies the operator to a pair of rows at a step. `matched` are the output rows of the pair's match group.
    fn pair(
        &mut self,
        at: usize,
        many: Option<usize>,
        one: Option<usize>,
        matched: Option<&mut Vec<usize>>,
    ) -> Result<()> {
        let cell = |rows: &[Row], index: Option<usize>, fill: Option<f64>| match index {
            Some(index) => rows.get(index).and_then(|row| row.cells.get(at)).cloned().unwrap_or_default(),
            None => fill.map_or(Cell::Empty, Cell::Float),
        };
        // Fills follow the sides that are joined, also when the operands are swapped.
        let many_cell = cell(&self.many, many, self.matching.fill_left);
        let one_cell = cell(&self.one, one, self.matching.fill_right);
        let (left, right) = if self.swapped { (&one_cell, &many_cell) } else { (&many_cell, &one_cell) };
        let Some(outcome) = samples(self.context, self.op, self.span, left, right) else { return Ok(()) };
        let place = self.place(many, one);
        if let Some(matched) = matched {
            if self.matching.cardinality == Cardinality::OneToOne {
                if !matched.is_empty() {
                    return Err(PromError::execution(
                        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                    ));
                }
            } else if matched.contains(&place) {
                return Err(PromError::execution(
                    "multiple matches for labels: grouping labels must ensure unique matches",
                ));
            }
            matched.push(place);
        }
        let value = match (self.return_bool, outcome.keep) {
            (true, keep) => Cell::Float(f64::from(u8::from(keep))),
            (false, true) => outcome.cell,
            (false, false) => return Ok(()),
        };
        let Some(slot) = self.out.get_mut(place).and_then(|row| row.cells.get_mut(at)) else { return Ok(()) };
        if !slot.is_empty() {
            return Err(PromError::execution(DUPLICATE_LABELS));
        }
        *slot = value;
        Ok(())
    }

    /// The output row of a pair.
    fn place(&mut self, many: Option<usize>, one: Option<usize>) -> usize {
        if let Some(place) = self.pairs.get(&(many, one)) {
            return *place;
        }
        let labels = self.result_labels(many, one);
        let next = self.out.len();
        let place = *self.places.entry(labels.clone()).or_insert(next);
        if place == next {
            let cells = vec![Cell::Empty; self.grid.len()];
            self.out.push(Row { labels, drop_name: self.return_bool, cells });
        }
        self.pairs.insert((many, one), place);
        place
    }

    fn result_labels(&self, many: Option<usize>, one: Option<usize>) -> Labels {
        let of = |rows: &[Row], index: Option<usize>| {
            index.and_then(|index| rows.get(index)).map(|row| row.labels.clone())
        };
        let (many, one) = (of(&self.many, many), of(&self.one, one));
        let group = |other: &Option<Labels>| {
            other.as_ref().map(|labels| match_labels(self.matching, labels)).unwrap_or_default()
        };
        let many_labels = many.clone().unwrap_or_else(|| group(&one));
        let one_labels = one.unwrap_or_else(|| group(&many));
        let drop = self.return_bool && !self.context.options.delayed_name_removal;
        let mut labels =
            if drop || changes_metric(self.op) { without_name(&many_labels) } else { many_labels };
        if self.matching.cardinality == Cardinality::OneToOne {
            let named = |name: &str| self.matching.labels.iter().any(|label| label == name);
            labels = labels.retain(|name| named(name) == self.matching.on);
        }
        if self.matching.include.is_empty() {
            return labels;
        }
        let mut builder = labels.builder();
        for name in &self.matching.include {
            builder.set(name, one_labels.get(name).unwrap_or_default());
        }
        builder.build()
    }
}
