//! Joins of all kinds: Δ(A⋈B) = ΔA⋈B′ + A⋈ΔB, where B′ is B after the tick and A is A before it.
//!
//! Rows of the other side are found by key: in the shared indexes of hot tables wherever the side is made of their rows
//! ([`Operator::seekable`]), else in an arrangement of this join's own. What outer, semi, anti and mark joins
//! add depends on whether a row has *any* match: that is asked of the same indexes, before and after the tick, for the keys
//! that the tick touches on the other side.

use super::delta::{Delta, RowBytes, cancel, concat_rows, filter_rows, nullable, take_rows, with_count};
use super::keyed::{Access, Keyed};
use super::linear::{evaluate, passing};
use super::operator::{Emit, IndexNeed, Operator, Tick, When, line};
use super::regroup::distinct;
use crate::memory;
use crate::types::{PgError, PgResult};
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use std::sync::Arc;

/// Pairs that a join without keys makes at a time.
const PAIRS: usize = 1 << 18;

/// What a join gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The pairs, and the rows of the sides that are kept without a partner.
    Pairs { keep: [bool; 2] },
    /// The rows of one side that have a partner.
    Semi { main: usize },
    /// The rows of one side that have none.
    Anti { main: usize },
    /// The rows of one side, and whether they have a partner.
    Mark { main: usize },
}

/// What both sides' code needs of the join.
struct Core {
    kind: Kind,
    residual: Option<Arc<dyn PhysicalExpr>>,
    nulls_equal: bool,
    /// The columns of both sides.
    pairs: SchemaRef,
    schema: SchemaRef,
    widths: [usize; 2],
    keys: Option<RowBytes>,
}

impl Core {
    /// Which rows have a key that can match.
    fn matchable(&self, keys: &[ArrayRef]) -> Option<BooleanArray> {
        if self.nulls_equal || keys.iter().all(|key| key.null_count() == 0) {
            return None;
        }
        let rows = keys[0].len();
        Some((0..rows).map(|row| Some(keys.iter().all(|key| key.is_valid(row)))).collect())
    }

    /// The keys that can match, and the row of each.
    fn probes(&self, keys: Vec<ArrayRef>) -> PgResult<(Vec<ArrayRef>, Option<Vec<u32>>)> {
        let Some(mask) = self.matchable(&keys) else { return Ok((keys, None)) };
        let rows: Vec<u32> = mask.values().set_indices().map(|row| row as u32).collect();
        let keys = keys.iter().map(|key| Ok(arrow::compute::filter(key, &mask)?)).collect::<PgResult<_>>()?;
        Ok((keys, Some(rows)))
    }

    /// The pairs of some rows of side `from` with the rows of the other, and of each pair which of the rows it has.
    fn pairs(
        &self,
        tick: &Tick<'_>,
        rows: &RecordBatch,
        keys: Vec<ArrayRef>,
        from: usize,
        other: &Keyed,
        when: When,
    ) -> PgResult<(RecordBatch, Vec<u32>)> {
        if rows.num_rows() == 0 {
            return Ok((RecordBatch::new_empty(Arc::clone(&self.pairs)), vec![]));
        }
        if keys.is_empty() {
            return self.all_pairs(rows, from, &other.all(when)?);
        }
        let (keys, origin) = self.probes(keys)?;
        let (found, mut numbers) = other.seek(tick, when, &keys)?;
        if let Some(origin) = origin {
            numbers.iter_mut().for_each(|number| *number = origin[*number as usize]);
        }
        self.residual(self.pair(rows, &numbers, from, found)?, numbers)
    }

    fn all_pairs(&self, rows: &RecordBatch, from: usize, others: &RecordBatch) -> PgResult<(RecordBatch, Vec<u32>)> {
        let (count, width) = (rows.num_rows(), others.num_rows());
        let block = (PAIRS / width.max(1)).max(1);
        let (mut parts, mut all_numbers) = (Vec::new(), Vec::new());
        for start in (0..count).step_by(block) {
            if start > 0 {
                memory::check_far()?;
            }
            let end = count.min(start + block);
            let numbers: Vec<u32> = (start..end).flat_map(|row| std::iter::repeat_n(row as u32, width)).collect();
            let found = match end - start {
                1 => others.clone(),
                times => take_rows(others, (0..times).flat_map(|_| 0..width as u32).collect())?,
            };
            let (pairs, numbers) = self.residual(self.pair(rows, &numbers, from, found)?, numbers)?;
            parts.push(pairs);
            all_numbers.extend(numbers);
        }
        Ok((concat_rows(&self.pairs, &parts)?, all_numbers))
    }

