//! A statement's text becomes something that can run.

use super::copy::CopyOptions;
use super::database::Database;
use super::direct::Direct;
use super::kept::Kept;
use super::past::Guest;
use super::query::QueryPlan;
use super::session::text_columns;
use super::transaction::View;
use super::write::{Main, WritePlan, WriteStatement};
use super::{OutputColumn, cursor, explain, utility};
use crate::bind::{self, BindContext};
use crate::catalog::{Access, Needed};
use crate::types::codec::TextSettings;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use parking_lot::Mutex;
use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, CreateTableAsStmt, Node, ObjectType, SelectStmt, WithClause};
use std::sync::Arc;

/// One statement, understood; without data, and good for any session with the same settings.
#[derive(Debug)]
pub struct Prepared {
    pub text: String,
    /// Types of `$1`, `$2`, …, declared or inferred.
    pub params: Vec<PgType>,
    /// The result's columns; `None`: no rows.
    pub columns: Option<Arc<[OutputColumn]>>,
    pub(super) kind: Kind,
    pub(super) needs: Needs,
    /// The rights that it takes.
    pub(super) needed: Needed,
}

/// What it was prepared for; looked at again before it runs.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    pub declared: Vec<Oid>,
    pub catalog_version: u64,
    pub search_path: Vec<String>,
    pub literals: String,
    /// When it was prepared, µs since 1970.
    pub at_us: i64,
}

#[derive(Debug)]
pub enum Kind {
    Empty,
    Query(Arc<QueryPlan>),
    Explain {
        query: Arc<QueryPlan>,
        options: explain::Options,
    },
    CopyOut {
        query: Arc<QueryPlan>,
        columns: Arc<[OutputColumn]>,
        options: CopyOptions,
    },
    CopyIn {
        plan: Arc<WritePlan>,
        columns: Arc<[OutputColumn]>,
        options: CopyOptions,
    },
    Declare {
        query: Arc<QueryPlan>,
        columns: Arc<[OutputColumn]>,
        name: String,
        options: cursor::Options,
    },
    Write(Arc<WriteStatement>),
    /// Everything that is understood when it runs.
    Utility(Box<NodeEnum>),
}

impl Prepared {
    pub fn empty() -> Self {
        let (text, params, needs) = (String::new(), Vec::new(), Needs::default());
        Self { text, params, columns: None, kind: Kind::Empty, needs, needed: Needed::default() }
    }

    /// COMMIT and ROLLBACK are heard in a failed transaction too.
    pub(super) fn ends_transaction(&self) -> bool {
        match &self.kind {
            Kind::Utility(node) => utility::ends_transaction(node),
            Kind::Empty => true,
            _ => false,
        }
    }

    /// Whether it means the same wherever its text and [`Needs`] are the same.
    pub(super) fn is_shared(&self) -> bool {
        match &self.kind {
            // EXECUTE and FETCH have the columns of something that is the session's own.
            Kind::Utility(node) => !matches!(
                **node,
                // Passwords are not to be kept.
                NodeEnum::ExecuteStmt(_)
                    | NodeEnum::FetchStmt(_)
                    | NodeEnum::CreateRoleStmt(_)
                    | NodeEnum::AlterRoleStmt(_)
            ),
            // What it reads need not be there for ever.
            Kind::Query(query) => query.guests.is_empty(),
            _ => true,
        }
    }
}

/// What of the session preparing depends on.
pub struct Preparation {
    pub database: Arc<Database>,
    pub view: View,
    pub needs: Needs,
    pub text: TextSettings,
    pub access: Arc<Access>,
    /// The tables of the past that it has met.
    pub guests: Mutex<Vec<Guest>>,
}

