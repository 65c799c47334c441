//! INSERT, UPDATE, DELETE and MERGE: the queries that a statement comes apart into.
//!
//! The source is a query over the snapshot. What depends on the rows that it made (generated columns and checks, ON CONFLICT DO
//! UPDATE, RETURNING) are queries over these rows, *staged* by whoever runs the statement: they scan the relation
//! [`STAGED`], whose columns are the ones that the field says.
//!
//! ```text
//! source ─► rows ─► finish (STAGED: the target's columns) ─► keys, conflicts ─► written ─► returning (STAGED: …, extras)
//! ```

mod check;
mod insert;
mod merge;
mod update;

pub use check::{Checked, ColumnSource, bind_check, bind_columns};

use super::expr::coerce::{store, with_position};
use super::query::filter;
use super::scope::{Clause, Item, NamedColumn, Origin, Scope};
use super::tree::{ColId, Expr, ExprKind, Rel, ScanColumn};
use super::{BindContext, Binder, BoundQuery, OutputColumn, names, overload};
use crate::catalog::{Needed, Relation, RelationKind, Use};
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RangeVar, SelectStmt};
use std::sync::Arc;

/// The relation that stands for the rows a statement has made so far.
pub const STAGED: Oid = Oid(u32::MAX);

/// The column of a scan that is a row's id, after the relation's own.
const ROW_ID: &str = "?row?";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// The source gives the target's columns.
    Insert,
    /// The source gives the row's id, the target's columns as they will be, the extras.
    Update,
    /// The source gives the row's id, the extras.
    Delete,
    /// The source gives the row's id (NULL where there is none), the [`MergeAction`] as int4, the target's columns.
    Merge,
}

/// What MERGE does with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum MergeAction {
    Nothing = 0,
    Insert = 1,
    Update = 2,
    Delete = 3,
}

/// A statement that writes, bound.
#[derive(Debug, Clone)]
pub struct BoundWrite {
    pub kind: WriteKind,
    pub target: Arc<Relation>,
    pub source: BoundQuery,
    /// Over the target's columns: the target's columns with the generated ones computed, then for each check whether it holds.
    pub finish: Option<BoundQuery>,
    /// The names of the checks.
    pub checks: Vec<String>,
    pub conflict: Option<Conflict>,
    /// Over the target's columns, then the extras.
    pub returning: Option<BoundQuery>,
    /// The columns that an UPDATE names, as indexes.
    pub assigned: Vec<usize>,
    /// The rights that the statement takes.
    pub needed: Needed,
}

#[derive(Debug, Clone)]
pub struct Conflict {
    /// The columns of the one constraint that is looked at; `None`: of all.
    pub arbiter: Option<Vec<usize>>,
    /// Over the stored row's columns, those of the row to insert (`excluded`) and the stored row's id: the id, then
    /// the target's columns as they will be. `None`: DO NOTHING.
    pub update: Option<BoundQuery>,
}

impl BoundWrite {
    /// Every query of it.
    pub fn queries(&self) -> impl Iterator<Item = &BoundQuery> {
        let conflict = self.conflict.as_ref().and_then(|c| c.update.as_ref());
        [Some(&self.source), self.finish.as_ref(), conflict, self.returning.as_ref()].into_iter().flatten()
    }
}

/// Binds a statement that writes; `None` for any other.
pub fn bind_write(node: &NodeEnum, cx: &mut BindContext<'_>) -> PgResult<Option<BoundWrite>> {
    let mut binder = Binder::new(cx);
    let mut write = match node {
        NodeEnum::InsertStmt(statement) => binder.insert(statement)?,
        NodeEnum::UpdateStmt(statement) => binder.update(statement)?,
        NodeEnum::DeleteStmt(statement) => binder.delete(statement)?,
        NodeEnum::MergeStmt(statement) => binder.merge(statement)?,
        _ => return Ok(None),
    };
    // Checks and generated columns are the table's own, and take no rights.
    write.needed = binder.needed();
    write.finish = binder.finish(&write.target)?;
    write.checks = check::checks(&write.target).map(|(name, _)| name.to_owned()).collect();
    Ok(Some(write))
}