    /// Rows of side `from` beside the rows found for them.
    fn pair(&self, rows: &RecordBatch, numbers: &[u32], from: usize, found: RecordBatch) -> PgResult<RecordBatch> {
        let picks = UInt32Array::from(numbers.to_vec());
        let mine = rows.columns().iter().map(|c| take(c, &picks, None)).collect::<Result<Vec<_>, _>>()?;
        let theirs = found.columns().to_vec();
        let columns = if from == 0 { [mine, theirs] } else { [theirs, mine] };
        with_count(&self.pairs, columns.concat(), numbers.len())
    }

    fn residual(&self, pairs: RecordBatch, numbers: Vec<u32>) -> PgResult<(RecordBatch, Vec<u32>)> {
        let Some(condition) = self.residual.as_ref().filter(|_| !numbers.is_empty()) else {
            return Ok((pairs, numbers));
        };
        let mask = passing(condition, &pairs)?;
        let numbers = mask.values().set_indices().map(|i| numbers[i]).collect();
        Ok((filter_rows(&pairs, &mask)?, numbers))
    }

    /// Which rows of side `from` have a partner on the other.
    fn matched(
        &self,
        tick: &Tick<'_>,
        rows: &RecordBatch,
        keys: Vec<ArrayRef>,
        from: usize,
        other: &Keyed,
        when: When,
    ) -> PgResult<Vec<bool>> {
        let mut matched = vec![false; rows.num_rows()];
        if rows.num_rows() == 0 {
            return Ok(matched);
        }
        if self.residual.is_some() {
            for number in self.pairs(tick, rows, keys, from, other, when)?.1 {
                matched[number as usize] = true;
            }
            return Ok(matched);
        }
        if keys.is_empty() {
            return Ok(vec![!other.is_empty(when); rows.num_rows()]);
        }
        let (keys, origin) = self.probes(keys)?;
        let found = other.contains(tick, when, &keys)?;
        match origin {
            None => return Ok(found),
            Some(origin) => origin.iter().zip(found).for_each(|(row, found)| matched[*row as usize] = found),
        }
        Ok(matched)
    }

    /// Rows of one side beside NULLs.
    fn alone(&self, rows: &RecordBatch, from: usize) -> PgResult<RecordBatch> {
        let count = rows.num_rows();
        let nulls = |range: std::ops::Range<usize>| -> Vec<ArrayRef> {
            range.map(|i| new_null_array(self.pairs.field(i).data_type(), count)).collect()
        };
        let columns = match from {
            0 => [rows.columns().to_vec(), nulls(self.widths[0]..self.widths[0] + self.widths[1])],
            _ => [nulls(0..self.widths[0]), rows.columns().to_vec()],
        };
        with_count(&self.schema, columns.concat(), count)
    }