impl Preparation {
    /// Understands the one statement of `sql`. Runs on the query runtime: binding and optimizing take their time.
    pub fn prepare(&self, sql: &str, known: &dyn Fn(&NodeEnum) -> Option<Known>) -> PgResult<Prepared> {
        let mut statements = bind::parse(sql)?;
        let Some(statement) = statements.pop() else { return Ok(Prepared::empty()) };
        if !statements.is_empty() {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        self.prepare_node(sql.to_owned(), statement.node, known)
    }

    pub fn prepare_node(
        &self,
        text: String,
        node: NodeEnum,
        known: &dyn Fn(&NodeEnum) -> Option<Known>,
    ) -> PgResult<Prepared> {
        let free = |params, columns, kind, needed| {
            let needs = self.needs.clone();
            Prepared { text, params, columns, kind, needs, needed }
        };
        match node {
            NodeEnum::SelectStmt(mut select) if select.into_clause.is_some() => {
                let into = select.into_clause.take();
                let statement = CreateTableAsStmt {
                    query: Some(Box::new(Node { node: Some(NodeEnum::SelectStmt(select)) })),
                    into,
                    objtype: ObjectType::ObjectTable as i32,
                    is_select_into: true,
                    if_not_exists: false,
                };
                let node = NodeEnum::CreateTableAsStmt(Box::new(statement));
                Ok(free(Vec::new(), None, Kind::Utility(Box::new(node)), Needed::default()))
            }
            NodeEnum::SelectStmt(select) if writes_in_with(select.with_clause.as_ref()) => {
                let ((statement, params, columns), needed) = self.write(&NodeEnum::SelectStmt(select))?;
                Ok(free(params, columns, Kind::Write(Arc::new(statement)), needed))
            }
            NodeEnum::SelectStmt(select) => {
                let (plan, columns, needed) = self.query(&select)?;
                Ok(free(plan.params.clone(), Some(columns), Kind::Query(plan), needed))
            }
            node @ (NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_)) => {
                let ((statement, params, columns), needed) = self.write(&node)?;
                Ok(free(params, columns, Kind::Write(Arc::new(statement)), needed))
            }
            NodeEnum::ExplainStmt(statement) => {
                let options = explain::Options::read(&statement)?;
                let (query, _, needed) = self.query(selected(statement.query.as_deref(), "EXPLAIN")?)?;
                let mut columns = text_columns(&["QUERY PLAN"]);
                if options.json {
                    Arc::make_mut(&mut columns)[0].ty = ExprType::of(PgType::new(oid::JSON));
                }
                Ok(free(query.params.clone(), Some(columns), Kind::Explain { query, options }, needed))
            }
            NodeEnum::DeclareCursorStmt(statement) => {
                let options = cursor::Options::read(&statement)?;
                let (query, columns, needed) = self.query(selected(statement.query.as_deref(), "DECLARE CURSOR")?)?;
                let name = statement.portalname.clone();
                Ok(free(query.params.clone(), None, Kind::Declare { query, columns, name, options }, needed))
            }
            NodeEnum::CopyStmt(statement) => {
                if statement.is_from {
                    let (kind, needed) = self.copy_in(&statement)?;
                    return Ok(free(Vec::new(), None, kind, needed));
                }
                if statement.is_program || !statement.filename.is_empty() {
                    let message = "COPY to a file or program is not supported";
                    let error = PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
                    return Err(error.hint("Use COPY ... TO STDOUT, or psql's \\copy."));
                }
                let options = CopyOptions::read(&statement)?;
                let (query, columns, needed) = match utility::select_of_copy(&statement) {
                    Some(select) => self.query(&select)?,
                    None => self.query(selected(statement.query.as_deref(), "COPY")?)?,
                };
                let options = options.resolve(&columns)?;
                Ok(free(query.params.clone(), None, Kind::CopyOut { query, columns, options }, needed))
            }
            node => {
                let known = known(&node).unwrap_or_default();
                let columns = match known.columns {
                    Some(columns) => Some(columns),
                    None => utility::columns(&node),
                };
                utility::check_supported(&node)?;
                Ok(free(Vec::new(), columns, Kind::Utility(Box::new(node)), Needed::default()))
            }
        }
    }

