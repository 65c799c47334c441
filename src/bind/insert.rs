//! The source rows of INSERT: every value becomes its column's type by assignment.

use super::expr::coerce::{store, with_position};
use super::scope::{Clause, Scope};
use super::tree::{ColId, Expr, ExprKind, Rel};
use super::{BindContext, Binder, BoundQuery, OutputColumn, names, overload};
use crate::types::{ExprType, PgError, PgResult, PgType, SqlState, oid};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, SelectStmt};

/// Binds what INSERT inserts: `targets` are the names and types of the columns that are given, in order. DEFAULT is NULL.
///
/// # Errors
/// `42804` where a value cannot be assigned, `42601` for too many or too few of them.
pub fn bind_insert(
    select: &SelectStmt,
    targets: &[(String, PgType)],
    cx: &mut BindContext<'_>,
) -> PgResult<BoundQuery> {
    let mut binder = Binder::new(cx);
    let ids: Vec<ColId> = targets.iter().map(|_| binder.new_id()).collect();
    let plain = select.sort_clause.is_empty()
        && select.with_clause.is_none()
        && select.limit_count.is_none()
        && select.limit_offset.is_none();
    let rel = match !select.values_lists.is_empty() && plain {
        true => {
            binder.scopes.push(Scope::new(Clause::Values));
            let mut rows = Vec::with_capacity(select.values_lists.len());
            for node in &select.values_lists {
                let Some(NodeEnum::List(list)) = &node.node else { continue };
                check_width(list.items.len(), targets.len())?;
                let row = list.items.iter().zip(targets).map(|(n, t)| binder.inserted(n, t));
                rows.push(row.collect::<PgResult<Vec<Expr>>>()?);
            }
            let columns = ids.iter().zip(targets).map(|(id, (_, ty))| (*id, ExprType::of(*ty))).collect();
            Rel::Values { columns, rows }
        }
        false => {
            let query = binder.query(select, false)?;
            check_width(query.columns.len(), targets.len())?;
            let mut exprs = Vec::with_capacity(targets.len());
            for ((id, column), target) in ids.iter().zip(&query.columns).zip(targets) {
                // A literal in the select list is read as the column's type.
                let literal = match &query.rel {
                    Rel::Project { exprs, .. } if column.ty.pg.oid == oid::UNKNOWN => {
                        exprs.iter().find(|(made, _)| *made == column.id).map(|(_, e)| e.clone())
                    }
                    _ => None,
                };
                let literal = literal.filter(|e| matches!(e.kind, ExprKind::Literal(_) | ExprKind::Param(_)));
                let value = literal.unwrap_or_else(|| Expr::column(column.id, column.ty.clone()));
                exprs.push((*id, binder.assigned(value, target)?));
            }
            Rel::Project { input: Box::new(query.rel), exprs }
        }
    };
    let rel = binder.unnest(rel)?;
    let params = binder.settled_params()?;
    let columns = targets.iter().map(|(name, ty)| OutputColumn {
        name: name.clone(),
        ty: ExprType::of(*ty),
        table: oid::INVALID,
        attnum: 0,
    });
    Ok(BoundQuery {
        columns: columns.collect(),
        relations: binder.relations.iter().copied().collect(),
        params,
        volatile_functions: binder.volatile_functions(),
        rel,
        outputs: ids,
    })
}

fn check_width(given: usize, wanted: usize) -> PgResult<()> {
    if given == wanted {
        return Ok(());
    }
    let message = match given > wanted {
        true => "INSERT has more expressions than target columns",
        false => "INSERT has more target columns than expressions",
    };
    Err(PgError::new(SqlState::SYNTAX_ERROR, message))
}

impl Binder<'_> {
    fn inserted(&mut self, node: &Node, target: &(String, PgType)) -> PgResult<Expr> {
        if matches!(node.node, Some(NodeEnum::SetToDefault(_))) {
            return super::expr::coerce::null(target.1);
        }
        let value = self.expr(node)?;
        self.assigned(value, target)
    }

    /// `value` as a column's type and storage.
    fn assigned(&mut self, value: Expr, (name, ty): &(String, PgType)) -> PgResult<Expr> {
        let (from, at) = (value.ty.pg.oid, value.at);
        if from != oid::UNKNOWN && !overload::can_coerce(&[from], &[ty.oid], overload::Context::Assignment) {
            let message = format!(
                "column \"{name}\" is of type {} but expression is of type {}",
                names::type_name(ty.oid),
                names::type_name(from)
            );
            let error = PgError::new(SqlState::DATATYPE_MISMATCH, message)
                .hint("You will need to rewrite or cast the expression.");
            return Err(with_position(error, at));
        }
        let value = self.convert(value, *ty, overload::Context::Assignment)?;
        let mut value = store(value, &ty.storage())?;
        value.ty.pg = *ty;
        Ok(value)
    }
}
