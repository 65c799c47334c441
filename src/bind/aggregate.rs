//! GROUP BY, grouping sets, and taking aggregates out of expressions.

use super::Binder;
use super::query::Target;
use super::tree::{Aggregate, ColId, Expr, ExprKind, Rel, bigint};
use crate::bind::expr::coerce::with_position;
use crate::bind::expr::constant;
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use pg_query::NodeEnum;
use pg_query::protobuf::{GroupingSetKind, Node};
use std::collections::{BTreeSet, HashMap};

/// PostgreSQL's own limit.
const MAX_GROUPING_SETS: usize = 4096;

/// A GROUP BY clause: its expressions, and the sets of them where it has GROUPING SETS.
pub(super) struct Grouping {
    pub keys: Vec<Expr>,
    pub sets: Option<Vec<Vec<usize>>>,
}

impl Binder<'_> {
    pub(super) fn grouping(&mut self, clause: &[Node], targets: &[Target]) -> PgResult<Grouping> {
        let mut grouping = Grouping { keys: Vec::new(), sets: None };
        let plain = clause.iter().all(|n| !matches!(n.node, Some(NodeEnum::GroupingSet(_))));
        let mut parts: Vec<Vec<Vec<usize>>> = Vec::new();
        for node in clause {
            parts.push(self.grouping_item(node, targets, &mut grouping.keys)?);
        }
        if !plain {
            // A constant elsewhere in the query is not told from the key, which is NULL where a set lacks it.
            if grouping.keys.iter().any(|k| matches!(k.kind, ExprKind::Literal(_) | ExprKind::Param(_))) {
                return Err(PgError::unsupported("a constant in GROUPING SETS"));
            }
            // Items of a GROUP BY list multiply.
            let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
            for part in parts {
                sets = sets.iter().flat_map(|a| part.iter().map(|b| union(a, b)).collect::<Vec<_>>()).collect();
                if sets.len() > MAX_GROUPING_SETS {
                    let message = format!("too many grouping sets present (maximum {MAX_GROUPING_SETS})");
                    return Err(PgError::new(SqlState([b'5', b'4', b'0', b'0', b'1']), message));
                }
            }
            grouping.sets = Some(sets);
        }
        if grouping.sets.is_some() {
            // Which of them a set means is told by the place in the select list, not by the value.
            let twice = |t: &Target| targets.iter().any(|u| u.name != t.name && u.expr == t.expr);
            if targets.iter().any(|t| grouping.keys.contains(&t.expr) && twice(t)) {
                return Err(PgError::unsupported("one expression under two names in a query with GROUPING SETS"));
            }
        }
        Ok(grouping)
    }

    fn grouping_item(&mut self, node: &Node, targets: &[Target], keys: &mut Vec<Expr>) -> PgResult<Vec<Vec<usize>>> {
        let set = match &node.node {
            Some(NodeEnum::GroupingSet(set)) => set,
            Some(NodeEnum::RowExpr(row)) => {
                let mut list = Vec::new();
                for arg in &row.args {
                    list.push(self.add_key(arg, targets, keys)?);
                }
                return Ok(vec![list]);
            }
            _ => return Ok(vec![vec![self.add_key(node, targets, keys)?]]),
        };
        let mut inner: Vec<Vec<Vec<usize>>> = Vec::new();
        for node in &set.content {
            inner.push(self.grouping_item(node, targets, keys)?);
        }
        let flat = |item: &Vec<Vec<usize>>| item.first().cloned().unwrap_or_default();
        Ok(match set.kind() {
            GroupingSetKind::GroupingSetRollup => (0..=inner.len())
                .rev()
                .map(|n| inner[..n].iter().map(flat).fold(Vec::new(), |a, b| union(&a, &b)))
                .collect(),
            GroupingSetKind::GroupingSetCube => {
                if inner.len() > 12 {
                    return Err(PgError::new(SqlState::DUPLICATE_COLUMN, "CUBE is limited to 12 elements"));
                }
                let n = inner.len();
                (0..1usize << n)
                    .rev()
                    .map(|mask| {
                        let chosen = (0..n).filter(|i| mask >> (n - 1 - i) & 1 == 1);
                        chosen.map(|i| flat(&inner[i])).fold(Vec::new(), |a, b| union(&a, &b))
                    })
                    .collect()
            }
            GroupingSetKind::GroupingSetSets => inner.into_iter().flatten().collect(),
            _ => vec![Vec::new()],
        })
    }

    fn add_key(&mut self, node: &Node, targets: &[Target], keys: &mut Vec<Expr>) -> PgResult<usize> {
        let key = self.group_key(node, targets)?;
        if let Some(found) = keys.iter().position(|k| *k == key) {
            return Ok(found);
        }
        keys.push(key);
        Ok(keys.len() - 1)
    }

    /// Groups `rel` and makes `exprs` speak of groups: keys and aggregates become columns.
    pub(super) fn aggregate(&mut self, mut rel: Rel, grouping: Grouping, exprs: &mut [&mut Expr]) -> PgResult<Rel> {
        in_row_order(&mut rel, exprs);
        let mut split = Split {
            columns: rel.columns().into_iter().map(|(id, _)| id).collect(),
            keys: Vec::new(),
            calls: Vec::new(),
            sets: None,
            rel: &rel,
            binder: self,
        };
        for key in grouping.keys {
            split.key(key);
        }
        // A set that is named several times gives its rows as often.
        let mut repeated: Vec<(Vec<usize>, usize)> = Vec::new();
        if let Some(sets) = grouping.sets {
            let id = split.binder.new_id();
            for set in sets {
                let same = |(s, _): &&mut (Vec<usize>, usize)| {
                    s.iter().collect::<BTreeSet<_>>() == set.iter().collect::<BTreeSet<_>>()
                };
                match repeated.iter_mut().find(same) {
                    Some((_, times)) => *times += 1,
                    None => repeated.push((set, 1)),
                }
            }
            split.sets = Some((repeated.iter().map(|(set, _)| set.clone()).collect(), id));
        }
        for expr in exprs.iter_mut() {
            split.replace(expr)?;
        }
        let (keys, calls, sets) = (split.keys, split.calls, split.sets);
        let copies = sets.as_ref().and_then(|(_, id)| copies(&repeated, *id, keys.len()));
        let grouped = Rel::Aggregate(Box::new(Aggregate { input: rel, keys, sets, calls }));
        Ok(match copies {
            None => grouped,
            Some(list) => {
                let lists = vec![(self.new_id(), ExprType::of(PgType::new(oid::INT4)), list)];
                Rel::Unnest { input: Box::new(grouped), lists, ordinality: None }
            }
        })
    }
}