/// Binds `COPY … FROM`: an INSERT whose source reads the columns that COPY names from staged rows; gives these columns too.
pub fn bind_copy(
    statement: &pg_query::protobuf::CopyStmt,
    cx: &mut BindContext<'_>,
) -> PgResult<(BoundWrite, Vec<OutputColumn>)> {
    let mut binder = Binder::new(cx);
    let (mut write, columns) = binder.copy(statement)?;
    write.needed = binder.needed();
    write.finish = binder.finish(&write.target)?;
    write.checks = check::checks(&write.target).map(|(name, _)| name.to_owned()).collect();
    Ok((write, columns))
}

/// `42809` for what no statement may write to.
pub fn check_writable(catalog: &crate::catalog::Catalog, relation: &Relation) -> PgResult<()> {
    let name = &relation.name;
    let fed = |what: &str| {
        PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot write to {what} \"{name}\""))
            .detail("It is fed by a source.")
            .hint("Write to a table of your own (CREATE TABLE), or change the rows at the source.")
    };
    Err(match relation.kind {
        RelationKind::Managed => return Ok(()),
        RelationKind::Bronze => fed("bronze table"),
        RelationKind::Silver => fed("silver table"),
        RelationKind::Gold => {
            PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot change materialized view \"{name}\""))
        }
        RelationKind::View => PgError::new(SqlState::OBJECT_NOT_IN_STATE, format!("cannot write to view \"{name}\""))
            .detail("Views are not updatable.")
            .hint("Write to the tables that the view reads."),
        RelationKind::Sequence => {
            PgError::new(SqlState::WRONG_OBJECT_TYPE, format!("cannot change sequence \"{name}\""))
        }
        RelationKind::System => {
            let schema = catalog.namespace(relation.schema).map_or("", |n| n.name.as_str());
            let message = format!("permission denied: \"{name}\" is a system catalog");
            let error = PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message);
            if schema == "sluice" { error.hint("Relations of the schema sluice only show.") } else { error }
        }
    })
}

/// A row that is being made: for each column of the target its value.
type Row = Vec<Expr>;

