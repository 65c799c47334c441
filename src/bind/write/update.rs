//! UPDATE and DELETE.

use super::*;
use crate::bind::from::join;
use crate::bind::tree::JoinKind;
use pg_query::protobuf::{DeleteStmt, MultiAssignRef, ResTarget, UpdateStmt};

impl Binder<'_> {
    pub(super) fn update(&mut self, statement: &UpdateStmt) -> PgResult<BoundWrite> {
        let target = self.target(statement.relation.as_ref())?;
        let name = Self::target_name(statement.relation.as_ref());
        self.with_ctes(statement.with_clause.as_ref(), |b| {
            b.in_scope(|b| {
                let (rel, item, row_id) = b.target_rows(&target, &name, &statement.from_clause)?;
                let rel = b.filtered_by(rel, statement.where_clause.as_deref())?;
                let (row, assigned) =
                    b.within(Clause::Update, |b| b.set_clause(&target, &item, &statement.target_list))?;
                let others = b.scope().items[1..].to_vec();
                let extras = b.extras(&others, returned(statement.returning_clause.as_ref())?);
                let mut exprs = vec![("row".to_owned(), row_id)];
                exprs.extend(target.columns.iter().map(|c| c.name.clone()).zip(row));
                exprs.extend(extras.iter().map(|(id, ty)| (String::new(), Expr::column(*id, ty.clone()))));
                let source = b.projected(rel, exprs)?;
                let returning =
                    b.returning(returned(statement.returning_clause.as_ref())?, &target, &name, others, &extras)?;
                let updated = attnums(&target, &assigned);
                b.uses_target(|u| u.updated = Some(updated));
                Ok(BoundWrite { assigned, ..write(WriteKind::Update, Arc::clone(&target), source, returning) })
            })
        })
    }

    pub(super) fn delete(&mut self, statement: &DeleteStmt) -> PgResult<BoundWrite> {
        let target = self.target(statement.relation.as_ref())?;
        let name = Self::target_name(statement.relation.as_ref());
        self.uses_target(|u| u.deletes = true);
        self.with_ctes(statement.with_clause.as_ref(), |b| {
            b.in_scope(|b| {
                let (rel, _, row_id) = b.target_rows(&target, &name, &statement.using_clause)?;
                let rel = b.filtered_by(rel, statement.where_clause.as_deref())?;
                let others = b.scope().items[1..].to_vec();
                let extras = b.extras(&others, returned(statement.returning_clause.as_ref())?);
                let mut exprs = vec![("row".to_owned(), row_id)];
                exprs.extend(extras.iter().map(|(id, ty)| (String::new(), Expr::column(*id, ty.clone()))));
                let source = b.projected(rel, exprs)?;
                let returning =
                    b.returning(returned(statement.returning_clause.as_ref())?, &target, &name, others, &extras)?;
                Ok(write(WriteKind::Delete, Arc::clone(&target), source, returning))
            })
        })
    }

    fn in_scope<T>(&mut self, f: impl FnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        self.scopes.push(Scope::new(Clause::From));
        let result = f(self);
        self.scopes.pop();
        result
    }

    /// The target's rows joined with those of FROM or USING; all of them are in sight.
    fn target_rows(&mut self, target: &Relation, name: &str, from: &[Node]) -> PgResult<(Rel, Item, Expr)> {
        let (rel, item, row_id) = self.target_scan(target, name);
        self.scope().items.push(item.clone());
        // What is joined does not see the target, but its names must differ.
        let other = self.bind_from(from)?;
        Ok((join(JoinKind::Inner, rel, other, Vec::new()), item, row_id))
    }

    fn filtered_by(&mut self, rel: Rel, condition: Option<&Node>) -> PgResult<Rel> {
        let Some(node) = condition else { return Ok(rel) };
        if matches!(node.node, Some(NodeEnum::CurrentOfExpr(_))) {
            return Err(PgError::unsupported("WHERE CURRENT OF"));
        }
        let condition = self.within(Clause::Where, |b| b.expr(node))?;
        let condition = self.condition(condition, "WHERE")?;
        Ok(filter(rel, condition))
    }

    /// The columns that RETURNING may name besides the target's.
    fn extras(&self, others: &[Item], returning: &[Node]) -> Vec<(ColId, ExprType)> {
        if returning.is_empty() {
            return Vec::new();
        }
        let mut extras: Vec<(ColId, ExprType)> = Vec::new();
        for column in others.iter().flat_map(|i| &i.columns) {
            if !extras.iter().any(|(id, _)| *id == column.id) {
                extras.push((column.id, column.ty.clone()));
            }
        }
        extras
    }

    /// The row after SET, over the columns of `item`, and the columns that are set.
    pub(super) fn set_clause(&mut self, target: &Relation, item: &Item, list: &[Node]) -> PgResult<(Row, Vec<usize>)> {
        let mut row: Row = item.columns.iter().map(|c| Expr::column(c.id, c.ty.clone())).collect();
        let mut assigned = Vec::with_capacity(list.len());
        for node in list {
            let Some(NodeEnum::ResTarget(set)) = &node.node else { continue };
            let at = names::offset(set.location);
            if !set.indirection.is_empty() {
                return Err(with_position(PgError::unsupported("SET of a part of a column"), at));
            }
            let column = self.column_of(target, &set.name, at)?;
            if assigned.contains(&column) {
                let message = format!("multiple assignments to same column \"{}\"", set.name);
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
            }
            assigned.push(column);
            row[column] = self.set_value(target, column, set)?;
        }
        Ok((row, assigned))
    }

    fn set_value(&mut self, target: &Relation, column: usize, set: &ResTarget) -> PgResult<Expr> {
        let of = &target.columns[column];
        let value = set.val.as_deref().ok_or_else(|| PgError::internal("SET without a value"))?;
        let single;
        let value = match &value.node {
            Some(NodeEnum::MultiAssignRef(multiple)) => {
                single = one_of(multiple)?;
                &single
            }
            _ => value,
        };
        if matches!(value.node, Some(NodeEnum::SetToDefault(_))) {
            return self.default(target, column);
        }
        let refused = |detail: &str| {
            let message = format!("column \"{}\" can only be updated to DEFAULT", of.name);
            PgError::new(SqlState(*b"428C9"), message).detail(format!("Column \"{}\" is {detail}.", of.name))
        };
        if of.generated {
            return Err(refused("a generated column"));
        }
        if of.identity == Some(crate::catalog::Identity::Always) {
            return Err(refused("an identity column defined as GENERATED ALWAYS"));
        }
        let value = self.expr(value)?;
        self.assigned(value, &of.name, of.expr_type())
    }
}