    /// A statement that writes, or a query with such statements in WITH.
    fn write(&self, node: &NodeEnum) -> PgResult<(PreparedWrite, Needed)> {
        let mut cx = self.context();
        let mut needed = Needed::default();
        let mut bound = Vec::new();
        if let Some(with) = with_clause(node) {
            for (nth, cte) in with.ctes.iter().enumerate() {
                let Some(NodeEnum::CommonTableExpr(cte)) = &cte.node else { continue };
                let Some(mut inner) = cte.ctequery.as_deref().and_then(|n| n.node.clone()) else { continue };
                if matches!(inner, NodeEnum::SelectStmt(_)) {
                    continue;
                }
                // It sees the WITH queries before it.
                prepend_ctes(&mut inner, with, nth);
                let Some(write) = bind::bind_write(&inner, &mut cx)? else {
                    return Err(PgError::unsupported("this statement in WITH"));
                };
                let oid = Oid(bind::STAGED.0 - 1 - bound.len() as u32);
                let given = write.returning.as_ref().map_or_else(Vec::new, |r| {
                    r.columns.iter().map(|c| (c.name.clone(), c.ty.clone())).collect::<Vec<_>>()
                });
                let aliases = bind::names::strings(&cte.aliascolnames);
                let named = given.into_iter().enumerate();
                let named = named.map(|(i, (name, ty))| (aliases.get(i).map_or(name, |a| (*a).to_owned()), ty));
                cx.staged.push(bind::StagedCte { name: cte.ctename.clone(), oid, columns: named.collect() });
                needed.extend(write.needed.clone());
                bound.push((write, oid));
            }
        }
        let main =
            match node {
                NodeEnum::SelectStmt(select) => Ok(bind::bind_query(select, &mut cx)?),
                node => Err(bind::bind_write(node, &mut cx)?
                    .ok_or_else(|| PgError::internal("a statement that writes nothing"))?),
            };
        let params = bind::settled(&cx.param_types)?;
        needed.extend(match &main {
            Ok(query) => query.needed.clone(),
            Err(write) => write.needed.clone(),
        });
        let ctes = bound.into_iter().map(|(write, oid)| Ok((WritePlan::new(write, self, &params)?, oid)));
        let ctes = ctes.collect::<PgResult<Vec<_>>>()?;
        let (main, columns) = match main {
            Ok(query) => {
                let (plan, columns) = self.plan(&query)?;
                (Main::Query(plan, Arc::clone(&columns)), Some(columns))
            }
            Err(write) => {
                let plan = WritePlan::new(write, self, &params)?;
                let columns = plan.columns();
                (Main::Write(plan), columns)
            }
        };
        Ok(((WriteStatement { ctes, main }, params, columns), needed))
    }

    fn copy_in(&self, statement: &CopyStmt) -> PgResult<(Kind, Needed)> {
        if statement.is_program || !statement.filename.is_empty() {
            let message = "COPY from a file or program is not supported";
            let error = PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
            return Err(error.hint("Use COPY ... FROM STDIN, or psql's \\copy."));
        }
        if statement.where_clause.is_some() {
            return Err(PgError::unsupported("COPY FROM ... WHERE"));
        }
        let options = CopyOptions::read(statement)?;
        let mut cx = self.context();
        let (bound, columns) = bind::bind_copy(statement, &mut cx)?;
        let needed = bound.needed.clone();
        let plan = Arc::new(WritePlan::new(bound, self, &[])?);
        Ok((Kind::CopyIn { plan, columns: columns.into(), options }, needed))
    }

    /// A query's plan and columns, and the rights that it takes.
    pub fn query(&self, select: &SelectStmt) -> PgResult<(Arc<QueryPlan>, Arc<[OutputColumn]>, Needed)> {
        if select.into_clause.is_some() {
            return Err(PgError::unsupported("SELECT INTO"));
        }
        let mut cx = self.context();
        let bound = bind::bind_query(select, &mut cx)?;
        let (plan, columns) = self.plan(&bound)?;
        Ok((plan, columns, bound.needed))
    }

    /// One value, converted to `target` by assignment.
    pub fn scalar(&self, node: &Node, target: PgType) -> PgResult<Arc<QueryPlan>> {
        let mut cx = self.context();
        let bound = bind::bind_scalar(node, Some(target), &mut cx)?;
        Ok(self.plan(&bound)?.0)
    }