    /// Rows of the main side with their mark.
    fn marked(&self, rows: &RecordBatch, marks: Vec<bool>) -> PgResult<RecordBatch> {
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(BooleanArray::from(marks)));
        with_count(&self.schema, columns, rows.num_rows())
    }

    /// The rows of side `main` whose having a partner changes because the other side does, as they were before the
    /// tick, and for each whether it has one now.
    fn turned(
        &self,
        tick: &Tick<'_>,
        main: usize,
        sides: &[Keyed; 2],
        delta: &Delta,
    ) -> PgResult<(RecordBatch, Vec<bool>)> {
        let (side, other) = (&sides[main], &sides[1 - main]);
        let Some(bytes) = &self.keys else {
            return self.turned_without_keys(tick, main, sides);
        };
        let (keys, _) = self.probes(other.key_values(&delta.rows)?)?;
        let keys = distinct(bytes, keys)?;
        let pick = |keys: &[ArrayRef], rows: Vec<u32>| -> PgResult<Vec<ArrayRef>> {
            let rows = UInt32Array::from(rows);
            keys.iter().map(|key| Ok(take(key, &rows, None)?)).collect()
        };
        if self.residual.is_none() {
            let before = other.contains(tick, When::Old, &keys)?;
            let after = other.contains(tick, When::New, &keys)?;
            let turned: Vec<u32> =
                (0..before.len()).filter(|key| before[*key] != after[*key]).map(|key| key as u32).collect();
            let now: Vec<bool> = turned.iter().map(|key| after[*key as usize]).collect();
            if turned.is_empty() {
                return Ok((RecordBatch::new_empty(Arc::clone(side.schema())), vec![]));
            }
            let (rows, numbers) = side.seek(tick, When::Old, &pick(&keys, turned)?)?;
            return Ok((rows, numbers.into_iter().map(|number| now[number as usize]).collect()));
        }
        let (rows, _) = side.seek(tick, When::Old, &keys)?;
        self.turned_among(tick, rows, main, sides)
    }

    fn turned_without_keys(
        &self,
        tick: &Tick<'_>,
        main: usize,
        sides: &[Keyed; 2],
    ) -> PgResult<(RecordBatch, Vec<bool>)> {
        let (side, other) = (&sides[main], &sides[1 - main]);
        if self.residual.is_none() && other.is_empty(When::Old) == other.is_empty(When::New) {
            return Ok((RecordBatch::new_empty(Arc::clone(side.schema())), vec![]));
        }
        self.turned_among(tick, side.all(When::Old)?, main, sides)
    }

    fn turned_among(
        &self,
        tick: &Tick<'_>,
        rows: RecordBatch,
        main: usize,
        sides: &[Keyed; 2],
    ) -> PgResult<(RecordBatch, Vec<bool>)> {
        let (side, other) = (&sides[main], &sides[1 - main]);
        let keys = side.key_values(&rows)?;
        let before = self.matched(tick, &rows, keys.clone(), main, other, When::Old)?;
        let after = self.matched(tick, &rows, keys, main, other, When::New)?;
        let turned: Vec<u32> = (0..before.len()).filter(|r| before[*r] != after[*r]).map(|r| r as u32).collect();
        let now = turned.iter().map(|row| after[*row as usize]).collect();
        Ok((take_rows(&rows, turned)?, now))
    }
}

/// Where a flag is as wanted.
fn rows_where(flags: &[bool], wanted: bool) -> Vec<u32> {
    (0..flags.len()).filter(|row| flags[*row] == wanted).map(|row| row as u32).collect()
}

fn weights_of(weights: &[i64], rows: &[u32]) -> Vec<i64> {
    rows.iter().map(|row| weights[*row as usize]).collect()
}

pub struct Join {
    sides: [Keyed; 2],
    core: Core,
}

/// A side of a join to be made: its rows, and the keys of a row.
pub struct Input {
    pub operator: Box<dyn Operator>,
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
}

impl Join {
    /// `residual`: a further condition over the columns of both sides. `schema`: of the output.
    pub fn new(
        kind: Kind,
        [left, right]: [Input; 2],
        residual: Option<Arc<dyn PhysicalExpr>>,
        nulls_equal: bool,
        schema: SchemaRef,
        needs: &mut Vec<IndexNeed>,
    ) -> PgResult<Self> {
        let fields: Vec<_> =
            left.operator.schema().fields().iter().chain(right.operator.schema().fields()).cloned().collect();
        let pairs = nullable(&Schema::new(fields));
        let widths = [left.operator.schema().fields().len(), right.operator.schema().fields().len()];
        let mut key_fields = Vec::new();
        for (nth, (l, r)) in left.keys.iter().zip(&right.keys).enumerate() {
            let (l, r) = (l.data_type(left.operator.schema())?, r.data_type(right.operator.schema())?);
            if l != r {
                return Err(PgError::internal(format!("a join compares {l} with {r}")));
            }
            key_fields.push(Field::new(format!("key {nth}"), l, true));
        }
        let keys = (!key_fields.is_empty()).then(|| RowBytes::new(&Schema::new(key_fields))).transpose()?;
        let schema = nullable(&schema);
        // The rows of the right that nobody matched are given from its arrangement.
        let full = kind == Kind::Pairs { keep: [true, true] };
        let left = Keyed::new(left.operator, left.keys, false, needs)?;
        let right = Keyed::new(right.operator, right.keys, full, needs)?;
        Ok(Self { sides: [left, right], core: Core { kind, residual, nulls_equal, pairs, schema, widths, keys } })
    }