/// Element `colno` of `(a, b) = …`.
fn one_of(multiple: &MultiAssignRef) -> PgResult<Node> {
    let source = multiple.source.as_deref().and_then(|n| n.node.as_ref());
    let at = usize::try_from(multiple.colno - 1).unwrap_or(0);
    let wanted = usize::try_from(multiple.ncolumns).unwrap_or(0);
    let mismatch = || {
        let message = "number of columns does not match number of values";
        PgError::new(SqlState::SYNTAX_ERROR, message)
    };
    match source {
        Some(NodeEnum::RowExpr(row)) if row.args.len() == wanted => row.args.get(at).cloned().ok_or_else(mismatch),
        Some(NodeEnum::RowExpr(_)) => Err(mismatch()),
        Some(NodeEnum::SubLink(link)) => {
            // One query for each column: of one row, so that they agree.
            let mut link = link.clone();
            let Some(NodeEnum::SelectStmt(select)) = link.subselect.as_deref_mut().and_then(|n| n.node.as_mut()) else {
                return Err(PgError::unsupported("this source of a multiple assignment"));
            };
            if select.target_list.len() != wanted {
                return Err(mismatch());
            }
            select.target_list = vec![select.target_list[at].clone()];
            Ok(Node { node: Some(NodeEnum::SubLink(link)) })
        }
        _ => Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
        )),
    }
}

pub(super) fn write(
    kind: WriteKind,
    target: Arc<Relation>,
    source: BoundQuery,
    returning: Option<BoundQuery>,
) -> BoundWrite {
    BoundWrite {
        kind,
        target,
        source,
        finish: None,
        checks: Vec::new(),
        conflict: None,
        returning,
        assigned: Vec::new(),
        needed: Needed::default(),
    }
}

/// The `attnum`s of these columns.
pub(super) fn attnums(target: &Relation, columns: &[usize]) -> Vec<i16> {
    columns.iter().map(|c| target.columns[*c].attnum).collect()
}
