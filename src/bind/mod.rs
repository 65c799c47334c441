//! Floor 3: a parse tree becomes a typed tree, and that a plan.
//!
//!     text ─ parse ─► parse tree ─ bind_query ─► BoundQuery ─ lower ─► LogicalPlan ─ optimize ─► LogicalPlan
//!            (PostgreSQL's grammar)  (typed, without correlation)        (exact types, c1..cn)
//!
//! PostgreSQL decides what a statement means: names, overloads, casts and types follow its documented rules over its own
//! fact rows ([`crate::kernels::facts`]); [`tree`] is the result. DataFusion only computes: every operand, bound and
//! branch is typed exactly, so no type coercion runs (see [`optimize::session_state`]).
//!
//! What cannot be answered as PostgreSQL answers it is refused with `0A000`; names and types that the client sees
//! are [`BoundQuery::columns`], never the plan's schema.

mod aggregate;
mod constants;
mod expr;
mod from;
mod lower;
pub mod names;
pub mod optimize;
pub mod overload;
mod parse;
mod pool;
mod query;
mod relation;
mod requirements;
mod scope;
mod subquery;
pub mod tree;
pub mod typename;
mod window;
mod write;

#[cfg(test)]
mod tests;
mod windows;

pub use lower::{lower, one_row};
pub use optimize::{optimize, session_config, session_context, session_state};
pub use parse::{Statement, deparse, parse};
pub use pool::memory_pool;
pub use relation::{RelationProvider, Relations, RelationsExtension};
pub use scope::Clause;
pub use tree::{Expr, Rel};
pub use write::{
    BoundWrite, Checked, ColumnSource, Conflict, MergeAction, STAGED, WriteKind, bind_check, bind_columns, bind_copy,
    bind_write, check_writable, expression,
};

use crate::catalog::{Access, Catalog, Needed, Relation, Use, denied};
use crate::types::array::is_shaped;
use crate::types::codec::TextSettings;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use pg_query::protobuf::{self, Node};
use scope::{Origin, Scope};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tree::ColId;

/// What binding needs to know of the session, and what it learns of the parameters.
pub struct BindContext<'a> {
    pub catalog: &'a Catalog,
    pub search_path: &'a [String],
    /// Types of `$1`, `$2`, …: those that were declared; binding fills in those that it infers.
    pub param_types: Vec<Option<PgType>>,
    /// How literals are read (time zone, date order).
    pub text: TextSettings,
    /// Statements in WITH that write, which have run when the query runs.
    pub staged: Vec<StagedCte>,
    /// Whose statement it is; `None`: nobody's who needs rights.
    pub access: Option<&'a Access>,
    /// Who knows tables as they were: `sluice.table_at`.
    pub past: Option<&'a dyn PastTables>,
}

/// Tables as they were.
pub trait PastTables {
    /// The table of this name, as in FROM, at a tick or time; what scans its OID reads its rows of then.
    fn table_at(&self, name: &str, at: &str) -> PgResult<Arc<Relation>>;
}

/// What RETURNING of a statement in WITH gives, as rows of a relation of its own.
#[derive(Debug, Clone)]
pub struct StagedCte {
    pub name: String,
    pub oid: Oid,
    pub columns: Vec<(String, ExprType)>,
}

impl<'a> BindContext<'a> {
    pub fn new(catalog: &'a Catalog, search_path: &'a [String]) -> Self {
        let text = TextSettings::default();
        Self { catalog, search_path, param_types: Vec::new(), text, staged: Vec::new(), access: None, past: None }
    }
}

/// A column of a result, as RowDescription tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputColumn {
    pub name: String,
    pub ty: ExprType,
    /// The table and column that it comes from unchanged, or 0.
    pub table: Oid,
    pub attnum: i16,
}

/// A query, bound: no names, no unknown types, no correlation.
#[derive(Debug, Clone)]
pub struct BoundQuery {
    pub columns: Vec<OutputColumn>,
    /// Every relation it reads, those that views expand to and the views included.
    pub relations: Vec<Oid>,
    /// Types of all parameters, declared and inferred.
    pub params: Vec<PgType>,
    /// Functions whose answer moves with time, session or catalog (`now`, `random`, `current_user`), by name: what a gold
    /// view must not call.
    pub volatile_functions: Vec<String>,
    /// There are such functions, and they depend on the catalog, the search path and who asks alone.
    pub of_catalog: bool,
    pub rel: Rel,
    /// The columns of `rel` that are the output, in order.
    pub outputs: Vec<ColId>,
    /// The rights that it takes; of a statement that writes, see [`BoundWrite::needed`].
    pub needed: Needed,
}

