//! Subqueries and LATERAL become joins.
//!
//! Bottom-up, every subquery of an expression turns into a join beside the rows that the expression is computed for:
//! EXISTS and IN into semi, anti or mark joins, a scalar subquery into a left join behind a guard that raises `21000`.
//! Where the subquery names outer columns, either its conditions on them move up into the join ([`Pull`]), or the
//! distinct outer values are pushed down to where they are used ([`Binder::depend`]); the latter works for every shape
//! (T. Neumann, A. Kemper: "Unnesting Arbitrary Queries", BTW 2015).

use super::Binder;
use super::expr::{coalesce, constant, lists, null_of};
use super::from::{filtered, join};
use super::query::{conjuncts, equals};
use super::tree::{
    Aggregate, AggregateCall, ColId, Expr, ExprKind, Join, JoinKind, Rel, SetOp, SortKey, Subquery, SubqueryKind,
    bigint,
};
use crate::types::{ExprType, Oid, PgError, PgResult, oid};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use std::collections::{BTreeSet, HashMap};

/// `count(*)` and `count(x)`: the aggregates that are 0, not NULL, over no rows.
const COUNTS: [Oid; 2] = [Oid(2803), Oid(2147)];

/// Subqueries that were extracted, and what became of them: an expression that stands in several places (`x BETWEEN …`,
/// the argument of an ordered-set aggregate) has its subquery once.
type Known = Vec<(Expr, Expr)>;

/// A subquery beside its outer rows: what to join with, and on what.
struct Beside {
    rel: Rel,
    on: Vec<Expr>,
    same: Vec<(Expr, Expr)>,
}

