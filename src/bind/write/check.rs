//! Expressions over one row of a table: checks, generated columns, conditions of indexes.

use super::{BoundQuery, Row, expression, unplaced};
use crate::bind::scope::{Clause, Scope};
use crate::bind::tree::{Expr, ExprKind};
use crate::bind::{BindContext, Binder};
use crate::catalog::{ConstraintKind, Relation};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState};
use pg_query::protobuf::Node;

/// Names and conditions of a table's checks.
pub fn checks(relation: &Relation) -> impl Iterator<Item = (&str, &str)> {
    relation.constraints.iter().filter_map(|c| match &c.kind {
        ConstraintKind::Check(condition) => Some((c.name.as_str(), condition.as_str())),
        _ => None,
    })
}

/// What an expression over a table's row says of itself, for DDL.
pub struct Checked {
    pub ty: PgType,
    /// `attnum`s of the columns that it names.
    pub columns: Vec<i16>,
    pub volatile: bool,
}

/// Understands an expression over the columns of a relation (or over none) that becomes part of its definition. `boolean`: it is a
/// condition; `target`: the name and type of the column that it is for.
pub fn bind_check(
    node: &Node,
    relation: Option<&Relation>,
    clause: Clause,
    target: Option<(&str, ExprType)>,
    cx: &mut BindContext<'_>,
) -> PgResult<Checked> {
    let mut binder = Binder::new(cx);
    let mut scope = Scope::new(clause);
    if let Some(relation) = relation {
        let ids: Vec<_> = relation.columns.iter().map(|c| (binder.new_id(), c.expr_type())).collect();
        scope.items.push(binder.target_item(relation, &relation.name, ids.into_iter()));
    }
    binder.scopes.push(scope);
    let expr = binder.expr(node)?;
    let expr = match target {
        Some((name, ty)) => binder.assigned(expr, name, ty)?,
        None if clause == Clause::Check => binder.condition(expr, "CHECK")?,
        None => binder.settle_unknown(expr)?,
    };
    let mut columns = Vec::new();
    let mut subquery = false;
    expr.any(&mut |e| {
        match &e.kind {
            ExprKind::Column(id) => columns.extend(binder.origins.get(id).map(|o| o.attnum)),
            ExprKind::Subquery(_) => subquery = true,
            _ => {}
        }
        false
    });
    columns.sort_unstable();
    columns.dedup();
    if subquery {
        let what = match clause {
            Clause::Check => "check constraint",
            Clause::Generated => "column generation expression",
            Clause::Default => "DEFAULT expression",
            _ => "index expression",
        };
        let message = format!("cannot use subquery in {what}");
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(Checked { ty: expr.ty.pg, columns, volatile: !binder.volatile_functions().is_empty() })
}

/// A query that gives a table's rows another form: for each new column its expression over the old ones.
pub fn bind_columns(
    old: &Relation,
    oid: Oid,
    exprs: &[(String, ExprType, ColumnSource)],
    cx: &mut BindContext<'_>,
) -> PgResult<BoundQuery> {
    let mut binder = Binder::new(cx);
    let query = binder.scan(old, &old.name);
    let ids: Vec<_> = query.columns.iter().map(|c| (c.id, c.ty.clone())).collect();
    let mut scope = Scope::new(Clause::Generated);
    scope.items.push(binder.target_item(old, &old.name, ids.into_iter()));
    binder.scopes.push(scope);
    let mut rel = query.rel;
    if let super::Rel::Scan { oid: scanned, columns, .. } = &mut rel {
        *scanned = oid;
        if oid == super::STAGED {
            columns.iter_mut().enumerate().for_each(|(i, column)| column.name = format!("s{i}"));
        }
    }
    let mut out = Vec::with_capacity(exprs.len());
    for (name, ty, source) in exprs {
        let value = match source {
            ColumnSource::Column(index) => {
                let column = &query.columns[*index];
                Expr::column(column.id, column.ty.clone())
            }
            ColumnSource::Expression { node, explicit } => {
                let value = binder.expr(node)?;
                match explicit {
                    true => binder.convert(value, ty.pg, crate::bind::overload::Context::Explicit)?,
                    false => value,
                }
            }
            ColumnSource::Null => crate::bind::expr::null_of(ty)?,
        };
        let mut value = binder.assigned(value, name, ty.clone())?;
        value.at = None;
        out.push((name.clone(), value));
    }
    let bound = binder.projected(rel, out)?;
    binder.settled_params()?;
    Ok(bound)
}

/// Where a column of a changed table comes from.
#[derive(Debug, Clone)]
pub enum ColumnSource {
    /// The old column of this number.
    Column(usize),
    Expression {
        node: Box<Node>,
        explicit: bool,
    },
    Null,
}

impl Binder<'_> {
    /// See [`super::BoundWrite::finish`].
    pub(super) fn finish(&mut self, relation: &Relation) -> PgResult<Option<BoundQuery>> {
        let generated = relation.columns.iter().any(|c| c.generated);
        if !generated && checks(relation).next().is_none() {
            return Ok(None);
        }
        let (rel, columns) = self.staged(relation.columns.iter().map(|c| c.expr_type()));
        let item = self.target_item(relation, &relation.name, columns.iter().cloned());
        let mut scope = Scope::new(Clause::Generated);
        scope.items.push(item);
        let scopes = std::mem::replace(&mut self.scopes, vec![scope]);
        let made = self.finished(relation, &columns);
        self.scopes = scopes;
        let made = made.map_err(unplaced)?;
        self.projected(rel, made).map(Some)
    }

    fn finished(
        &mut self,
        relation: &Relation,
        columns: &[(crate::bind::tree::ColId, ExprType)],
    ) -> PgResult<Vec<(String, Expr)>> {
        let mut row: Row = columns.iter().map(|(id, ty)| Expr::column(*id, ty.clone())).collect();
        for (i, column) in relation.columns.iter().enumerate().filter(|(_, c)| c.generated) {
            let node = expression(column.default.as_deref().unwrap_or("NULL"))?;
            let value = self.expr(&node)?;
            row[i] = self.assigned(value, &column.name, column.expr_type())?;
        }
        // A check sees generated columns as they are computed.
        let computed: std::collections::HashMap<_, Expr> =
            columns.iter().zip(&row).map(|((id, _), e)| (*id, e.clone())).collect();
        let mut out: Vec<(String, Expr)> =
            relation.columns.iter().zip(&row).map(|(c, e)| (c.name.clone(), e.clone())).collect();
        for (name, condition) in checks(relation) {
            let node = expression(condition)?;
            let condition = self.within(Clause::Check, |b| b.expr(&node))?;
            let mut condition = self.condition(condition, "CHECK")?;
            condition.rewrite(&mut |e| {
                if let ExprKind::Column(id) = &e.kind
                    && let Some(value) = computed.get(id)
                    && !matches!(value.kind, ExprKind::Column(_))
                {
                    *e = value.clone();
                }
            });
            out.push((name.to_owned(), condition));
        }
        Ok(out)
    }
}