/// A list with as many elements as the grouping set of a row (told by column `id`) was named; `None` where all are
/// named once.
fn copies(sets: &[(Vec<usize>, usize)], id: ColId, keys: usize) -> Option<Expr> {
    if sets.iter().all(|(_, times)| *times == 1) {
        return None;
    }
    let ty = ExprType::of(PgType::new(oid::array_of(oid::INT4)?));
    let list = |times: usize| Expr::new(ExprKind::Array(vec![constant::int4(1); times]), ty.clone());
    let branches = sets.iter().filter(|(_, times)| *times > 1).map(|(set, times)| {
        let lacks = (0..keys).fold(0i64, |bits, i| bits << 1 | i64::from(!set.contains(&i)));
        (super::query::equals(Expr::column(id, bigint()), constant::int8(lacks)), list(*times))
    });
    let kind = ExprKind::Case { branches: branches.collect(), otherwise: Some(Box::new(list(1))) };
    Some(Expr::new(kind, ty))
}

fn union(a: &[usize], b: &[usize]) -> Vec<usize> {
    let mut all = a.to_vec();
    all.extend(b.iter().filter(|i| !a.contains(i)));
    all
}

/// Gives aggregates that take their rows in order, and say none, the order of a sorted subquery beneath: PostgreSQL reads
/// the rows as they come.
fn in_row_order(rel: &mut Rel, exprs: &mut [&mut Expr]) {
    let open = |call: &super::tree::AggregateCall| {
        call.order_by.is_empty() && !call.distinct && crate::kernels::takes_rows_in_order(&call.udf)
    };
    let wanted = |e: &Expr| e.any(&mut |e| matches!(&e.kind, ExprKind::Aggregate(call) if open(call)));
    if !exprs.iter().any(|e| wanted(e)) {
        return;
    }
    let order = row_order(rel);
    for expr in exprs.iter_mut().filter(|_| !order.is_empty()) {
        expr.rewrite(&mut |e| {
            if let ExprKind::Aggregate(call) = &mut e.kind
                && open(call)
            {
                call.order_by.clone_from(&order);
            }
        });
    }
}