    pub fn plan(&self, bound: &bind::BoundQuery) -> PgResult<(Arc<QueryPlan>, Arc<[OutputColumn]>)> {
        let plan = bind::lower(bound)?;
        // Optimizing computes what is constant. `now()` is constant for one execution only, so a plan with such a
        // function is optimized anew each time; one that looks into the catalog means the same for as long as the plan is good.
        let stable = bound.volatile_functions.is_empty() || bound.of_catalog;
        let columns: Arc<[OutputColumn]> = bound.columns.clone().into();
        // A look-up by key is one before the optimizer, too: a new text each time must not pay for it.
        let by_key = |direct: &Direct| direct.is_by_key(&self.view.catalog);
        let mut direct = if stable { Direct::of(&plan).filter(by_key) } else { None };
        let optimized = stable && direct.is_none();
        let plan = if optimized { bind::optimize(plan, &self.database.state)? } else { plan };
        if optimized {
            direct = Direct::of(&plan);
        }
        let kept = (stable && bound.params.is_empty() && direct.is_none())
            .then(|| Kept::new(bound.relations.clone(), bound.of_catalog));
        let params = bound.params.clone();
        let guests = self.guests.lock().clone();
        Ok((Arc::new(QueryPlan { plan, optimized, params, direct, kept, guests }), columns))
    }

    fn context(&self) -> BindContext<'_> {
        let mut cx = BindContext::new(&self.view.catalog, &self.needs.search_path);
        let declared = |ty: &Oid| (!matches!(*ty, oid::INVALID | oid::UNKNOWN)).then(|| PgType::new(*ty));
        cx.param_types = self.needs.declared.iter().map(declared).collect();
        cx.text = self.text;
        cx.access = Some(&self.access);
        cx.past = Some(self);
        cx
    }
}

fn with_clause(node: &NodeEnum) -> Option<&WithClause> {
    match node {
        NodeEnum::SelectStmt(s) => s.with_clause.as_ref(),
        NodeEnum::InsertStmt(s) => s.with_clause.as_ref(),
        NodeEnum::UpdateStmt(s) => s.with_clause.as_ref(),
        NodeEnum::DeleteStmt(s) => s.with_clause.as_ref(),
        NodeEnum::MergeStmt(s) => s.with_clause.as_ref(),
        _ => None,
    }
}

/// Whether a statement in WITH writes.
fn writes_in_with(with: Option<&WithClause>) -> bool {
    with.is_some_and(|with| {
        with.ctes.iter().any(|cte| match &cte.node {
            Some(NodeEnum::CommonTableExpr(cte)) => {
                !matches!(cte.ctequery.as_deref().and_then(|n| n.node.as_ref()), None | Some(NodeEnum::SelectStmt(_)))
            }
            _ => false,
        })
    })
}

/// Puts the first `count` WITH queries of the outer statement before those of an inner one.
fn prepend_ctes(inner: &mut NodeEnum, outer: &WithClause, count: usize) {
    if count == 0 {
        return;
    }
    let clause = match inner {
        NodeEnum::InsertStmt(s) => &mut s.with_clause,
        NodeEnum::UpdateStmt(s) => &mut s.with_clause,
        NodeEnum::DeleteStmt(s) => &mut s.with_clause,
        NodeEnum::MergeStmt(s) => &mut s.with_clause,
        _ => return,
    };
    let mut ctes = outer.ctes[..count].to_vec();
    let own = clause.take();
    let recursive = outer.recursive || own.as_ref().is_some_and(|own| own.recursive);
    ctes.extend(own.into_iter().flat_map(|own| own.ctes));
    *clause = Some(WithClause { ctes, recursive, location: outer.location });
}

/// A statement that writes, the types of its parameters, and the columns of its RETURNING.
type PreparedWrite = (WriteStatement, Vec<PgType>, Option<Arc<[OutputColumn]>>);

/// What the session knows of a statement that refers to one of its own objects.
#[derive(Default)]
pub struct Known {
    pub columns: Option<Arc<[OutputColumn]>>,
}

fn selected<'a>(node: Option<&'a Node>, of: &str) -> PgResult<&'a SelectStmt> {
    match node.and_then(|n| n.node.as_ref()) {
        Some(NodeEnum::SelectStmt(select)) => Ok(select),
        _ => Err(PgError::unsupported(format!("{of} of a statement other than a query"))),
    }
}