/// Binds a SELECT, VALUES or set operation.
///
/// # Errors
/// PostgreSQL's errors with its positions; `0A000` for what Sluice cannot answer rightly.
pub fn bind_query(select: &protobuf::SelectStmt, cx: &mut BindContext<'_>) -> PgResult<BoundQuery> {
    let mut binder = Binder::new(cx);
    let query = binder.query(select, true)?;
    let rel = binder.unnest(query.rel)?;
    let params = binder.settled_params()?;
    let volatile_functions = binder.volatile_functions();
    let of_catalog = of_catalog(&volatile_functions);
    let relations = binder.relations.iter().copied().collect();
    let outputs = query.columns.iter().map(|c| c.id).collect();
    let columns = query.columns.into_iter().map(|c| {
        let origin = binder.origins.get(&c.id).filter(|o| o.table != oid::INVALID);
        let (table, attnum) = origin.map_or((oid::INVALID, 0), |o| (o.table, o.attnum));
        OutputColumn { name: c.name, ty: c.ty, table, attnum }
    });
    let columns = columns.collect();
    let needed = binder.needed();
    Ok(BoundQuery { columns, relations, params, volatile_functions, of_catalog, rel, outputs, needed })
}

/// Binds an expression that names no columns (arguments of EXECUTE, rows of INSERT, …), converted to `target` by
/// assignment where there is one. Run it as a query of one row.
pub fn bind_scalar(node: &Node, target: Option<PgType>, cx: &mut BindContext<'_>) -> PgResult<BoundQuery> {
    let mut binder = Binder::new(cx);
    binder.scopes.push(Scope::new(scope::Clause::Values));
    let expr = binder.expr(node)?;
    let expr = match target {
        Some(ty) => {
            let expr = binder.assign(expr, ty, None)?;
            // Arguments of EXECUTE come as parameters do.
            let storage = ExprType::of_parameter(ty).storage;
            if is_shaped(&storage) { expr::coerce::store(expr, &storage)? } else { expr }
        }
        None => binder.settle_unknown(expr)?,
    };
    let ty = expr.ty.clone();
    let id = binder.new_id();
    let rel = binder.unnest(Rel::Project { input: Box::new(Rel::One), exprs: vec![(id, expr)] })?;
    let params = binder.settled_params()?;
    Ok(BoundQuery {
        columns: vec![OutputColumn { name: names::figure(node), ty, table: oid::INVALID, attnum: 0 }],
        relations: binder.relations.iter().copied().collect(),
        params,
        volatile_functions: binder.volatile_functions(),
        of_catalog: false,
        rel,
        outputs: vec![id],
        needed: binder.needed(),
    })
}

/// A relation that a query names in FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub oid: Oid,
    /// Where its name begins in the text.
    pub at: usize,
    /// The query gives it a name of its own.
    pub aliased: bool,
}

/// The relations that a query names itself, in the order of the text; not what views among them read.
pub fn references(select: &protobuf::SelectStmt, cx: &mut BindContext<'_>) -> PgResult<Vec<Reference>> {
    let mut binder = Binder::new(cx);
    binder.query(select, true)?;
    let mut found = std::mem::take(&mut binder.references);
    found.sort_by_key(|reference| reference.at);
    found.dedup();
    Ok(found)
}

/// Everything that lives while one statement is bound.
struct Binder<'b> {
    catalog: &'b Catalog,
    path: Vec<String>,
    params: &'b mut Vec<Option<PgType>>,
    text: TextSettings,
    next: u32,
    /// Query levels, the innermost last.
    scopes: Vec<Scope>,
    /// WITH queries in sight, the innermost last.
    ctes: Vec<query::Cte>,
    relations: BTreeSet<Oid>,
    /// What the statement itself names in FROM.
    references: Vec<Reference>,
    functions: BTreeSet<Oid>,
    /// Where columns come from, for messages and RowDescription.
    origins: HashMap<ColId, Origin>,
    view_depth: usize,
    staged: Vec<StagedCte>,
    access: Option<&'b Access>,
    past: Option<&'b dyn PastTables>,
    /// What the statement does to the relations that it and its views name.
    uses: Vec<Use>,
    /// Columns of these, and to which of `uses` they belong.
    used_columns: HashMap<ColId, (usize, i16)>,
    /// Whose rights count within a view.
    by: Option<Oid>,
    /// The one of `uses` that is written to.
    target_use: Option<usize>,
    schemas: Vec<(Oid, Option<usize>)>,
}

/// A view that reads itself through others would never end.
const MAX_VIEW_DEPTH: usize = 64;

impl<'b> Binder<'b> {
    fn new<'a>(cx: &'b mut BindContext<'a>) -> Self
    where
        'a: 'b,
    {
        Self {
            catalog: cx.catalog,
            path: cx.search_path.to_vec(),
            params: &mut cx.param_types,
            text: cx.text,
            next: 0,
            scopes: Vec::new(),
            ctes: Vec::new(),
            relations: BTreeSet::new(),
            references: Vec::new(),
            functions: BTreeSet::new(),
            origins: HashMap::new(),
            view_depth: 0,
            staged: cx.staged.clone(),
            access: cx.access,
            past: cx.past,
            uses: Vec::new(),
            used_columns: HashMap::new(),
            by: None,
            target_use: None,
            schemas: Vec::new(),
        }
    }