impl Binder<'_> {
    /// `rel` without subqueries in expressions and without correlated joins.
    pub(super) fn unnest(&mut self, mut rel: Rel) -> PgResult<Rel> {
        for input in rel.inputs_mut() {
            let taken = std::mem::replace(input, Rel::One);
            *input = self.unnest(taken)?;
        }
        if let Rel::Join(_) = rel {
            let Rel::Join(join) = rel else { return Err(PgError::internal("a join was expected")) };
            return self.unnest_join(*join);
        }
        if !rel.exprs().into_iter().any(has_subquery) {
            return Ok(rel);
        }
        if let Rel::Filter { input, predicates } = rel {
            return self.unnest_filter(*input, predicates);
        }
        // The input is taken out, extended with what the subqueries give, and put back.
        let refuse = |what: &str| Err(PgError::unsupported(format!("a subquery in {what}")));
        match &mut rel {
            Rel::Values { .. } => return self.unnest_values(rel),
            Rel::Limit { .. } => return refuse("LIMIT"),
            _ => {}
        }
        let mut taken = {
            let mut inputs = rel.inputs_mut();
            match inputs.as_mut_slice() {
                [input] => std::mem::replace(*input, Rel::One),
                _ => return refuse("this place"),
            }
        };
        let mut known = Known::default();
        for expr in rel.exprs_mut() {
            taken = self.extract(taken, expr, &mut known)?;
        }
        if let [input] = rel.inputs_mut().as_mut_slice() {
            **input = taken;
        }
        Ok(rel)
    }

    /// VALUES with subqueries: a union of one-row projections.
    fn unnest_values(&mut self, rel: Rel) -> PgResult<Rel> {
        let Rel::Values { columns, rows } = rel else { return Err(PgError::internal("VALUES were expected")) };
        let rel = self.values_as_union(Rel::One, columns, rows)?;
        self.unnest(rel)
    }

    fn values_as_union(&mut self, base: Rel, columns: Vec<(ColId, ExprType)>, rows: Vec<Vec<Expr>>) -> PgResult<Rel> {
        let mut result: Option<(Rel, Vec<ColId>)> = None;
        let count = rows.len();
        for (n, row) in rows.into_iter().enumerate() {
            let ids: Vec<ColId> = row.iter().map(|_| self.new_id()).collect();
            let exprs = ids.iter().copied().zip(row).collect();
            let one = Rel::Project { input: Box::new(base.clone()), exprs };
            result = Some(match result {
                None => (one, ids),
                Some((left, lefts)) => {
                    let out: Vec<ColId> = match n + 1 == count {
                        true => columns.iter().map(|(id, _)| *id).collect(),
                        false => columns.iter().map(|_| self.new_id()).collect(),
                    };
                    let merged =
                        columns.iter().enumerate().map(|(i, (_, ty))| (out[i], ty.clone(), lefts[i], ids[i])).collect();
                    let (left, right) = (Box::new(left), Box::new(one));
                    (Rel::SetOp { op: SetOp::Union, all: true, left, right, columns: merged }, out)
                }
            });
        }
        result.map(|(rel, _)| rel).ok_or_else(|| PgError::internal("VALUES without rows"))
    }

    fn unnest_filter(&mut self, input: Rel, predicates: Vec<Expr>) -> PgResult<Rel> {
        let (hard, plain): (Vec<Expr>, Vec<Expr>) = predicates.into_iter().flat_map(conjuncts).partition(has_subquery);
        let mut rel = filtered(input, plain);
        let mut rest = Vec::new();
        let mut known = Known::default();
        for mut predicate in hard {
            let (negated, subquery) = match &predicate.kind {
                ExprKind::Subquery(s) => (false, Some(s)),
                ExprKind::Not(inner) => match &inner.kind {
                    ExprKind::Subquery(s) => (true, Some(s)),
                    _ => (true, None),
                },
                _ => (false, None),
            };
            let test = match subquery.map(|s| &s.kind) {
                Some(SubqueryKind::Exists) => Some(None),
                // NOT IN is not the absence of a match: NULLs decide. Only the value knows.
                Some(SubqueryKind::Any(test)) if !negated => Some(Some((**test).clone())),
                _ => None,
            };
            let (Some(test), Some(subquery)) = (test, subquery.cloned()) else {
                rel = self.extract(rel, &mut predicate, &mut known)?;
                rest.push(predicate);
                continue;
            };
            let mut test = test;
            if let Some(test) = &mut test {
                for child in test.children_mut() {
                    rel = self.extract(rel, child, &mut known)?;
                }
            }
            let inner = self.unnest(subquery.rel)?;
            let beside = self.beside(&rel, inner)?;
            let kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
            rel = beside.join(kind, rel, test);
        }
        Ok(filtered(rel, rest))
    }

    /// Replaces the subqueries of `expr` by columns of the rows, which it extends.
    fn extract(&mut self, mut rel: Rel, expr: &mut Expr, known: &mut Known) -> PgResult<Rel> {
        if !has_subquery(expr) {
            return Ok(rel);
        }
        let original = matches!(expr.kind, ExprKind::Subquery(_)).then(|| expr.clone());
        if let Some((_, value)) = known.iter().find(|(subquery, _)| Some(subquery) == original.as_ref()) {
            *expr = value.clone().at(expr.at);
            return Ok(rel);
        }
        for child in expr.children_mut() {
            rel = self.extract(rel, child, known)?;
        }
        let ExprKind::Subquery(_) = &expr.kind else { return Ok(rel) };
        let kind = std::mem::replace(&mut expr.kind, ExprKind::Literal(ScalarValue::Null));
        let ExprKind::Subquery(subquery) = kind else { return Err(PgError::internal("a subquery was expected")) };
        let Subquery { kind, rel: inner } = *subquery;
        let inner = self.unnest(inner)?;
        let (rel, value) = match kind {
            SubqueryKind::Exists => {
                let id = self.new_id();
                let beside = self.beside(&rel, inner)?;
                let mark = Expr::column(id, expr.ty.clone());
                (beside.join(JoinKind::Mark(id), rel, None), mark)
            }
            SubqueryKind::Any(test) => self.any_value(rel, inner, *test)?,
            SubqueryKind::Scalar(column) => self.scalar_value(rel, inner, column, &expr.ty)?,
        };
        let at = expr.at;
        known.extend(original.map(|original| (original, value.clone())));
        *expr = value.at(at);
        Ok(rel)
    }

    /// Whether `test` is true for any row, false for all, or else NULL.
    fn any_value(&mut self, rel: Rel, inner: Rel, test: Expr) -> PgResult<(Rel, Expr)> {
        let boolean = test.ty.clone();
        let again = {
            let names = self.fresh_names(&inner);
            let mut copy = inner.clone();
            copy.rename(&names);
            let mut test = test.clone();
            test.rename(&names);
            (copy, test)
        };
        let outer: BTreeSet<ColId> = rel.columns().into_iter().map(|(id, _)| id).collect();
        let correlated = !inner.free().is_disjoint(&outer);
        let matched = self.new_id();
        let beside = self.beside(&rel, inner)?;
        let rel = beside.join(JoinKind::Mark(matched), rel, Some(test));
        let matched = Expr::column(matched, boolean.clone());
        let (inner, test) = again;
        let null = null_of(&boolean)?;
        // Of one equality, two counts tell what nested loops would otherwise have to find out.
        let sides = (!correlated).then(|| split_equality(&test, &inner)).flatten();
        if let Some((inside, outside)) = sides {
            let (all, known) = (self.new_id(), self.new_id());
            let calls = vec![(all, bigint(), count(None)), (known, bigint(), count(Some(inside)))];
            let counts = Rel::Aggregate(Box::new(Aggregate { input: inner, keys: Vec::new(), sets: None, calls }));
            let rel = join(JoinKind::Inner, rel, counts, Vec::new());
            let all = Expr::column(all, bigint());
            let known = Expr::column(known, bigint());
            let none = equals(all.clone(), constant::int8(0));
            let fewer =
                Expr::boolean(ExprKind::Native { op: Operator::Lt, left: Box::new(known), right: Box::new(all) });
            let open = Expr::boolean(ExprKind::Or(vec![Expr::boolean(ExprKind::IsNull(Box::new(outside))), fewer]));
            let branches = vec![(matched, Expr::truth(true)), (none, Expr::truth(false)), (open, null)];
            let value = ExprKind::Case { branches, otherwise: Some(Box::new(Expr::truth(false))) };
            return Ok((rel, Expr::boolean(value)));
        }
        let open = self.new_id();
        let beside = self.beside(&rel, inner)?;
        let is_null = Expr::boolean(ExprKind::IsNull(Box::new(test)));
        let rel = beside.join(JoinKind::Mark(open), rel, Some(is_null));
        let branches = vec![(matched, Expr::truth(true)), (Expr::column(open, boolean), null)];
        let value = ExprKind::Case { branches, otherwise: Some(Box::new(Expr::truth(false))) };
        Ok((rel, Expr::boolean(value)))
    }

    fn scalar_value(&mut self, rel: Rel, inner: Rel, column: ColId, ty: &ExprType) -> PgResult<(Rel, Expr)> {
        // (SELECT expression) is the expression.
        if let Rel::Project { input, exprs } = &inner
            && **input == Rel::One
            && let Some((_, e)) = exprs.iter().find(|(id, _)| *id == column)
        {
            return Ok((rel, e.clone()));
        }
        let outer: BTreeSet<ColId> = rel.columns().into_iter().map(|(id, _)| id).collect();
        let value = Expr::column(column, ty.clone());
        if inner.free().is_disjoint(&outer) {
            if at_most_one(&inner) {
                return Ok((join(JoinKind::Left, rel, inner, vec![Expr::truth(true)]), value));
            }
            let (guarded, value) = self.guard(inner, Vec::new(), value);
            return Ok((join(JoinKind::Inner, rel, guarded, Vec::new()), value));
        }
        if let Some(found) = self.scalar_aggregate(&rel, &inner, column, &outer) {
            let (right, on, value) = found;
            return Ok((join(JoinKind::Left, rel, right, on), value));
        }
        if !at_most_one(&inner) && Pull::possible(&inner, &outer) {
            let (pulled, on) = Pull::apply(inner.clone(), &outer);
            let pairs: Option<Vec<(Expr, Expr)>> = on.iter().map(|p| sides_of(p, &outer)).collect();
            if let Some(pairs) = pairs {
                let (insides, outsides): (Vec<Expr>, Vec<Expr>) = pairs.into_iter().unzip();
                let keys: Vec<(ColId, Expr)> = insides.into_iter().map(|e| (self.new_id(), e)).collect();
                let on = keys.iter().zip(outsides).map(|((id, e), o)| equals(Expr::column(*id, e.ty.clone()), o));
                let on = on.collect();
                let (guarded, value) = self.guard(pulled, keys, value);
                return Ok((join(JoinKind::Left, rel, guarded, on), value));
            }
        }
        let single = at_most_one(&inner);
        let (inner, names, types) = self.push_down(&rel, inner)?;
        let (right, value, keys) = match single {
            true => (inner, value, names),
            false => {
                let keys: Vec<(ColId, Expr)> =
                    names.values().map(|id| (self.new_id(), Expr::column(*id, types[id].clone()))).collect();
                let again: HashMap<ColId, ColId> = names
                    .iter()
                    .filter_map(|(old, new)| {
                        let key = keys.iter().find(|(_, e)| matches!(e.kind, ExprKind::Column(c) if c == *new))?;
                        Some((*old, key.0))
                    })
                    .collect();
                let (guarded, value) = self.guard(inner, keys, value);
                (guarded, value, again)
            }
        };
        let made: HashMap<ColId, ExprType> = right.columns().into_iter().collect();
        let same = keys.iter().map(|(old, new)| {
            let ty = made.get(new).cloned().unwrap_or_else(|| value.ty.clone());
            (Expr::column(*old, ty.clone()), Expr::column(*new, ty))
        });
        let same = same.collect();
        let joined = Join { kind: JoinKind::Left, left: rel, right, on: Vec::new(), same };
        Ok((Rel::Join(Box::new(joined)), value))
    }

    /// One row for each key with the value, and `21000` when it is read where there were several.
    fn guard(&mut self, inner: Rel, keys: Vec<(ColId, Expr)>, value: Expr) -> (Rel, Expr) {
        let (first, rows) = (self.new_id(), self.new_id());
        let ty = value.ty.clone();
        let take_first = AggregateCall {
            proc: oid::INVALID,
            udf: datafusion::functions_aggregate::first_last::first_value_udaf(),
            args: vec![value],
            distinct: false,
            filter: None,
            order_by: Vec::new(),
        };
        let calls = vec![(first, ty.clone(), take_first), (rows, bigint(), count(None))];
        let rel = Rel::Aggregate(Box::new(Aggregate { input: inner, keys, sets: None, calls }));
        let args = vec![Expr::column(first, ty.clone()), Expr::column(rows, bigint())];
        let value = Expr::new(ExprKind::Scalar { proc: oid::INVALID, udf: lists::single_row(), args }, ty);
        (rel, value)
    }

    /// A correlated aggregate without GROUP BY whose correlation is equalities: grouped by the inner sides.
    fn scalar_aggregate(
        &mut self,
        _rel: &Rel,
        inner: &Rel,
        column: ColId,
        outer: &BTreeSet<ColId>,
    ) -> Option<(Rel, Vec<Expr>, Expr)> {
        let (aggregate, value) = match inner {
            Rel::Aggregate(a) => (a, None),
            Rel::Project { input, exprs } => match &**input {
                Rel::Aggregate(a) => (a, Some(&exprs.iter().find(|(id, _)| *id == column)?.1)),
                _ => return None,
            },
            _ => return None,
        };
        if !aggregate.keys.is_empty() || aggregate.sets.is_some() {
            return None;
        }
        let named = |e: &Expr| !e.needed().is_disjoint(outer);
        if aggregate.calls.iter().flat_map(|(_, _, c)| c.exprs()).any(named) {
            return None;
        }
        if !Pull::possible(&aggregate.input, outer) {
            return None;
        }
        let (input, on) = Pull::apply(aggregate.input.clone(), outer);
        let pairs: Vec<(Expr, Expr)> = on.iter().map(|p| sides_of(p, outer)).collect::<Option<_>>()?;
        let (insides, outsides): (Vec<Expr>, Vec<Expr>) = pairs.into_iter().unzip();
        let keys: Vec<(ColId, Expr)> = insides.into_iter().map(|e| (self.new_id(), e)).collect();
        let on = keys.iter().zip(outsides).map(|((id, e), o)| equals(Expr::column(*id, e.ty.clone()), o)).collect();
        let ty = aggregate.calls.iter().find(|(id, _, _)| *id == column).map(|(_, ty, _)| ty.clone());
        let mut value = match value {
            Some(value) => value.clone(),
            None => Expr::column(column, ty?),
        };
        let counts: Vec<ColId> =
            aggregate.calls.iter().filter(|(_, _, c)| COUNTS.contains(&c.proc)).map(|(id, _, _)| *id).collect();
        value.rewrite(&mut |e| {
            if matches!(&e.kind, ExprKind::Column(c) if counts.contains(c)) {
                *e = coalesce(vec![e.clone(), constant::int8(0)]);
            }
        });
        let calls = aggregate.calls.clone();
        let right = Rel::Aggregate(Box::new(Aggregate { input, keys, sets: None, calls }));
        Some((right, on, value))
    }

    /// What `inner` is to be joined with the outer rows on.
    fn beside(&mut self, outer: &Rel, inner: Rel) -> PgResult<Beside> {
        let columns: BTreeSet<ColId> = outer.columns().into_iter().map(|(id, _)| id).collect();
        if inner.free().is_disjoint(&columns) {
            return Ok(Beside { rel: inner, on: Vec::new(), same: Vec::new() });
        }
        if Pull::possible(&inner, &columns) {
            let (rel, on) = Pull::apply(inner, &columns);
            return Ok(Beside { rel, on, same: Vec::new() });
        }
        let (rel, names, types) = self.push_down(outer, inner)?;
        let same = names
            .iter()
            .map(|(old, new)| {
                let ty = types[new].clone();
                (Expr::column(*old, ty.clone()), Expr::column(*new, ty))
            })
            .collect();
        Ok(Beside { rel, on: Vec::new(), same })
    }

    fn unnest_join(&mut self, join_: Join) -> PgResult<Rel> {
        let Join { kind, mut left, mut right, mut on, same } = join_;
        if on.iter().any(has_subquery) {
            let (hard, plain): (Vec<Expr>, Vec<Expr>) = on.into_iter().partition(has_subquery);
            if kind == JoinKind::Inner {
                let joined = Rel::Join(Box::new(Join { kind, left, right, on: plain, same }));
                let joined = self.unnest(joined)?;
                return self.unnest_filter(joined, hard);
            }
            on = plain;
            // For an outer join the subquery's value must be known on one side alone.
            let rights: BTreeSet<ColId> = right.columns().into_iter().map(|(id, _)| id).collect();
            let lefts: BTreeSet<ColId> = left.columns().into_iter().map(|(id, _)| id).collect();
            let (mut known_left, mut known_right) = (Known::default(), Known::default());
            for mut predicate in hard {
                let needed = subquery_needs(&predicate);
                if needed.is_disjoint(&lefts) {
                    right = self.extract(right, &mut predicate, &mut known_right)?;
                } else if needed.is_disjoint(&rights) {
                    left = self.extract(left, &mut predicate, &mut known_left)?;
                } else {
                    return Err(PgError::unsupported("a subquery over both sides in the ON of an outer join"));
                }
                on.push(predicate);
            }
        }
        let lefts: BTreeSet<ColId> = left.columns().into_iter().map(|(id, _)| id).collect();
        if right.free().is_disjoint(&lefts) {
            return Ok(Rel::Join(Box::new(Join { kind, left, right, on, same })));
        }
        match kind {
            JoinKind::Inner | JoinKind::Left => {}
            _ => {
                let error = PgError::new(
                    crate::types::SqlState::INVALID_COLUMN_REFERENCE,
                    "the combining JOIN type must be INNER or LEFT for a LATERAL reference",
                );
                return Err(error);
            }
        }
        if kind == JoinKind::Inner && same.is_empty() && grafts(&right) {
            return Ok(filtered(graft(right, left), on));
        }
        let beside = self.beside(&left, right)?;
        let mut joined = beside.join(kind, left, None);
        if let Rel::Join(j) = &mut joined {
            j.on.extend(on);
            j.same.extend(same);
        }
        Ok(joined)
    }

    /// `inner` for every distinct combination of the outer values that it names: the rows, where those values now are,
    /// and their types.
    #[allow(clippy::type_complexity)]
    fn push_down(
        &mut self,
        outer: &Rel,
        inner: Rel,
    ) -> PgResult<(Rel, HashMap<ColId, ColId>, HashMap<ColId, ExprType>)> {
        let free = inner.free();
        let columns: Vec<(ColId, ExprType)> = outer.columns().into_iter().filter(|(id, _)| free.contains(id)).collect();
        let exprs = columns.iter().map(|(id, ty)| (*id, Expr::column(*id, ty.clone()))).collect();
        let input = Box::new(Rel::Project { input: Box::new(outer.clone()), exprs });
        let domain = Domain { rel: Rel::Distinct { input, columns: columns.clone(), exact: true }, columns };
        let (rel, names) = self.depend(inner, &domain)?;
        let types = rel.columns().into_iter().collect();
        Ok((rel, names, types))
    }

    /// One more copy of the domain, with columns of its own.
    fn copy_of(&mut self, domain: &Domain) -> (Rel, HashMap<ColId, ColId>) {
        let names = self.fresh_names(&domain.rel);
        let mut rel = domain.rel.clone();
        // Only what the domain makes gets new names: its inputs' outer references stay what they are.
        rel.rename(&names);
        let names = domain.columns.iter().filter_map(|(id, _)| Some((*id, *names.get(id)?))).collect();
        (rel, names)
    }

    /// `rel` joined with the domain, deep enough that it names the domain's copy instead of outer columns.
    fn depend(&mut self, rel: Rel, domain: &Domain) -> PgResult<(Rel, HashMap<ColId, ColId>)> {
        let correlated = |rel: &Rel| {
            let free = rel.free();
            domain.columns.iter().any(|(id, _)| free.contains(id))
        };
        if !correlated(&rel) {
            let (copy, names) = self.copy_of(domain);
            return Ok((join(JoinKind::Inner, copy, rel, Vec::new()), names));
        }
        let keys = |names: &HashMap<ColId, ColId>| -> Vec<(ColId, Expr)> {
            domain.columns.iter().map(|(id, ty)| (names[id], Expr::column(names[id], ty.clone()))).collect()
        };
        Ok(match rel {
            Rel::Project { input, exprs } => {
                let (input, names) = self.depend(*input, domain)?;
                let mut all: Vec<(ColId, Expr)> = exprs;
                all.iter_mut().for_each(|(_, e)| e.rename(&names));
                all.extend(keys(&names));
                (Rel::Project { input: Box::new(input), exprs: all }, names)
            }
            Rel::Filter { input, mut predicates } => {
                let (input, names) = self.depend(*input, domain)?;
                predicates.iter_mut().for_each(|e| e.rename(&names));
                (Rel::Filter { input: Box::new(input), predicates }, names)
            }
            Rel::Sort { input, mut keys } => {
                let (input, names) = self.depend(*input, domain)?;
                keys.iter_mut().for_each(|k| k.expr.rename(&names));
                (Rel::Sort { input: Box::new(input), keys }, names)
            }
            Rel::Limit { input, offset, count } => {
                // So many rows of each group: numbered, then filtered.
                let (sorted, order_by) = match *input {
                    Rel::Sort { input, keys } => (*input, keys),
                    other => (other, Vec::new()),
                };
                let (input, names) = self.depend(sorted, domain)?;
                let mut order_by: Vec<SortKey> = order_by;
                order_by.iter_mut().for_each(|k| k.expr.rename(&names));
                let id = self.new_id();
                let partition_by = keys(&names).into_iter().map(|(_, e)| e).collect();
                let numbered = Rel::RowNumber { input: Box::new(input), id, partition_by, order_by };
                let number = Expr::column(id, bigint());
                let constant_of = |e: &Option<Expr>| match e.as_ref().map(|e| &e.kind) {
                    None => Ok(None),
                    Some(ExprKind::Literal(ScalarValue::Int64(v))) => Ok(*v),
                    Some(_) => Err(PgError::unsupported("LIMIT by an expression in a correlated subquery")),
                };
                let offset = constant_of(&offset)?.unwrap_or(0);
                let mut predicates = vec![compare(Operator::Gt, number.clone(), constant::int8(offset))];
                if let Some(count) = constant_of(&count)? {
                    let last = offset.saturating_add(count);
                    predicates.push(compare(Operator::LtEq, number, constant::int8(last)));
                }
                (filtered(numbered, predicates), names)
            }
            Rel::RowNumber { input, id, mut partition_by, mut order_by } => {
                let (input, names) = self.depend(*input, domain)?;
                partition_by.iter_mut().for_each(|e| e.rename(&names));
                order_by.iter_mut().for_each(|k| k.expr.rename(&names));
                partition_by.extend(keys(&names).into_iter().map(|(_, e)| e));
                (Rel::RowNumber { input: Box::new(input), id, partition_by, order_by }, names)
            }
            Rel::Window { input, mut calls } => {
                let (input, names) = self.depend(*input, domain)?;
                for (_, _, call) in &mut calls {
                    call.exprs_mut().into_iter().for_each(|e| e.rename(&names));
                    call.partition_by.extend(keys(&names).into_iter().map(|(_, e)| e));
                }
                (Rel::Window { input: Box::new(input), calls }, names)
            }
            Rel::Distinct { input, mut columns, exact } => {
                let (input, names) = self.depend(*input, domain)?;
                columns.extend(keys(&names).into_iter().map(|(id, e)| (id, e.ty)));
                (Rel::Distinct { input: Box::new(input), columns, exact }, names)
            }
            Rel::Unnest { input, mut lists, ordinality } => {
                let (input, names) = self.depend(*input, domain)?;
                lists.iter_mut().for_each(|(_, _, e)| e.rename(&names));
                (Rel::Unnest { input: Box::new(input), lists, ordinality }, names)
            }
            Rel::One => self.copy_of(domain),
            Rel::Values { columns, rows } => {
                let rel = self.values_as_union(Rel::One, columns, rows)?;
                self.depend(rel, domain)?
            }
            Rel::SetOp { op, all, left, right, mut columns } => {
                let (left, lefts) = self.depend(*left, domain)?;
                let (right, rights) = self.depend(*right, domain)?;
                let mut names = HashMap::new();
                for (id, ty) in &domain.columns {
                    let new = self.new_id();
                    columns.push((new, ty.clone(), lefts[id], rights[id]));
                    names.insert(*id, new);
                }
                (Rel::SetOp { op, all, left: Box::new(left), right: Box::new(right), columns }, names)
            }
            Rel::Aggregate(aggregate) => self.depend_aggregate(*aggregate, domain)?,
            Rel::Join(join) => self.depend_join(*join, domain)?,
            Rel::Recursive { name, mut columns, start, mut step, distinct } => {
                // Each row carries the outer values that it is for: a step goes on from the rows that are for the same.
                let (start, starts) = self.depend(*start, domain)?;
                let carried: Vec<(ColId, ExprType)> =
                    domain.columns.iter().map(|(_, ty)| (self.new_id(), ty.clone())).collect();
                let same = carried.iter().zip(&domain.columns).map(|((inner, ty), (outer, _))| {
                    let side = |id: ColId| Expr::column(id, ty.clone());
                    compare(Operator::IsNotDistinctFrom, side(*inner), side(*outer))
                });
                carry(&mut step, &name, &carried, &same.collect::<Vec<_>>());
                let (step, steps) = self.depend(*step, domain)?;
                let mut names = HashMap::new();
                for (id, ty) in &domain.columns {
                    let new = self.new_id();
                    columns.push((new, ty.clone(), starts[id], steps[id]));
                    names.insert(*id, new);
                }
                (Rel::Recursive { name, columns, start: Box::new(start), step: Box::new(step), distinct }, names)
            }
            Rel::Scan { .. } | Rel::Working { .. } => {
                return Err(PgError::internal("a table that names outer columns"));
            }
        })
    }

    fn depend_aggregate(&mut self, aggregate: Aggregate, domain: &Domain) -> PgResult<(Rel, HashMap<ColId, ColId>)> {
        let Aggregate { input, mut keys, sets, mut calls } = aggregate;
        if sets.is_some() {
            return Err(PgError::unsupported("GROUPING SETS in a correlated subquery"));
        }
        let (input, inner) = self.depend(input, domain)?;
        keys.iter_mut().for_each(|(_, e)| e.rename(&inner));
        calls.iter_mut().flat_map(|(_, _, c)| c.exprs_mut()).for_each(|e| e.rename(&inner));
        let grouped = !keys.is_empty();
        let mut names = HashMap::new();
        for (id, ty) in &domain.columns {
            let new = self.new_id();
            keys.push((new, Expr::column(inner[id], ty.clone())));
            names.insert(*id, new);
        }
        if grouped {
            return Ok((Rel::Aggregate(Box::new(Aggregate { input, keys, sets: None, calls })), names));
        }
        // Without GROUP BY there is a row for every outer row, also where the input has none.
        let outs: Vec<(ColId, ExprType, Oid)> = calls.iter().map(|(id, ty, c)| (*id, ty.clone(), c.proc)).collect();
        let mut exprs = Vec::new();
        let mut renamed = Vec::new();
        for ((id, ty, call), (_, _, proc)) in calls.into_iter().zip(&outs) {
            let inside = self.new_id();
            let column = Expr::column(inside, ty.clone());
            let value = match COUNTS.contains(proc) {
                true => coalesce(vec![column, constant::int8(0)]),
                false => column,
            };
            exprs.push((id, value));
            renamed.push((inside, ty, call));
        }
        let right = Rel::Aggregate(Box::new(Aggregate { input, keys, sets: None, calls: renamed }));
        let (copy, outer) = self.copy_of(domain);
        let same = domain
            .columns
            .iter()
            .map(|(id, ty)| (Expr::column(outer[id], ty.clone()), Expr::column(names[id], ty.clone())));
        let same = same.collect();
        let joined = Rel::Join(Box::new(Join { kind: JoinKind::Left, left: copy, right, on: Vec::new(), same }));
        exprs.extend(domain.columns.iter().map(|(id, ty)| (outer[id], Expr::column(outer[id], ty.clone()))));
        Ok((Rel::Project { input: Box::new(joined), exprs }, outer))
    }

    fn depend_join(&mut self, join_: Join, domain: &Domain) -> PgResult<(Rel, HashMap<ColId, ColId>)> {
        let Join { kind, left, right, mut on, mut same } = join_;
        let named = |rel: &Rel| {
            let free = rel.free();
            domain.columns.iter().any(|(id, _)| free.contains(id))
        };
        let (in_left, in_right) = (named(&left), named(&right));
        let rename = |on: &mut Vec<Expr>, same: &mut Vec<(Expr, Expr)>, names: &HashMap<ColId, ColId>| {
            on.iter_mut().for_each(|e| e.rename(names));
            same.iter_mut().for_each(|(l, r)| {
                l.rename(names);
                r.rename(names);
            });
        };
        if kind == JoinKind::Full {
            return Err(PgError::unsupported("FULL JOIN in a correlated subquery"));
        }
        let both = match kind {
            JoinKind::Inner => in_left && in_right,
            JoinKind::Right => in_left,
            _ => in_right,
        };
        if both {
            let (left, lefts) = self.depend(left, domain)?;
            let (right, rights) = self.depend(right, domain)?;
            let names = if kind == JoinKind::Right { rights.clone() } else { lefts.clone() };
            rename(&mut on, &mut same, &names);
            for (id, ty) in &domain.columns {
                same.push((Expr::column(lefts[id], ty.clone()), Expr::column(rights[id], ty.clone())));
            }
            return Ok((Rel::Join(Box::new(Join { kind, left, right, on, same })), names));
        }
        let right_only = kind == JoinKind::Right || kind == JoinKind::Inner && in_right;
        let (left, right, names) = match right_only {
            true => {
                let (right, names) = self.depend(right, domain)?;
                (left, right, names)
            }
            false => {
                let (left, names) = self.depend(left, domain)?;
                (left, right, names)
            }
        };
        rename(&mut on, &mut same, &names);
        Ok((Rel::Join(Box::new(Join { kind, left, right, on, same })), names))
    }
}

