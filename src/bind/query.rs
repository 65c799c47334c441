//! SELECT, VALUES, set operations, WITH: a query level from its FROM to its LIMIT.

use super::expr::coerce::{common_of, common_storage, store, with_position};
use super::expr::constant;
use super::overload::Context;
use super::scope::{Clause, Scope};
use super::tree::{ColId, Expr, ExprKind, Rel, SetOp, SortKey};
use super::{Binder, names, overload, window};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use datafusion::logical_expr::Operator;
use pg_query::NodeEnum;
use pg_query::protobuf::{self, Node, SelectStmt, SetOperation, SortByDir, SortByNulls, a_const};
use std::collections::{BTreeSet, HashMap};

#[derive(Debug, Clone)]
pub(super) struct QueryColumn {
    pub name: String,
    pub id: ColId,
    pub ty: ExprType,
}

/// A bound query level: its rows and which of their columns are the output.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub rel: Rel,
    pub columns: Vec<QueryColumn>,
}

/// A WITH query in sight.
#[derive(Debug, Clone)]
pub(super) struct Cte {
    pub name: String,
    pub query: Query,
    pub used: bool,
}

/// A select-list entry; junk ones are there for ORDER BY and DISTINCT ON only.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) expr: Expr,
    id: ColId,
    junk: bool,
}

struct Order {
    target: usize,
    descending: bool,
    nulls_first: bool,
}