/// The order in which rows come where a query beneath says one; the columns that it needs are let through.
pub(super) fn row_order(rel: &mut Rel) -> Vec<super::tree::SortKey> {
    match rel {
        Rel::Sort { keys, .. } => keys.clone(),
        Rel::Filter { input, .. } | Rel::Limit { input, .. } => row_order(input),
        Rel::Project { input, exprs } => {
            let keys = row_order(input);
            let below = input.columns();
            for id in keys.iter().flat_map(|k| k.expr.needed()) {
                match below.iter().find(|(made, _)| *made == id) {
                    Some(_) if exprs.iter().any(|(made, _)| *made == id) => {}
                    Some((_, ty)) => exprs.push((id, Expr::column(id, ty.clone()))),
                    None => return Vec::new(),
                }
            }
            keys
        }
        _ => Vec::new(),
    }
}

struct Split<'s, 'b> {
    /// Columns of the rows that are grouped.
    columns: BTreeSet<ColId>,
    keys: Vec<(ColId, Expr)>,
    calls: Vec<(ColId, ExprType, super::tree::AggregateCall)>,
    sets: Option<(Vec<Vec<usize>>, ColId)>,
    rel: &'s Rel,
    binder: &'s mut Binder<'b>,
}

impl Split<'_, '_> {
    fn key(&mut self, expr: Expr) -> ColId {
        let id = self.binder.new_id();
        if let ExprKind::Column(old) = expr.kind
            && let Some(origin) = self.binder.origins.get(&old).cloned()
        {
            self.binder.origins.insert(id, origin);
        }
        self.keys.push((id, expr));
        id
    }

    fn find(&self, expr: &Expr) -> Option<ColId> {
        self.keys.iter().find(|(_, k)| k == expr).map(|(id, _)| *id)
    }

    fn replace(&mut self, expr: &mut Expr) -> PgResult<()> {
        if !matches!(expr.kind, ExprKind::Literal(_) | ExprKind::Param(_))
            && let Some(id) = self.find(expr)
        {
            expr.kind = ExprKind::Column(id);
            return Ok(());
        }
        match &mut expr.kind {
            ExprKind::Column(id) if self.columns.contains(id) => {
                let id = *id;
                let ty = expr.ty.clone();
                let new = self.dependent(id, ty).ok_or_else(|| self.ungrouped(id, expr.at, false))?;
                expr.kind = ExprKind::Column(new);
                Ok(())
            }
            ExprKind::Aggregate(call) => {
                let mut needed = BTreeSet::new();
                call.exprs().into_iter().for_each(|e| e.needs(&mut needed));
                if !needed.is_empty() && needed.is_disjoint(&self.columns) {
                    return Err(with_position(
                        PgError::unsupported("an aggregate of an outer query in a subquery"),
                        expr.at,
                    ));
                }
                let id = match self.calls.iter().find(|(_, _, c)| c == &**call) {
                    Some((id, _, _)) => *id,
                    None => {
                        let id = self.binder.new_id();
                        self.calls.push((id, expr.ty.clone(), (**call).clone()));
                        id
                    }
                };
                expr.kind = ExprKind::Column(id);
                Ok(())
            }
            ExprKind::Grouping(args) => {
                let args = std::mem::take(args);
                *expr = self.grouping_value(args, expr.at)?;
                Ok(())
            }
            ExprKind::Subquery(subquery) => {
                let outer: Vec<ColId> = subquery.rel.free().intersection(&self.columns).copied().collect();
                let mut names = HashMap::new();
                for id in outer {
                    let key = self.keys.iter().find(|(_, k)| matches!(k.kind, ExprKind::Column(c) if c == id));
                    let key = key.map(|(new, _)| *new).or_else(|| {
                        let ty = self.rel.columns().into_iter().find(|(c, _)| *c == id).map(|(_, ty)| ty)?;
                        self.dependent(id, ty)
                    });
                    let Some(key) = key else { return Err(self.ungrouped(id, expr.at, true)) };
                    names.insert(id, key);
                }
                subquery.rel.rename(&names);
                for child in expr.children_mut() {
                    self.replace(child)?;
                }
                Ok(())
            }
            _ => {
                for child in expr.children_mut() {
                    self.replace(child)?;
                }
                Ok(())
            }
        }
    }