    fn new_id(&mut self) -> ColId {
        self.next += 1;
        ColId(self.next)
    }

    /// What the statement says `[schema.]name` for. `42501` where the schema may not be used.
    fn named_relation(&mut self, schema: &str, name: &str, at: Option<usize>) -> PgResult<Arc<Relation>> {
        let schema = (!schema.is_empty()).then_some(schema);
        if let Some(namespace) = schema.and_then(|schema| self.catalog.namespace_named(schema))
            && self.view_depth == 0
            && namespace.oid.0 >= crate::catalog::FIRST_USER_OID
        {
            self.schemas.push((namespace.oid, at));
            if self.access.is_some_and(|access| !access.may_use_schema(namespace, self.catalog)) {
                return Err(expr::coerce::with_position(denied("schema", &namespace.name), at));
            }
        }
        let found = self.catalog.resolve(&self.path, schema, name);
        found.cloned().map_err(|error| expr::coerce::with_position(error, at))
    }

    /// The relation is read or written: of these columns rights will be asked where they are named.
    fn use_relation(&mut self, relation: &Relation, columns: impl Iterator<Item = ColId>, reads: bool) -> usize {
        let place = self.uses.len();
        let read = reads.then(Vec::new);
        self.uses.push(Use { relation: relation.oid, by: self.by, read, ..Use::default() });
        let columns = columns.zip(&relation.columns).map(|(id, column)| (id, (place, column.attnum)));
        self.used_columns.extend(columns);
        place
    }

    /// A name in the statement means this column.
    fn column_is_read(&mut self, id: ColId) {
        if let Some((place, attnum)) = self.used_columns.get(&id) {
            let read = self.uses[*place].read.get_or_insert_default();
            if !read.contains(attnum) {
                read.push(*attnum);
            }
        }
    }

    /// What has been noted so far; nothing is from here on.
    fn needed(&mut self) -> Needed {
        self.used_columns.clear();
        self.target_use = None;
        Needed { schemas: std::mem::take(&mut self.schemas), uses: std::mem::take(&mut self.uses) }
    }

    fn settled_params(&self) -> PgResult<Vec<PgType>> {
        settled(self.params)
    }

    fn volatile_functions(&self) -> Vec<String> {
        let rows = self.functions.iter().filter_map(|oid| crate::kernels::facts::facts().proc_row(*oid));
        // Stable functions of their arguments alone (date_trunc, to_char, ||) depend on settings only, which a view
        // fixes; those without arguments, and those that look into the catalog, on the moment and the session.
        let moving = |r: &crate::kernels::facts::ProcRow| match r.volatility {
            'v' => true,
            's' => {
                r.args.is_empty()
                    || r.name.starts_with("pg_")
                    || r.name.starts_with("has_")
                    || matches!(r.name, "current_schemas" | "current_setting" | "age" if r.args.len() == 1)
                    || matches!(r.name, "to_regclass" | "to_regtype" | "col_description" | "obj_description")
            }
            _ => false,
        };
        let mut names: Vec<String> = rows.filter(|r| moving(r)).map(|r| r.name.to_string()).collect();
        names.dedup();
        names
    }
}

/// Whether there are functions, and all of them depend on the catalog, the search path and who asks alone.
fn of_catalog(functions: &[String]) -> bool {
    let one = |name: &String| match name.as_str() {
        // Names of roles that only a session has.
        "pg_get_userbyid" => false,
        "current_database" | "current_schema" | "current_schemas" | "current_user" | "version" => true,
        "to_regclass" | "to_regtype" | "col_description" | "obj_description" | "pg_encoding_to_char" => true,
        "pg_has_role" => true,
        name => {
            let definition = ["expr", "viewdef", "indexdef", "constraintdef", "serial_sequence", "functiondef"];
            let defined = |name: &str| definition.contains(&name) || name.starts_with("function_");
            name.strip_prefix("pg_get_").is_some_and(defined)
                || name.starts_with("pg_") && name.ends_with("_is_visible")
                || name.starts_with("has_") && name.ends_with("_privilege")
        }
    };
    !functions.is_empty() && functions.iter().all(one)
}

/// The types of all parameters, each of which must have one by now.
pub fn settled(params: &[Option<PgType>]) -> PgResult<Vec<PgType>> {
    let settled = params.iter().enumerate().map(|(i, p)| {
        p.filter(|p| p.oid != oid::UNKNOWN).ok_or_else(|| {
            let message = format!("could not determine data type of parameter ${}", i + 1);
            PgError::new(SqlState::INDETERMINATE_DATATYPE, message)
        })
    });
    settled.collect()
}