impl Binder<'_> {
    /// Binds a query. `settle`: output columns of unknown type become text.
    pub(super) fn query(&mut self, select: &SelectStmt, settle: bool) -> PgResult<Query> {
        let ctes = self.ctes.len();
        let result = self.query_with(select, settle);
        self.ctes.truncate(ctes);
        result
    }

    fn query_with(&mut self, select: &SelectStmt, settle: bool) -> PgResult<Query> {
        if let Some(with) = &select.with_clause {
            self.with_clause(with)?;
        }
        if select.into_clause.is_some() {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "SELECT ... INTO is not allowed here"));
        }
        // A snapshot never changes under its readers, so there is nothing to lock; what PostgreSQL refuses is refused.
        if !select.locking_clause.is_empty() {
            let set_operation = !matches!(select.op(), SetOperation::SetopNone | SetOperation::Undefined);
            let with = match () {
                _ if set_operation => Some("UNION/INTERSECT/EXCEPT"),
                _ if !select.values_lists.is_empty() => Some("VALUES"),
                _ if !select.distinct_clause.is_empty() => Some("DISTINCT clause"),
                _ if !select.group_clause.is_empty() => Some("GROUP BY clause"),
                _ if select.having_clause.is_some() => Some("HAVING clause"),
                _ => None,
            };
            if let Some(with) = with {
                return Err(PgError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("FOR UPDATE is not allowed with {with}"),
                ));
            }
        }
        if select.op() != SetOperation::SetopNone && select.op() != SetOperation::Undefined {
            return self.set_operation(select);
        }
        self.scopes.push(Scope::new(Clause::From));
        let result = match select.values_lists.is_empty() {
            true => self.simple_select(select, settle),
            false => self.values(select, settle),
        };
        self.scopes.pop();
        result
    }

    fn simple_select(&mut self, select: &SelectStmt, settle: bool) -> PgResult<Query> {
        self.scope().windows = window::definitions(&select.window_clause)?;
        let mut rel = self.bind_from(&select.from_clause)?;
        if let Some(node) = select.where_clause.as_deref() {
            let predicate = self.within(Clause::Where, |b| b.expr(node))?;
            let predicate = self.condition(predicate, "WHERE")?;
            rel = filter(rel, predicate);
        }
        self.scope().clause = Clause::Select;
        let mut targets = self.targets(&select.target_list, settle)?;
        let having = match select.having_clause.as_deref() {
            Some(node) => {
                let having = self.within(Clause::Having, |b| b.expr(node))?;
                Some(self.condition(having, "HAVING")?)
            }
            None => None,
        };
        self.scope().clause = Clause::OrderBy;
        let order = self.order_by(&select.sort_clause, &mut targets)?;
        let distinct_on = self.distinct_on(&select.distinct_clause, &mut targets, &order)?;
        let grouping = self.grouping(&select.group_clause, &targets)?;
        self.scope().clause = Clause::Select;

        let mut having = having;
        let aggregated = !select.group_clause.is_empty()
            || having.is_some()
            || targets.iter().any(|t| t.expr.any(&mut |e| matches!(e.kind, ExprKind::Aggregate(_))));
        if aggregated {
            let mut exprs: Vec<&mut Expr> = targets.iter_mut().map(|t| &mut t.expr).chain(having.as_mut()).collect();
            rel = self.aggregate(rel, grouping, &mut exprs)?;
        }
        if let Some(having) = having {
            rel = filter(rel, having);
        }
        let sets = |t: &Target| t.expr.any(&mut |e| matches!(e.kind, ExprKind::Unnest(_)));
        if distinct_on.is_some() && targets.iter().any(sets) {
            return Err(PgError::unsupported("a set-returning function beside DISTINCT ON"));
        }
        rel = self.split_windows(rel, &mut targets);
        rel = self.split_sets(rel, &mut targets)?;

        // A target that is a plain column keeps its identity for RowDescription.
        for target in &targets {
            if let ExprKind::Column(id) = target.expr.kind
                && let Some(origin) = self.origins.get(&id).cloned()
            {
                self.origins.insert(target.id, origin);
            }
        }
        let columns: Vec<QueryColumn> = targets
            .iter()
            .filter(|t| !t.junk)
            .map(|t| QueryColumn { name: t.name.clone(), id: t.id, ty: t.expr.ty.clone() })
            .collect();
        let has_junk = targets.iter().any(|t| t.junk);
        let types: Vec<ExprType> = targets.iter().map(|t| t.expr.ty.clone()).collect();
        let keys: Vec<SortKey> = order
            .iter()
            .map(|o| SortKey {
                expr: Expr::column(targets[o.target].id, types[o.target].clone()),
                descending: o.descending,
                nulls_first: o.nulls_first,
            })
            .collect();
        let ids: Vec<ColId> = targets.iter().map(|t| t.id).collect();
        let exprs = targets.into_iter().map(|t| (t.id, t.expr)).collect();
        rel = Rel::Project { input: Box::new(rel), exprs };

        match (&select.distinct_clause.is_empty(), distinct_on) {
            (true, _) => {}
            (false, None) => {
                if has_junk {
                    let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                    return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
                }
                for column in &columns {
                    check_equality(column.ty.pg.oid)?;
                }
                let columns = columns.iter().map(|c| (c.id, c.ty.clone())).collect();
                rel = Rel::Distinct { input: Box::new(rel), columns, exact: false };
            }
            (false, Some(on)) => {
                let id = self.new_id();
                let partition_by = on.iter().map(|t| Expr::column(ids[*t], types[*t].clone())).collect();
                let numbered = Rel::RowNumber { input: Box::new(rel), id, partition_by, order_by: keys.clone() };
                rel = filter(numbered, equals(Expr::column(id, super::tree::bigint()), constant::int8(1)));
            }
        }
        if !keys.is_empty() {
            rel = Rel::Sort { input: Box::new(rel), keys };
        }
        rel = self.limit(rel, select)?;
        if has_junk || !select.distinct_clause.is_empty() {
            let exprs = columns.iter().map(|c| (c.id, Expr::column(c.id, c.ty.clone()))).collect();
            rel = Rel::Project { input: Box::new(rel), exprs };
        }
        Ok(Query { rel, columns })
    }

    fn targets(&mut self, list: &[Node], settle: bool) -> PgResult<Vec<Target>> {
        let mut targets = Vec::with_capacity(list.len());
        for node in list {
            let Some(NodeEnum::ResTarget(target)) = &node.node else { continue };
            let Some(value) = target.val.as_deref() else { continue };
            if let Some(NodeEnum::ColumnRef(column)) = &value.node
                && column.fields.last().is_some_and(|f| matches!(f.node, Some(NodeEnum::AStar(_))))
            {
                self.star(column, &mut targets)?;
                continue;
            }
            if let Some(NodeEnum::AIndirection(indirection)) = &value.node
                && names::is_star(value)
            {
                self.record_star(indirection, &mut targets)?;
                continue;
            }
            let mut expr = self.expr(value)?;
            if settle {
                expr = self.settle_unknown(expr)?;
            }
            let name = match target.name.is_empty() {
                true => names::figure(value),
                false => target.name.clone(),
            };
            let id = self.new_id();
            targets.push(Target { name, expr, id, junk: false });
        }
        Ok(targets)
    }

    /// The entries of a RETURNING list.
    pub(super) fn returned(&mut self, list: &[Node]) -> PgResult<Vec<(String, Expr)>> {
        let targets = self.targets(list, true)?;
        Ok(targets.into_iter().map(|t| (t.name, t.expr)).collect())
    }

    /// `(record).*`
    fn record_star(&mut self, node: &protobuf::AIndirection, targets: &mut Vec<Target>) -> PgResult<()> {
        let mut inner = node.clone();
        inner.indirection.pop();
        let record = match (inner.indirection.is_empty(), node.arg.as_deref()) {
            (true, Some(arg)) => self.expr(arg)?,
            _ => self.expr(&Node { node: Some(NodeEnum::AIndirection(Box::new(inner))) })?,
        };
        let fields = super::expr::fields_of(&record).ok_or_else(|| {
            let message = format!("type {} is not composite", names::type_name(record.ty.pg.oid));
            PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
        })?;
        for (name, expr) in fields {
            let expr = self.settle_unknown(expr)?;
            let id = self.new_id();
            targets.push(Target { name, expr, id, junk: false });
        }
        Ok(())
    }

    fn star(&mut self, column: &protobuf::ColumnRef, targets: &mut Vec<Target>) -> PgResult<()> {
        let at = names::offset(column.location);
        let parts = names::strings(&column.fields[..column.fields.len() - 1]);
        let columns: Vec<super::scope::NamedColumn> = match parts.as_slice() {
            [] => {
                let items = &self.scope().items;
                if items.is_empty() {
                    let error = PgError::new(SqlState::SYNTAX_ERROR, "SELECT * with no tables specified is not valid");
                    return Err(with_position(error, at));
                }
                items.iter().filter(|i| i.columns_visible).flat_map(|i| i.columns.clone()).collect()
            }
            [table] | [_, table] | [_, _, table] => {
                let schema = parts.len().checked_sub(2).map(|i| parts[i]);
                match self.find_table(schema, table)? {
                    Some(item) => item.columns,
                    None => return Err(with_position(self.missing_table(table), at)),
                }
            }
            _ => return Err(with_position(PgError::unsupported("this star"), at)),
        };
        for column in columns {
            self.column_is_read(column.id);
            let id = self.new_id();
            let expr = Expr::column(column.id, column.ty).at(at);
            targets.push(Target { name: column.name, expr, id, junk: false });
        }
        Ok(())
    }

    /// The target that a key of ORDER BY, GROUP BY or DISTINCT ON means by SQL-92's rules: a name or a number.
    fn target_by_name(&self, node: &Node, targets: &[Target], what: &str) -> PgResult<Option<usize>> {
        let at = names::location(node);
        match &node.node {
            Some(NodeEnum::ColumnRef(c)) if c.fields.len() == 1 => {
                let name = names::string(&c.fields[0]);
                let mut found: Option<usize> = None;
                for (i, target) in targets.iter().enumerate().filter(|(_, t)| !t.junk && t.name == name) {
                    match found {
                        Some(f) if targets[f].expr != target.expr => {
                            let message = format!("{what} \"{name}\" is ambiguous");
                            return Err(with_position(PgError::new(SqlState::AMBIGUOUS_COLUMN, message), at));
                        }
                        Some(_) => {}
                        None => found = Some(i),
                    }
                }
                Ok(found)
            }
            Some(NodeEnum::AConst(c)) => match &c.val {
                Some(a_const::Val::Ival(i)) => {
                    let visible: Vec<usize> = (0..targets.len()).filter(|t| !targets[*t].junk).collect();
                    let place = usize::try_from(i.ival).ok().and_then(|n| n.checked_sub(1));
                    place.and_then(|p| visible.get(p).copied()).map(Some).ok_or_else(|| {
                        let message = format!("{what} position {} is not in select list", i.ival);
                        with_position(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message), at)
                    })
                }
                _ => {
                    let message = format!("non-integer constant in {what}");
                    Err(with_position(PgError::new(SqlState::SYNTAX_ERROR, message), at))
                }
            },
            _ => Ok(None),
        }
    }

    fn target_for(&mut self, node: &Node, targets: &mut Vec<Target>, what: &str) -> PgResult<usize> {
        if let Some(found) = self.target_by_name(node, targets, what)? {
            return Ok(found);
        }
        let expr = self.expr(node)?;
        let expr = self.settle_unknown(expr)?;
        if let Some(found) = targets.iter().position(|t| t.expr == expr) {
            return Ok(found);
        }
        let id = self.new_id();
        targets.push(Target { name: String::new(), expr, id, junk: true });
        Ok(targets.len() - 1)
    }

    fn order_by(&mut self, clause: &[Node], targets: &mut Vec<Target>) -> PgResult<Vec<Order>> {
        let mut order: Vec<Order> = Vec::with_capacity(clause.len());
        for node in clause {
            let Some(NodeEnum::SortBy(sort)) = &node.node else { continue };
            let key = sort.node.as_deref().ok_or_else(|| PgError::internal("a sort key without an expression"))?;
            let target = self.target_for(key, targets, "ORDER BY")?;
            check_orderable(targets[target].expr.ty.pg.oid).map_err(|e| with_position(e, names::location(key)))?;
            if !order.iter().any(|o| o.target == target) {
                let (descending, nulls_first) = direction(sort)?;
                order.push(Order { target, descending, nulls_first });
            }
        }
        Ok(order)
    }

    /// ORDER BY inside a call or a window: expressions only.
    pub(super) fn sort_keys_plain(&mut self, clause: &[Node]) -> PgResult<Vec<SortKey>> {
        let mut keys = Vec::with_capacity(clause.len());
        for node in clause {
            let Some(NodeEnum::SortBy(sort)) = &node.node else { continue };
            let key = sort.node.as_deref().ok_or_else(|| PgError::internal("a sort key without an expression"))?;
            let expr = self.expr(key)?;
            let expr = self.settle_unknown(expr)?;
            check_orderable(expr.ty.pg.oid).map_err(|e| with_position(e, expr.at))?;
            let (descending, nulls_first) = direction(sort)?;
            keys.push(SortKey { expr, descending, nulls_first });
        }
        Ok(keys)
    }

    /// Targets of DISTINCT ON; `None` for plain DISTINCT.
    fn distinct_on(
        &mut self,
        clause: &[Node],
        targets: &mut Vec<Target>,
        order: &[Order],
    ) -> PgResult<Option<Vec<usize>>> {
        let exprs: Vec<&Node> = clause.iter().filter(|n| n.node.is_some()).collect();
        if exprs.is_empty() {
            return Ok(None);
        }
        let mut on = Vec::new();
        for node in exprs {
            let target = self.target_for(node, targets, "SELECT DISTINCT ON")?;
            if !on.contains(&target) {
                on.push(target);
            }
        }
        let leading = order.iter().take(on.len()).all(|o| on.contains(&o.target));
        if !leading {
            let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
        Ok(Some(on))
    }

    /// The expression of a GROUP BY item: a column in FROM before an output name.
    pub(super) fn group_key(&mut self, node: &Node, targets: &[Target]) -> PgResult<Expr> {
        let column_first = match &node.node {
            Some(NodeEnum::ColumnRef(c)) if c.fields.len() == 1 => {
                let name = names::string(&c.fields[0]);
                let items = &self.scope().items;
                items.iter().any(|i| i.columns_visible && i.columns.iter().any(|c| c.name == name))
            }
            _ => false,
        };
        if !column_first && let Some(found) = self.target_by_name(node, targets, "GROUP BY")? {
            let expr = targets[found].expr.clone();
            if expr.any(&mut |e| matches!(e.kind, ExprKind::Aggregate(_))) {
                let message = "aggregate functions are not allowed in GROUP BY";
                return Err(with_position(PgError::new(SqlState::GROUPING_ERROR, message), expr.at));
            }
            check_equality(expr.ty.pg.oid)?;
            return Ok(expr);
        }
        let expr = self.within(Clause::GroupBy, |b| b.expr(node))?;
        let expr = self.settle_unknown(expr)?;
        check_equality(expr.ty.pg.oid).map_err(|e| with_position(e, expr.at))?;
        Ok(expr)
    }

    fn split_windows(&mut self, rel: Rel, targets: &mut [Target]) -> Rel {
        let mut calls: Vec<(ColId, ExprType, super::tree::WindowCall)> = Vec::new();
        let mut next = self.next;
        for target in targets {
            target.expr.rewrite(&mut |e| {
                if let ExprKind::Window(call) = &e.kind {
                    let id = match calls.iter().find(|(_, _, c)| c == &**call) {
                        Some((id, _, _)) => *id,
                        None => {
                            next += 1;
                            calls.push((ColId(next), e.ty.clone(), (**call).clone()));
                            ColId(next)
                        }
                    };
                    e.kind = ExprKind::Column(id);
                }
            });
        }
        self.next = next;
        match calls.is_empty() {
            true => rel,
            false => Rel::Window { input: Box::new(rel), calls },
        }
    }

    fn split_sets(&mut self, rel: Rel, targets: &mut [Target]) -> PgResult<Rel> {
        let mut lists: Vec<(ColId, ExprType, Expr)> = Vec::new();
        let mut next = self.next;
        let mut nested = false;
        for target in targets {
            target.expr.rewrite(&mut |e| {
                if let ExprKind::Unnest(list) = &e.kind {
                    let made: Vec<ColId> = lists.iter().map(|(id, _, _)| *id).collect();
                    nested |= list.any(&mut |e| matches!(&e.kind, ExprKind::Column(c) if made.contains(c)));
                    next += 1;
                    lists.push((ColId(next), e.ty.clone(), (**list).clone()));
                    e.kind = ExprKind::Column(ColId(next));
                }
            });
        }
        self.next = next;
        if nested {
            return Err(PgError::unsupported("a set-returning function within another in the select list"));
        }
        Ok(match lists.is_empty() {
            true => rel,
            false => Rel::Unnest { input: Box::new(rel), lists, ordinality: None },
        })
    }

    fn limit(&mut self, rel: Rel, select: &SelectStmt) -> PgResult<Rel> {
        let offset = match select.limit_offset.as_deref() {
            Some(node) => Some(self.as_bigint(node, "OFFSET")?),
            None => None,
        };
        let count = match select.limit_count.as_deref() {
            Some(node) => Some(self.as_bigint(node, "LIMIT")?),
            None => None,
        };
        let is_null = |e: &Expr| matches!(&e.kind, ExprKind::Literal(v) if v.is_null());
        let offset = offset.filter(|e| !is_null(e));
        let count = count.filter(|e| !is_null(e));
        for (expr, what, state) in [(&offset, "OFFSET", b"2201X"), (&count, "LIMIT", b"2201W")] {
            let value = expr.as_ref().map(|e| &e.kind);
            if let Some(ExprKind::Literal(datafusion::common::ScalarValue::Int64(Some(v)))) = value
                && *v < 0
            {
                return Err(PgError::new(SqlState(*state), format!("{what} must not be negative")));
            }
        }
        if let (protobuf::LimitOption::WithTies, Some(count)) = (select.limit_option(), &count) {
            return self.limit_with_ties(rel, offset, count.clone());
        }
        Ok(match (&offset, &count) {
            (None, None) => rel,
            _ => Rel::Limit { input: Box::new(rel), offset, count },
        })
    }

    /// The rows after `offset` whose rank is not beyond the last one that LIMIT takes.
    fn limit_with_ties(&mut self, rel: Rel, offset: Option<Expr>, count: Expr) -> PgResult<Rel> {
        use super::tree::{Bound, Frame, FrameUnits, WindowCall, WindowFunction};
        const RANK: crate::types::Oid = crate::types::Oid(3101);
        let Rel::Sort { input, keys } = rel else {
            let message = "WITH TIES cannot be specified without ORDER BY clause";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        };
        let columns = input.columns();
        let (number, rank) = (self.new_id(), self.new_id());
        let bigint = super::tree::bigint();
        let numbered = Rel::RowNumber { input, id: number, partition_by: Vec::new(), order_by: keys.clone() };
        let kernel = crate::kernels::window(RANK, &[])?;
        let call = WindowCall {
            proc: RANK,
            function: WindowFunction::Window(kernel.udf),
            args: Vec::new(),
            filter: None,
            partition_by: Vec::new(),
            order_by: keys.clone(),
            frame: Frame {
                units: FrameUnits::Range,
                start: Bound::UnboundedPreceding,
                end: Bound::CurrentRow,
                exclusion: None,
            },
        };
        let made = ExprType { pg: bigint.pg, storage: kernel.produces };
        let calls = vec![(rank, made.clone(), call)];
        let ranked = Rel::Window { input: Box::new(numbered), calls };
        let rank = Expr::new(ExprKind::Cast(Box::new(Expr::column(rank, made))), bigint.clone());
        let (last, after) = match offset {
            None => (count, None),
            Some(offset) => {
                let after = self.binary(">", Expr::column(number, bigint), offset.clone(), None)?;
                (self.binary("+", count, offset, None)?, Some(after))
            }
        };
        let mut predicates = vec![self.binary("<=", rank, last, None)?];
        predicates.extend(after);
        let kept = Rel::Filter { input: Box::new(ranked), predicates };
        let exprs = columns.into_iter().map(|(id, ty)| (id, Expr::column(id, ty))).collect();
        // The sort keys name the columns below, which the projection keeps under their names.
        Ok(Rel::Sort { input: Box::new(Rel::Project { input: Box::new(kept), exprs }), keys })
    }

    fn values(&mut self, select: &SelectStmt, settle: bool) -> PgResult<Query> {
        self.scope().clause = Clause::Values;
        let mut rows: Vec<Vec<Expr>> = Vec::with_capacity(select.values_lists.len());
        for node in &select.values_lists {
            let Some(NodeEnum::List(list)) = &node.node else { continue };
            let row = self.exprs(&list.items)?;
            if rows.first().is_some_and(|first| first.len() != row.len()) {
                let error = PgError::new(SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length");
                return Err(with_position(error, row.first().and_then(|e| e.at)));
            }
            rows.push(row);
        }
        let width = rows.first().map_or(0, Vec::len);
        let mut columns: Vec<QueryColumn> = Vec::with_capacity(width);
        let mut by_column: Vec<Vec<Expr>> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            for (column, expr) in by_column.iter_mut().zip(row) {
                column.push(expr);
            }
        }
        let mut unified = Vec::with_capacity(width);
        for (i, exprs) in by_column.into_iter().enumerate() {
            let (exprs, ty) = match !settle && exprs.len() == 1 {
                true => {
                    let ty = exprs[0].ty.clone();
                    (exprs, ty)
                }
                false => self.unify(exprs, "VALUES")?,
            };
            let id = self.new_id();
            columns.push(QueryColumn { name: format!("column{}", i + 1), id, ty });
            unified.push(exprs.into_iter());
        }
        let count = select.values_lists.len();
        let rows: Vec<Vec<Expr>> =
            (0..count).map(|_| unified.iter_mut().filter_map(Iterator::next).collect()).collect();
        let typed = columns.iter().map(|c| (c.id, c.ty.clone())).collect();
        let rel = match rows.len() {
            1 => {
                let row = rows.into_iter().next().unwrap_or_default();
                let exprs = columns.iter().map(|c| c.id).zip(row).collect();
                Rel::Project { input: Box::new(Rel::One), exprs }
            }
            _ => Rel::Values { columns: typed, rows },
        };
        self.order_output(Query { rel, columns }, select)
    }

    /// ORDER BY and LIMIT over a query whose columns alone are in sight (set operations, VALUES).
    fn order_output(&mut self, query: Query, select: &SelectStmt) -> PgResult<Query> {
        let Query { mut rel, columns } = query;
        if !select.sort_clause.is_empty() {
            let targets: Vec<Target> = columns
                .iter()
                .map(|c| Target { name: c.name.clone(), expr: Expr::column(c.id, c.ty.clone()), id: c.id, junk: false })
                .collect();
            let mut keys = Vec::new();
            for node in &select.sort_clause {
                let Some(NodeEnum::SortBy(sort)) = &node.node else { continue };
                let key = sort.node.as_deref().ok_or_else(|| PgError::internal("a sort key without an expression"))?;
                let Some(target) = self.target_by_name(key, &targets, "ORDER BY")? else {
                    let error = match &key.node {
                        Some(NodeEnum::ColumnRef(c)) if c.fields.len() == 1 => PgError::new(
                            SqlState::UNDEFINED_COLUMN,
                            format!("column \"{}\" does not exist", names::string(&c.fields[0])),
                        ),
                        _ => PgError::new(
                            SqlState::FEATURE_NOT_SUPPORTED,
                            "invalid UNION/INTERSECT/EXCEPT ORDER BY clause",
                        )
                        .detail("Only result column names can be used, not expressions or functions.")
                        .hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause."),
                    };
                    return Err(with_position(error, names::location(key)));
                };
                check_orderable(targets[target].expr.ty.pg.oid).map_err(|e| with_position(e, names::location(key)))?;
                let (descending, nulls_first) = direction(sort)?;
                keys.push(SortKey { expr: targets[target].expr.clone(), descending, nulls_first });
            }
            rel = Rel::Sort { input: Box::new(rel), keys };
        }
        self.scopes.push(Scope::new(Clause::Limit));
        let limited = self.limit(rel, select);
        self.scopes.pop();
        Ok(Query { rel: limited?, columns })
    }

    fn set_operation(&mut self, select: &SelectStmt) -> PgResult<Query> {
        let (op, what) = match select.op() {
            SetOperation::SetopIntersect => (SetOp::Intersect, "INTERSECT"),
            SetOperation::SetopExcept => (SetOp::Except, "EXCEPT"),
            _ => (SetOp::Union, "UNION"),
        };
        let missing = || PgError::internal("a set operation without its operands");
        let left = self.query(select.larg.as_deref().ok_or_else(missing)?, false)?;
        let right = self.query(select.rarg.as_deref().ok_or_else(missing)?, false)?;
        let query = self.combine(op, what, select.all, left, right)?;
        self.order_output(query, select)
    }

    fn combine(&mut self, op: SetOp, what: &str, all: bool, left: Query, right: Query) -> PgResult<Query> {
        if left.columns.len() != right.columns.len() {
            let message = format!("each {what} query must have the same number of columns");
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        let mut columns = Vec::new();
        let mut out = Vec::new();
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        for (l, r) in left.columns.iter().zip(&right.columns) {
            let target = common_of(&[l.ty.pg, r.ty.pg], &[], what)?;
            if !(all && op == SetOp::Union) {
                check_equality(target.oid)?;
            }
            let l_expr = self.branch_column(&left.rel, l, target)?;
            let r_expr = self.branch_column(&right.rel, r, target)?;
            let storage = common_storage(target, [&l_expr, &r_expr].into_iter());
            let (l_expr, r_expr) = (store(l_expr, &storage)?, store(r_expr, &storage)?);
            let ty = ExprType { pg: target, storage };
            let (id, l_id, r_id) = (self.new_id(), self.new_id(), self.new_id());
            lefts.push((l_id, l_expr));
            rights.push((r_id, r_expr));
            columns.push((id, ty.clone(), l_id, r_id));
            out.push(QueryColumn { name: l.name.clone(), id, ty });
        }
        let left = Box::new(Rel::Project { input: Box::new(left.rel), exprs: lefts });
        let right = Box::new(Rel::Project { input: Box::new(right.rel), exprs: rights });
        Ok(Query { rel: Rel::SetOp { op, all, left, right, columns }, columns: out })
    }

    /// A branch's column as `target`. A literal of unknown type is read as the target's.
    fn branch_column(&mut self, rel: &Rel, column: &QueryColumn, target: PgType) -> PgResult<Expr> {
        if column.ty.pg.oid == oid::UNKNOWN
            && let Rel::Project { exprs, .. } = rel
        {
            let literal = exprs.iter().find(|(id, _)| *id == column.id).map(|(_, e)| e);
            if let Some(e) = literal.filter(|e| matches!(e.kind, ExprKind::Literal(_) | ExprKind::Param(_))) {
                return self.convert(e.clone(), target, Context::Implicit);
            }
        }
        let expr = Expr::column(column.id, column.ty.clone());
        match expr.ty.pg.oid == target.oid {
            true => Ok(expr),
            false => self.convert(expr, target, Context::Implicit),
        }
    }

    pub(super) fn with_clause(&mut self, with: &protobuf::WithClause) -> PgResult<()> {
        let first = self.ctes.len();
        for node in &with.ctes {
            let Some(NodeEnum::CommonTableExpr(cte)) = &node.node else { continue };
            let at = names::offset(cte.location);
            if self.ctes[first..].iter().any(|c| c.name == cte.ctename) {
                let message = format!("WITH query name \"{}\" specified more than once", cte.ctename);
                return Err(with_position(PgError::new(SqlState::DUPLICATE_ALIAS, message), at));
            }
            if cte.search_clause.is_some() || cte.cycle_clause.is_some() {
                return Err(with_position(PgError::unsupported("SEARCH or CYCLE"), at));
            }
            let Some(NodeEnum::SelectStmt(select)) = cte.ctequery.as_deref().and_then(|n| n.node.as_ref()) else {
                let staged = self.staged.iter().find(|staged| staged.name == cte.ctename).cloned();
                let Some(staged) = staged else {
                    let message = "WITH clause containing a data-modifying statement must be at the top level";
                    return Err(with_position(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message), at));
                };
                let query = self.staged_query(&staged);
                self.ctes.push(Cte { name: cte.ctename.clone(), query, used: false });
                continue;
            };
            let aliases = names::strings(&cte.aliascolnames);
            let mut query = match with.recursive && select.op() == SetOperation::SetopUnion {
                true => self.recursive(&cte.ctename, select, &aliases)?,
                false => self.query(select, true)?,
            };
            if aliases.len() > query.columns.len() {
                let message = format!(
                    "WITH query \"{}\" has {} columns available but {} columns specified",
                    cte.ctename,
                    query.columns.len(),
                    aliases.len()
                );
                return Err(with_position(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message), at));
            }
            for (column, alias) in query.columns.iter_mut().zip(aliases) {
                column.name = alias.to_string();
            }
            self.ctes.push(Cte { name: cte.ctename.clone(), query, used: false });
        }
        Ok(())
    }

    fn recursive(&mut self, name: &str, select: &SelectStmt, aliases: &[&str]) -> PgResult<Query> {
        let missing = || PgError::internal("a set operation without its operands");
        let mut start = self.query(select.larg.as_deref().ok_or_else(missing)?, true)?;
        for (column, alias) in start.columns.iter_mut().zip(aliases) {
            column.name = alias.to_string();
        }
        // DataFusion finds the working table by its name.
        let work = format!("{name}_{}", self.next);
        let columns: Vec<QueryColumn> = start
            .columns
            .iter()
            .map(|c| {
                self.next += 1;
                QueryColumn { name: c.name.clone(), id: ColId(self.next), ty: c.ty.clone() }
            })
            .collect();
        let typed = columns.iter().map(|c| (c.id, c.ty.clone())).collect();
        let rel = Rel::Working { name: work.clone(), columns: typed };
        let query = Query { rel, columns };
        self.ctes.push(Cte { name: name.to_string(), query, used: false });
        let step = select.rarg.as_deref().ok_or_else(missing)?;
        if let Some(at) = step.from_clause.iter().find_map(|item| nullable_at(item, name, false)) {
            self.ctes.pop();
            let message = format!("recursive reference to query \"{name}\" must not appear within an outer join");
            return Err(with_position(PgError::new(SqlState(*b"42P19"), message), names::offset(at)));
        }
        let step = self.query(step, false);
        let used = self.ctes.pop().is_some_and(|c| c.used);
        let step = step?;
        if !used {
            let query = self.combine(SetOp::Union, "UNION", select.all, start, step)?;
            return self.order_output(query, select);
        }
        if !select.sort_clause.is_empty() || select.limit_count.is_some() || select.limit_offset.is_some() {
            return Err(PgError::unsupported("ORDER BY or LIMIT in a recursive query"));
        }
        if start.columns.len() != step.columns.len() {
            let message = "each UNION query must have the same number of columns";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        let (mut columns, mut out, mut lefts, mut rights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (i, (l, r)) in start.columns.iter().zip(&step.columns).enumerate() {
            let overall = common_of(&[l.ty.pg, r.ty.pg], &[], "UNION")?;
            if overall != l.ty.pg {
                let shown = |ty: PgType| crate::kernels::format_type(ty.oid, Some(ty.typmod));
                let (from, to) = (shown(l.ty.pg), shown(overall));
                let message = format!(
                    "recursive query \"{name}\" column {} has type {from} in non-recursive term but type {to} overall",
                    i + 1
                );
                let hint = "Cast the output of the non-recursive term to the correct type.";
                return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).hint(hint));
            }
            let r_expr = self.branch_column(&step.rel, r, PgType::new(l.ty.pg.oid))?;
            let r_expr = store(r_expr, &l.ty.storage)?;
            let (id, l_id, r_id) = (self.new_id(), self.new_id(), self.new_id());
            lefts.push((l_id, Expr::column(l.id, l.ty.clone())));
            rights.push((r_id, r_expr));
            columns.push((id, l.ty.clone(), l_id, r_id));
            out.push(QueryColumn { name: l.name.clone(), id, ty: l.ty.clone() });
        }
        let start = Box::new(Rel::Project { input: Box::new(start.rel), exprs: lefts });
        let step = Box::new(Rel::Project { input: Box::new(step.rel), exprs: rights });
        let rel = Rel::Recursive { name: work, columns, start, step, distinct: !select.all };
        Ok(Query { rel, columns: out })
    }

    /// The same query once more, with columns of its own.
    pub(super) fn fresh(&mut self, query: &Query) -> Query {
        let mut query = query.clone();
        let names = self.fresh_names(&query.rel);
        query.rel.rename(&names);
        for column in &mut query.columns {
            if let Some(new) = names.get(&column.id) {
                column.id = *new;
            }
        }
        query
    }

    /// A new name for every column that is made in `rel`.
    pub(super) fn fresh_names(&mut self, rel: &Rel) -> HashMap<ColId, ColId> {
        let mut made = BTreeSet::new();
        rel.all_made(&mut made);
        let mut names = HashMap::with_capacity(made.len());
        for old in made {
            let new = self.new_id();
            if let Some(origin) = self.origins.get(&old).cloned() {
                self.origins.insert(new, origin);
            }
            names.insert(old, new);
        }
        names
    }
}