    /// A column that the grouped key of its table determines becomes a key too.
    fn dependent(&mut self, id: ColId, ty: ExprType) -> Option<ColId> {
        if self.sets.is_some() {
            return None;
        }
        let key = key_of(self.rel, id)?;
        let grouped = |k: &ColId| self.keys.iter().any(|(_, e)| matches!(e.kind, ExprKind::Column(c) if c == *k));
        if key.is_empty() || !key.iter().all(grouped) {
            return None;
        }
        Some(self.key(Expr::column(id, ty)))
    }

    fn ungrouped(&self, id: ColId, at: Option<usize>, in_subquery: bool) -> PgError {
        let text = self.binder.origins.get(&id).map_or("?", |o| o.text.as_str());
        let message = match in_subquery {
            false => {
                format!("column \"{text}\" must appear in the GROUP BY clause or be used in an aggregate function")
            }
            true => format!("subquery uses ungrouped column \"{text}\" from outer query"),
        };
        with_position(PgError::new(SqlState::GROUPING_ERROR, message), at)
    }

    /// GROUPING(…): one number for each grouping set.
    fn grouping_value(&self, args: Vec<Expr>, at: Option<usize>) -> PgResult<Expr> {
        let mut places = Vec::with_capacity(args.len());
        for arg in &args {
            let place = self.keys.iter().position(|(_, k)| k == arg).ok_or_else(|| {
                let message = "arguments to GROUPING must be grouping expressions of the associated query level";
                with_position(PgError::new(SqlState::GROUPING_ERROR, message), arg.at.or(at))
            })?;
            places.push(place);
        }
        let Some((sets, id)) = &self.sets else { return Ok(constant::int4(0).at(at)) };
        let count = self.keys.len();
        let mut branches: Vec<(Expr, Expr)> = Vec::new();
        let mut seen = BTreeSet::new();
        for set in sets {
            let lacks = (0..count).fold(0i64, |bits, i| bits << 1 | i64::from(!set.contains(&i)));
            if !seen.insert(lacks) {
                continue;
            }
            let value = places.iter().fold(0i32, |bits, i| bits << 1 | i32::from(!set.contains(i)));
            let is = super::query::equals(Expr::column(*id, bigint()), constant::int8(lacks));
            branches.push((is, constant::int4(value)));
        }
        let ty = ExprType::of(PgType::new(oid::INT4));
        Ok(Expr::new(ExprKind::Case { branches, otherwise: None }, ty).at(at))
    }
}

/// The key columns of the table that `id` is a column of.
fn key_of(rel: &Rel, id: ColId) -> Option<Vec<ColId>> {
    match rel {
        Rel::Scan { columns, key, .. } => {
            columns.iter().any(|c| c.id == id).then(|| key.iter().map(|k| columns[*k].id).collect())
        }
        Rel::Filter { .. } | Rel::Join(_) => rel.inputs().into_iter().find_map(|input| key_of(input, id)),
        _ => None,
    }
}