    /// The side whose rows a first run streams through the join.
    fn streamed(&self) -> usize {
        match self.core.kind {
            Kind::Pairs { keep } => usize::from(keep == [false, true]),
            Kind::Semi { main } | Kind::Anti { main } | Kind::Mark { main } => main,
        }
    }

    fn step_pairs(&self, tick: &Tick<'_>, keep: [bool; 2], deltas: &[Delta; 2]) -> PgResult<Vec<Delta>> {
        let core = &self.core;
        let mut parts = Vec::new();
        for (from, when) in [(0, When::New), (1, When::Old)] {
            let (delta, side, other) = (&deltas[from], &self.sides[from], &self.sides[1 - from]);
            if delta.is_empty() {
                continue;
            }
            let keys = side.key_values(&delta.rows)?;
            let (pairs, numbers) = core.pairs(tick, &delta.rows, keys.clone(), from, other, when)?;
            if keep[from] {
                let matched = match from == 0 || deltas[0].is_empty() {
                    true => {
                        let mut matched = vec![false; delta.len()];
                        numbers.iter().for_each(|number| matched[*number as usize] = true);
                        matched
                    }
                    false => core.matched(tick, &delta.rows, keys, from, other, When::New)?,
                };
                let alone = rows_where(&matched, false);
                let weights = weights_of(&delta.weights, &alone);
                parts.push(Delta { rows: core.alone(&take_rows(&delta.rows, alone)?, from)?, weights });
            }
            if !numbers.is_empty() {
                let rows = with_count(&core.schema, pairs.columns().to_vec(), numbers.len())?;
                parts.push(Delta { rows, weights: weights_of(&delta.weights, &numbers) });
            }
            let main = 1 - from;
            if keep[main] {
                let (rows, now) = core.turned(tick, main, &self.sides, delta)?;
                let weights = now.into_iter().map(|matched| if matched { -1 } else { 1 }).collect();
                parts.push(Delta { rows: core.alone(&rows, main)?, weights });
            }
        }
        Ok(parts)
    }

    fn step_main(&self, tick: &Tick<'_>, main: usize, deltas: &[Delta; 2]) -> PgResult<Vec<Delta>> {
        let core = &self.core;
        let (delta, side, other) = (&deltas[main], &self.sides[main], &self.sides[1 - main]);
        let mut parts = Vec::new();
        if !delta.is_empty() {
            let keys = side.key_values(&delta.rows)?;
            let matched = core.matched(tick, &delta.rows, keys, main, other, When::New)?;
            parts.push(match core.kind {
                Kind::Mark { .. } => Delta { rows: core.marked(&delta.rows, matched)?, weights: delta.weights.clone() },
                kind => {
                    let picks = rows_where(&matched, matches!(kind, Kind::Semi { .. }));
                    let weights = weights_of(&delta.weights, &picks);
                    Delta::take(&delta.rows, picks, weights)?
                }
            });
        }
        if !deltas[1 - main].is_empty() {
            let (rows, now) = core.turned(tick, main, &self.sides, &deltas[1 - main])?;
            match core.kind {
                Kind::Mark { .. } => {
                    let before = now.iter().map(|now| !now).collect();
                    parts.push(Delta::all(core.marked(&rows, before)?, -1));
                    parts.push(Delta::all(core.marked(&rows, now)?, 1));
                }
                kind => {
                    let comes = matches!(kind, Kind::Semi { .. });
                    let weights = now.into_iter().map(|now| if now == comes { 1 } else { -1 }).collect();
                    parts.push(Delta { rows, weights });
                }
            }
        }
        Ok(parts)
    }
}

/// Rows that a first run looks up partners of at once in the beginning, and how many pairs it aims at then.
const FIRST: usize = 256;
const AIM: usize = 65_536;