pub(super) fn filter(rel: Rel, predicate: Expr) -> Rel {
    let predicates = match predicate.kind {
        ExprKind::And(list) => list.into_iter().flat_map(conjuncts).collect(),
        _ => vec![predicate],
    };
    Rel::Filter { input: Box::new(rel), predicates }
}

/// The parts of a condition that must all be true.
pub(super) fn conjuncts(expr: Expr) -> Vec<Expr> {
    match expr.kind {
        ExprKind::And(list) => list.into_iter().flat_map(conjuncts).collect(),
        _ => vec![expr],
    }
}

/// Native equality of two expressions of one storage.
pub(super) fn equals(left: Expr, right: Expr) -> Expr {
    Expr::boolean(ExprKind::Native { op: Operator::Eq, left: Box::new(left), right: Box::new(right) })
}

fn direction(sort: &protobuf::SortBy) -> PgResult<(bool, bool)> {
    let descending = match sort.sortby_dir() {
        SortByDir::SortbyDesc => true,
        SortByDir::SortbyUsing => match names::strings(&sort.use_op).last() {
            Some(&">") => true,
            Some(&"<") => false,
            _ => return Err(PgError::unsupported("ORDER BY … USING this operator")),
        },
        _ => false,
    };
    let nulls_first = match sort.sortby_nulls() {
        SortByNulls::SortbyNullsFirst => true,
        SortByNulls::SortbyNullsLast => false,
        _ => descending,
    };
    Ok((descending, nulls_first))
}