impl Binder<'_> {
    fn target(&mut self, range: Option<&RangeVar>) -> PgResult<Arc<Relation>> {
        let range = range.ok_or_else(|| PgError::internal("a statement without a table"))?;
        let at = names::offset(range.location);
        let relation = self.named_relation(&range.schemaname, &range.relname, at)?;
        check_writable(self.catalog, &relation)?;
        self.relations.insert(relation.oid);
        self.target_use = Some(self.use_relation(&relation, std::iter::empty(), false));
        Ok(relation)
    }

    /// The name that a statement gives its target.
    fn target_name(range: Option<&RangeVar>) -> String {
        range.map_or(String::new(), |r| r.alias.as_ref().map_or(r.relname.clone(), |a| a.aliasname.clone()))
    }

    /// What the statement does to its target.
    fn uses_target(&mut self, change: impl FnOnce(&mut Use)) {
        if let Some(place) = self.target_use {
            change(&mut self.uses[place]);
        }
    }

    /// The target's rows with their ids.
    fn target_scan(&mut self, relation: &Relation, name: &str) -> (Rel, Item, Expr) {
        let query = self.scan(relation, name);
        let item = self.target_item(relation, name, query.columns.iter().map(|c| (c.id, c.ty.clone())));
        let mut rel = query.rel;
        let id = self.new_id();
        let ty = super::tree::bigint();
        if let Rel::Scan { columns, .. } = &mut rel {
            columns.push(ScanColumn { id, name: ROW_ID.into(), index: columns.len(), ty: ty.clone() });
        }
        (rel, item, Expr::column(id, ty))
    }

    /// The target as names see it, over these columns.
    fn target_item(
        &mut self,
        relation: &Relation,
        name: &str,
        columns: impl Iterator<Item = (ColId, ExprType)>,
    ) -> Item {
        let columns: Vec<NamedColumn> = columns
            .zip(&relation.columns)
            .map(|((id, ty), column)| NamedColumn { name: column.name.clone(), id, ty })
            .collect();
        for (column, of) in columns.iter().zip(&relation.columns) {
            let text = format!("{name}.{}", of.name);
            self.origins.insert(column.id, Origin { table: relation.oid, attnum: of.attnum, text });
            if let Some(place) = self.target_use {
                self.used_columns.insert(column.id, (place, of.attnum));
            }
        }
        Item {
            name: Some(name.to_owned()),
            schema: self.catalog.namespace(relation.schema).map(|n| n.name.clone()),
            oid: relation.oid,
            columns,
            table_visible: true,
            columns_visible: true,
            scalar_function: false,
            nullable: false,
        }
    }

    /// A scan of staged rows with columns of these types; gives the columns' ids.
    fn staged(&mut self, types: impl Iterator<Item = ExprType>) -> (Rel, Vec<(ColId, ExprType)>) {
        let columns: Vec<(ColId, ExprType)> = types.map(|ty| (self.new_id(), ty)).collect();
        (staged_scan(&columns), columns)
    }

    /// What a statement in WITH gave, as a query.
    pub(super) fn staged_query(&mut self, cte: &super::StagedCte) -> super::query::Query {
        let (mut rel, ids) = self.staged(cte.columns.iter().map(|(_, ty)| ty.clone()));
        if let Rel::Scan { oid, .. } = &mut rel {
            *oid = cte.oid;
        }
        let columns = cte.columns.iter().zip(ids);
        let columns =
            columns.map(|((name, _), (id, ty))| super::query::QueryColumn { name: name.clone(), id, ty }).collect();
        super::query::Query { rel, columns }
    }

    fn bound(&mut self, rel: Rel, outputs: Vec<(String, ColId, ExprType)>) -> PgResult<BoundQuery> {
        let rel = self.unnest(rel)?;
        let ids = outputs.iter().map(|(_, id, _)| *id).collect();
        let columns = outputs.into_iter().map(|(name, id, ty)| {
            let origin = self.origins.get(&id).filter(|o| o.table != oid::INVALID);
            let (table, attnum) = origin.map_or((oid::INVALID, 0), |o| (o.table, o.attnum));
            OutputColumn { name, ty, table, attnum }
        });
        let columns = columns.collect();
        Ok(BoundQuery {
            columns,
            relations: self.relations.iter().copied().collect(),
            // Those of all the statement's queries are known at its end only.
            params: Vec::new(),
            volatile_functions: self.volatile_functions(),
            of_catalog: false,
            rel,
            outputs: ids,
            needed: Needed::default(),
        })
    }

    /// A projection of `exprs` over `rel` as a query.
    fn projected(&mut self, rel: Rel, exprs: Vec<(String, Expr)>) -> PgResult<BoundQuery> {
        let named: Vec<(String, ColId, Expr)> = exprs.into_iter().map(|(name, e)| (name, self.new_id(), e)).collect();
        for (_, id, expr) in &named {
            if let ExprKind::Column(from) = expr.kind
                && let Some(origin) = self.origins.get(&from).cloned()
            {
                self.origins.insert(*id, origin);
            }
        }
        let outputs = named.iter().map(|(name, id, e)| (name.clone(), *id, e.ty.clone())).collect();
        let exprs = named.into_iter().map(|(_, id, e)| (id, e)).collect();
        self.bound(Rel::Project { input: Box::new(rel), exprs }, outputs)
    }

    /// RETURNING over staged rows: the target's columns, then `extras`, which keep their ids. `others`: what FROM or USING
    /// put in sight.
    fn returning(
        &mut self,
        list: &[Node],
        relation: &Relation,
        name: &str,
        others: Vec<Item>,
        extras: &[(ColId, ExprType)],
    ) -> PgResult<Option<BoundQuery>> {
        if list.is_empty() {
            return Ok(None);
        }
        let own: Vec<(ColId, ExprType)> = relation.columns.iter().map(|c| (self.new_id(), c.expr_type())).collect();
        let all: Vec<(ColId, ExprType)> = own.iter().chain(extras).cloned().collect();
        let item = self.target_item(relation, name, own.into_iter());
        let mut scope = Scope::new(Clause::Returning);
        scope.items = std::iter::once(item).chain(others).collect();
        self.scopes.push(scope);
        let targets = self.returned(list);
        self.scopes.pop();
        self.projected(staged_scan(&all), targets?).map(Some)
    }

    /// The value of a column that a statement sets, by assignment.
    fn assigned(&mut self, value: Expr, name: &str, column: ExprType) -> PgResult<Expr> {
        let ty = column.pg;
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
        // A literal is read as the plain type: to cut it to the modifier's length would be an explicit cast.
        let value = match from == oid::UNKNOWN && ty.typmod != -1 && ty.oid != oid::INTERVAL {
            true => self.convert(value, PgType::new(ty.oid), overload::Context::Assignment)?,
            false => value,
        };
        let value = self.convert(value, ty, overload::Context::Assignment)?;
        let mut value = store(value, &column.storage)?;
        value.ty.pg = ty;
        Ok(value)
    }

    /// What a column gets that nobody gives a value.
    fn default(&mut self, relation: &Relation, column: usize) -> PgResult<Expr> {
        let column = &relation.columns[column];
        let Some(text) = column.default.as_deref().filter(|_| !column.generated) else {
            return super::expr::null_of(&column.expr_type());
        };
        let node = expression(text)?;
        let scopes = std::mem::replace(&mut self.scopes, vec![Scope::new(Clause::Default)]);
        let value = self.expr(&node).and_then(|value| self.assigned(value, &column.name, column.expr_type()));
        self.scopes = scopes;
        let mut value = value.map_err(unplaced)?;
        value.at = None;
        Ok(value)
    }

    /// The place of a column that a statement sets.
    fn column_of(&self, relation: &Relation, name: &str, at: Option<usize>) -> PgResult<usize> {
        relation.column(name).map(|(i, _)| i).ok_or_else(|| {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name);
            with_position(PgError::new(SqlState::UNDEFINED_COLUMN, message), at)
        })
    }

    /// Runs `f` with the CTEs of a statement in sight.
    fn with_ctes<T>(
        &mut self,
        with: Option<&pg_query::protobuf::WithClause>,
        f: impl FnOnce(&mut Self) -> PgResult<T>,
    ) -> PgResult<T> {
        let ctes = self.ctes.len();
        if let Some(with) = with {
            self.with_clause(with)?;
        }
        let result = f(self);
        self.ctes.truncate(ctes);
        result
    }
}