/// One piece of a first run.
fn hydrate_piece(
    core: &Core,
    tick: &Tick<'_>,
    rows: &RecordBatch,
    keys: Vec<ArrayRef>,
    from: usize,
    other: &Keyed,
    emit: Emit<'_>,
) -> PgResult<()> {
    let out = match core.kind {
        Kind::Pairs { keep } => {
            let (pairs, numbers) = core.pairs(tick, rows, keys, from, other, When::New)?;
            let mut matched = vec![false; rows.num_rows()];
            numbers.iter().for_each(|number| matched[*number as usize] = true);
            if keep[from] {
                let alone = take_rows(rows, rows_where(&matched, false))?;
                if alone.num_rows() > 0 {
                    emit(core.alone(&alone, from)?)?;
                }
            }
            with_count(&core.schema, pairs.columns().to_vec(), numbers.len())?
        }
        Kind::Mark { .. } => core.marked(rows, core.matched(tick, rows, keys, from, other, When::New)?)?,
        kind => {
            let matched = core.matched(tick, rows, keys, from, other, When::New)?;
            take_rows(rows, rows_where(&matched, matches!(kind, Kind::Semi { .. })))?
        }
    };
    if out.num_rows() > 0 { emit(out) } else { Ok(()) }
}

impl Operator for Join {
    fn schema(&self) -> &SchemaRef {
        &self.core.schema
    }

    fn hydrate(&mut self, tick: &Tick<'_>, emit: Emit<'_>) -> PgResult<()> {
        let from = self.streamed();
        let core = &self.core;
        let [left, right] = &mut self.sides;
        let (side, other) = if from == 0 { (left, right) } else { (right, left) };
        other.prepare(tick)?;
        let other = &*other;
        let keys = side.keys.clone();
        // A row may have many partners: so many rows at once as would give about [`AIM`] of them.
        let mut some = FIRST;
        side.hydrate(tick, &mut |rows| {
            let mut at = 0;
            while at < rows.num_rows() {
                let (count, mut made) = (some.min(rows.num_rows() - at), 0);
                let piece = rows.slice(at, count);
                let keys = evaluate(&keys, &piece)?;
                hydrate_piece(core, tick, &piece, keys, from, other, &mut |out| {
                    made += out.num_rows();
                    emit(out)
                })?;
                tick.read(0)?;
                (at, some) = (at + count, (count * AIM / made.max(1)).max(1));
            }
            Ok(())
        })?;
        if core.kind == (Kind::Pairs { keep: [true, true] })
            && let Access::Arranged(arrangement) = &self.sides[1].access
        {
            for rows in arrangement.chunks(When::New, self.sides[1].schema()) {
                let rows = rows?;
                let keys = self.sides[1].key_values(&rows)?;
                let matched = core.matched(tick, &rows, keys, 1, &self.sides[0], When::New)?;
                emit(core.alone(&take_rows(&rows, rows_where(&matched, false))?, 1)?)?;
            }
        }
        Ok(())
    }

    fn prepare(&mut self, tick: &Tick<'_>) -> PgResult<()> {
        self.sides.iter_mut().try_for_each(|side| side.prepare(tick))
    }

    fn step(&mut self, tick: &Tick<'_>) -> PgResult<Delta> {
        let deltas = [self.sides[0].step(tick)?, self.sides[1].step(tick)?];
        if deltas.iter().all(Delta::is_empty) {
            return Ok(Delta::none(&self.core.schema));
        }
        let parts = match self.core.kind {
            Kind::Pairs { keep } => self.step_pairs(tick, keep, &deltas)?,
            Kind::Semi { main } | Kind::Anti { main } | Kind::Mark { main } => self.step_main(tick, main, &deltas)?,
        };
        let delta = Delta::concat(&self.core.schema, parts)?;
        // A pair of two rows that both change is made with the other's old and new version: what is in neither state
        // must be gone before an expression sees it.
        let crossed = deltas.iter().all(|delta| !delta.is_empty());
        if crossed { cancel(delta) } else { Ok(delta) }
    }

    fn seekable(&self, columns: &[usize], needs: &mut Vec<IndexNeed>) -> bool {
        match self.seek_side(columns) {
            Some((side, columns)) => self.sides[side].input.seekable(&columns, needs),
            None => false,
        }
    }