fn has_operator(name: &str, ty: Oid) -> bool {
    let ty = overload::base_type(ty);
    let row = |t: Oid| crate::kernels::facts::facts().operators_named(name).any(|o| o.left == t && o.right == t);
    // Strings without operators of their own use text's; arrays and enums have polymorphic ones.
    row(ty)
        || matches!(ty, oid::VARCHAR | oid::UNKNOWN | oid::RECORD)
        || oid::is_reg_type(ty)
        || overload::element_of(ty).is_some_and(|e| has_operator(name, e))
        || matches!(overload::category(ty), 'E' | 'R')
        || ty == oid::INT2VECTOR
}

fn check_orderable(ty: Oid) -> PgResult<()> {
    if has_operator("<", ty) {
        return Ok(());
    }
    let message = format!("could not identify an ordering operator for type {}", names::type_name(ty));
    Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message)
        .hint("Use an explicit ordering operator or modify the query."))
}

fn check_equality(ty: Oid) -> PgResult<()> {
    if has_operator("=", ty) || matches!(ty, oid::XID | oid::CID) {
        return Ok(());
    }
    let message = format!("could not identify an equality operator for type {}", names::type_name(ty));
    Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message))
}

/// Where a FROM item names the query `name` within what an outer join may put NULLs for.
fn nullable_at(item: &Node, name: &str, nullable: bool) -> Option<i32> {
    use pg_query::protobuf::JoinType;
    match &item.node {
        Some(NodeEnum::RangeVar(table)) => {
            (nullable && table.schemaname.is_empty() && table.relname == name).then_some(table.location)
        }
        Some(NodeEnum::JoinExpr(join)) => {
            let kind = join.jointype();
            let left = nullable || matches!(kind, JoinType::JoinRight | JoinType::JoinFull);
            let right = nullable || matches!(kind, JoinType::JoinLeft | JoinType::JoinFull);
            let found = join.larg.as_deref().and_then(|n| nullable_at(n, name, left));
            found.or_else(|| join.rarg.as_deref().and_then(|n| nullable_at(n, name, right)))
        }
        _ => None,
    }
}