fn staged_scan(columns: &[(ColId, ExprType)]) -> Rel {
    let columns = columns.iter().enumerate();
    let columns =
        columns.map(|(index, (id, ty))| ScanColumn { id: *id, name: format!("s{index}"), index, ty: ty.clone() });
    Rel::Scan { oid: STAGED, columns: columns.collect(), key: Vec::new() }
}

/// An error in an expression of the catalog's points nowhere into the statement.
fn unplaced(mut error: PgError) -> PgError {
    if let Some(rest) = &mut error.rest {
        rest.position = None;
    }
    error
}

/// A stored expression, parsed.
pub fn expression(text: &str) -> PgResult<Node> {
    let broken = || PgError::internal(format!("the stored expression {text} is none"));
    let statement = super::parse(&format!("SELECT {text}"))?.into_iter().next().ok_or_else(broken)?;
    let NodeEnum::SelectStmt(select) = statement.node else { return Err(broken()) };
    match select.target_list.into_iter().next().and_then(|n| n.node) {
        Some(NodeEnum::ResTarget(target)) => target.val.map(|n| *n).ok_or_else(broken),
        _ => Err(broken()),
    }
}

/// Whether a SELECT is VALUES and nothing else.
fn is_plain_values(select: &SelectStmt) -> bool {
    !select.values_lists.is_empty()
        && select.sort_clause.is_empty()
        && select.limit_count.is_none()
        && select.limit_offset.is_none()
}

/// The entries of RETURNING.
fn returned(clause: Option<&pg_query::protobuf::ReturningClause>) -> PgResult<&[Node]> {
    match clause {
        Some(clause) if !clause.options.is_empty() => Err(PgError::unsupported("RETURNING WITH")),
        Some(clause) => Ok(&clause.exprs),
        None => Ok(&[]),
    }
}