    fn seek(
        &self,
        tick: &Tick<'_>,
        when: When,
        columns: &[usize],
        keys: &[ArrayRef],
    ) -> PgResult<(RecordBatch, Vec<u32>)> {
        let Some((from, columns)) = self.seek_side(columns) else {
            return Err(PgError::internal("look-up in columns of both sides of a join"));
        };
        let core = &self.core;
        let (side, other) = (&self.sides[from], &self.sides[1 - from]);
        let (rows, found) = side.input.seek(tick, when, &columns, keys)?;
        let values = side.key_values(&rows)?;
        let originals = |rows: Vec<u32>| -> Vec<u32> { rows.into_iter().map(|row| found[row as usize]).collect() };
        match core.kind {
            Kind::Pairs { keep } => {
                let (pairs, numbers) = core.pairs(tick, &rows, values, from, other, when)?;
                let pairs = with_count(&core.schema, pairs.columns().to_vec(), numbers.len())?;
                if !keep[from] {
                    return Ok((pairs, originals(numbers)));
                }
                let mut matched = vec![false; rows.num_rows()];
                numbers.iter().for_each(|number| matched[*number as usize] = true);
                let alone = rows_where(&matched, false);
                if alone.is_empty() {
                    return Ok((pairs, originals(numbers)));
                }
                let extended = core.alone(&take_rows(&rows, alone.clone())?, from)?;
                let all = concat_rows(&core.schema, [&pairs, &extended])?;
                let numbers = originals(numbers.into_iter().chain(alone).collect());
                let mut order: Vec<u32> = (0..numbers.len() as u32).collect();
                order.sort_by_key(|row| numbers[*row as usize]);
                let sorted = order.iter().map(|row| numbers[*row as usize]).collect();
                Ok((take_rows(&all, order)?, sorted))
            }
            Kind::Mark { .. } => {
                let marks = core.matched(tick, &rows, values, from, other, when)?;
                Ok((core.marked(&rows, marks)?, found))
            }
            kind => {
                let matched = core.matched(tick, &rows, values, from, other, when)?;
                let picks = rows_where(&matched, matches!(kind, Kind::Semi { .. }));
                Ok((take_rows(&rows, picks.clone())?, originals(picks)))
            }
        }
    }

    fn bytes(&self) -> usize {
        self.sides.iter().map(Keyed::bytes).sum()
    }

    fn explain(&self, depth: usize, lines: &mut Vec<String>) {
        let kind = match self.core.kind {
            Kind::Pairs { keep: [false, false] } if self.core.keys.is_none() => "cross join",
            Kind::Pairs { keep: [false, false] } => "inner join",
            Kind::Pairs { keep: [true, true] } => "full join",
            Kind::Pairs { .. } => "outer join",
            Kind::Semi { .. } => "semi join",
            Kind::Anti { .. } => "anti join",
            Kind::Mark { .. } => "mark join",
        };
        let keys: Vec<String> =
            self.sides[0].keys.iter().zip(&self.sides[1].keys).map(|(l, r)| format!("{l} = {r}")).collect();
        let residual = self.core.residual.iter().map(|r| format!(" if {r}")).collect::<String>();
        let on = if keys.is_empty() { String::new() } else { format!(" on {}", keys.join(" and ")) };
        line(depth, lines, format!("{kind}{on}{residual}"));
        for (side, name) in self.sides.iter().zip(["left", "right"]) {
            line(depth + 1, lines, format!("{name}: {}", side.way()));
            side.input.explain(depth + 2, lines);
        }
    }
}

impl Join {
    /// The side that has all of these columns, and where rows are found by it.
    fn seek_side(&self, columns: &[usize]) -> Option<(usize, Vec<usize>)> {
        let width = self.core.widths[0];
        let left = || columns.iter().all(|c| *c < width).then(|| (0, columns.to_vec()));
        let right = || {
            let columns: Option<Vec<usize>> = columns.iter().map(|c| c.checked_sub(width)).collect();
            columns.map(|columns| (1, columns))
        };
        match self.core.kind {
            Kind::Pairs { keep: [true, true] } => None,
            Kind::Pairs { keep: [true, false] } => left(),
            Kind::Pairs { keep: [false, true] } => right(),
            Kind::Pairs { .. } => left().or_else(right),
            Kind::Semi { main } | Kind::Anti { main } | Kind::Mark { main } => {
                let width = self.core.widths[main];
                columns.iter().all(|c| *c < width).then(|| (main, columns.to_vec()))
            }
        }
    }
}