/// Gives the working rows of a recursion more columns, of which `same` must hold.
fn carry(rel: &mut Rel, recursion: &str, carried: &[(ColId, ExprType)], same: &[Expr]) {
    if let Rel::Working { name, columns } = rel
        && name == recursion
    {
        columns.extend(carried.iter().cloned());
        let working = std::mem::replace(rel, Rel::One);
        *rel = filtered(working, same.to_vec());
        return;
    }
    rel.inputs_mut().into_iter().for_each(|input| carry(input, recursion, carried, same));
}

/// The distinct outer values that a subquery depends on.
struct Domain {
    rel: Rel,
    columns: Vec<(ColId, ExprType)>,
}

impl Beside {
    fn join(self, kind: JoinKind, left: Rel, test: Option<Expr>) -> Rel {
        let Beside { rel: right, mut on, same } = self;
        on.extend(test.map(conjuncts).unwrap_or_default());
        Rel::Join(Box::new(Join { kind, left, right, on, same }))
    }
}

/// Moving conditions on outer columns up out of a subquery, where only filters and join conditions name them.
struct Pull;

impl Pull {
    fn possible(rel: &Rel, outer: &BTreeSet<ColId>) -> bool {
        if rel.free().is_disjoint(outer) {
            return true;
        }
        let named = |e: &Expr| !e.needed().is_disjoint(outer);
        match rel {
            Rel::Project { input, exprs } => !exprs.iter().any(|(_, e)| named(e)) && Self::possible(input, outer),
            Rel::Filter { input, .. } => Self::possible(input, outer),
            Rel::Sort { input, keys } => !keys.iter().any(|k| named(&k.expr)) && Self::possible(input, outer),
            Rel::Join(join) => {
                let same = join.same.iter().any(|(l, r)| named(l) || named(r));
                match join.kind {
                    JoinKind::Inner => !same && Self::possible(&join.left, outer) && Self::possible(&join.right, outer),
                    JoinKind::Left | JoinKind::Semi | JoinKind::Anti | JoinKind::Mark(_) => {
                        !same
                            && !join.on.iter().any(named)
                            && join.right.free().is_disjoint(outer)
                            && Self::possible(&join.left, outer)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// The rows without those conditions, and the conditions.
    fn apply(rel: Rel, outer: &BTreeSet<ColId>) -> (Rel, Vec<Expr>) {
        if rel.free().is_disjoint(outer) {
            return (rel, Vec::new());
        }
        let named = |e: &Expr| !e.needed().is_disjoint(outer);
        match rel {
            Rel::Project { input, mut exprs } => {
                let (input, on) = Self::apply(*input, outer);
                let needed: BTreeSet<ColId> = on.iter().flat_map(Expr::needed).collect();
                for (id, ty) in input.columns() {
                    if needed.contains(&id) && !exprs.iter().any(|(made, _)| *made == id) {
                        exprs.push((id, Expr::column(id, ty)));
                    }
                }
                (Rel::Project { input: Box::new(input), exprs }, on)
            }
            Rel::Filter { input, predicates } => {
                let (input, mut on) = Self::apply(*input, outer);
                let (up, stay): (Vec<Expr>, Vec<Expr>) = predicates.into_iter().flat_map(conjuncts).partition(named);
                on.extend(up);
                (filtered(input, stay), on)
            }
            Rel::Sort { input, .. } => Self::apply(*input, outer),
            Rel::Join(join) => {
                let Join { kind, left, right, on, same } = *join;
                let (left, mut up) = Self::apply(left, outer);
                let (right, more) = Self::apply(right, outer);
                up.extend(more);
                let (above, on): (Vec<Expr>, Vec<Expr>) = on.into_iter().flat_map(conjuncts).partition(named);
                up.extend(above);
                (Rel::Join(Box::new(Join { kind, left, right, on, same })), up)
            }
            other => (other, Vec::new()),
        }
    }
}

/// Whether the right side of a LATERAL join can simply be computed from the left rows.
fn grafts(rel: &Rel) -> bool {
    match rel {
        Rel::One => true,
        Rel::Project { input, .. } | Rel::Filter { input, .. } => grafts(input),
        Rel::Unnest { input, .. } => grafts(input),
        _ => false,
    }
}

fn graft(rel: Rel, left: Rel) -> Rel {
    match rel {
        Rel::Project { input, mut exprs } => {
            let kept = left.columns();
            let input = Box::new(graft(*input, left));
            exprs.extend(kept.into_iter().map(|(id, ty)| (id, Expr::column(id, ty))));
            Rel::Project { input, exprs }
        }
        Rel::Filter { input, predicates } => Rel::Filter { input: Box::new(graft(*input, left)), predicates },
        Rel::Unnest { input, lists, ordinality } => {
            Rel::Unnest { input: Box::new(graft(*input, left)), lists, ordinality }
        }
        _ => left,
    }
}

fn has_subquery(expr: &Expr) -> bool {
    expr.any(&mut |e| matches!(e.kind, ExprKind::Subquery(_)))
}

/// The columns that the subqueries of an expression need from outside.
fn subquery_needs(expr: &Expr) -> BTreeSet<ColId> {
    let mut needed = BTreeSet::new();
    if matches!(expr.kind, ExprKind::Subquery(_)) {
        expr.needs(&mut needed);
    }
    for child in expr.children() {
        needed.extend(subquery_needs(child));
    }
    needed
}

fn at_most_one(rel: &Rel) -> bool {
    match rel {
        Rel::One => true,
        Rel::Aggregate(a) => a.keys.is_empty() && a.sets.is_none(),
        Rel::Limit { count: Some(count), .. } => {
            matches!(&count.kind, ExprKind::Literal(ScalarValue::Int64(Some(n))) if *n <= 1)
        }
        Rel::Project { input, .. } | Rel::Filter { input, .. } | Rel::Sort { input, .. } => at_most_one(input),
        Rel::Join(j) => {
            j.kind == JoinKind::Left
                && j.on.first() == Some(&Expr::truth(true))
                && at_most_one(&j.left)
                && at_most_one(&j.right)
        }
        _ => false,
    }
}

fn compare(op: Operator, left: Expr, right: Expr) -> Expr {
    Expr::boolean(ExprKind::Native { op, left: Box::new(left), right: Box::new(right) })
}

fn count(arg: Option<Expr>) -> AggregateCall {
    let args = vec![arg.unwrap_or_else(|| constant::int8(1))];
    AggregateCall {
        proc: COUNTS[0],
        udf: datafusion::functions_aggregate::count::count_udaf(),
        args,
        distinct: false,
        filter: None,
        order_by: Vec::new(),
    }
}

/// (inner side, outer side) of an equality between them.
fn sides_of(predicate: &Expr, outer: &BTreeSet<ColId>) -> Option<(Expr, Expr)> {
    let ExprKind::Native { op: Operator::Eq, left, right } = &predicate.kind else { return None };
    let (l, r) = (left.needed(), right.needed());
    if l.is_disjoint(outer) && !l.is_empty() && r.is_subset(outer) {
        return Some(((**left).clone(), (**right).clone()));
    }
    if r.is_disjoint(outer) && !r.is_empty() && l.is_subset(outer) {
        return Some(((**right).clone(), (**left).clone()));
    }
    None
}

/// (side of `inner`, the other side) of a test that is one equality.
fn split_equality(test: &Expr, inner: &Rel) -> Option<(Expr, Expr)> {
    let made: BTreeSet<ColId> = inner.columns().into_iter().map(|(id, _)| id).collect();
    let ExprKind::Native { op: Operator::Eq, left, right } = &test.kind else { return None };
    let (l, r) = (left.needed(), right.needed());
    if r.is_subset(&made) && l.is_disjoint(&made) {
        return Some(((**right).clone(), (**left).clone()));
    }
    if l.is_subset(&made) && r.is_disjoint(&made) {
        return Some(((**left).clone(), (**right).clone()));
    }
    None
}
