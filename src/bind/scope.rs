//! What names mean: the tables and columns in sight of one query level, and of those around it.

use super::tree::{ColId, Expr};
use super::{Binder, names};
use crate::catalog::RelationKind;
use crate::types::{ExprType, Oid, PgError, PgResult, SqlState, oid};
use datafusion::common::ScalarValue;
use pg_query::NodeEnum;
use pg_query::protobuf::ColumnRef;

/// The system column that all tables have.
const TABLE_OID: &str = "tableoid";

/// The part of a query that an expression stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clause {
    Select,
    From,
    JoinOn,
    Where,
    GroupBy,
    Having,
    OrderBy,
    Limit,
    Values,
    Filter,
    Aggregate,
    Window,
    Update,
    Returning,
    Check,
    Default,
    Generated,
    Index,
}

impl Clause {
    /// How messages call it where aggregates are not allowed; `None` where they are.
    pub fn without_aggregates(self) -> Option<&'static str> {
        Some(match self {
            Clause::Select | Clause::Having | Clause::OrderBy | Clause::Window => return None,
            Clause::From => "functions in FROM",
            Clause::JoinOn => "JOIN conditions",
            Clause::Where => "WHERE",
            Clause::GroupBy => "GROUP BY",
            Clause::Limit => "LIMIT",
            Clause::Values => "VALUES",
            Clause::Filter => "FILTER",
            Clause::Aggregate => "",
            Clause::Update => "UPDATE",
            Clause::Returning => "RETURNING",
            Clause::Check => "check constraints",
            Clause::Default => "DEFAULT expressions",
            Clause::Generated => "column generation expressions",
            Clause::Index => "index expressions",
        })
    }

    /// How messages call it where window functions are not allowed.
    pub fn without_windows(self) -> Option<&'static str> {
        match self {
            Clause::Select | Clause::OrderBy => None,
            Clause::Having => Some("HAVING"),
            Clause::Window => Some("window definitions"),
            other => other.without_aggregates(),
        }
    }
}

/// A column in sight.
#[derive(Debug, Clone)]
pub struct NamedColumn {
    pub name: String,
    pub id: ColId,
    pub ty: ExprType,
}

/// A table, subquery, function or join in sight.
#[derive(Debug, Clone)]
pub struct Item {
    pub name: Option<String>,
    pub schema: Option<String>,
    /// The relation, or 0.
    pub oid: Oid,
    pub columns: Vec<NamedColumn>,
    /// `name.column` works.
    pub table_visible: bool,
    /// `column` alone works.
    pub columns_visible: bool,
    /// A function of one column: its name means the column.
    pub scalar_function: bool,
    /// On the side of an outer join that NULLs may stand for.
    pub nullable: bool,
}

/// One query level.
#[derive(Debug, Clone)]
pub struct Scope {
    pub items: Vec<Item>,
    /// Tables to the left that a subquery without LATERAL must not see; named in messages.
    pub hidden: Vec<Item>,
    pub clause: Clause,
    /// Named windows (`WINDOW w AS …`), for OVER w.
    pub windows: Vec<pg_query::protobuf::WindowDef>,
}

impl Scope {
    pub fn new(clause: Clause) -> Self {
        Self { items: Vec::new(), hidden: Vec::new(), clause, windows: Vec::new() }
    }
}

/// Where a column comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    pub table: Oid,
    pub attnum: i16,
    /// `alias.column`, for messages.
    pub text: String,
}

impl Binder<'_> {
    pub(super) fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("an expression is bound within a scope")
    }

    pub(super) fn clause(&self) -> Clause {
        self.scopes.last().map_or(Clause::Values, |s| s.clause)
    }

    /// Runs `f` with the innermost scope's clause set.
    pub(super) fn within<T>(&mut self, clause: Clause, f: impl FnOnce(&mut Self) -> PgResult<T>) -> PgResult<T> {
        let before = std::mem::replace(&mut self.scope().clause, clause);
        let result = f(self);
        self.scope().clause = before;
        result
    }

    pub(super) fn column_ref(&mut self, node: &ColumnRef) -> PgResult<Expr> {
        let at = names::offset(node.location);
        let star = node.fields.iter().any(|f| matches!(f.node, Some(NodeEnum::AStar(_))));
        let parts = names::strings(&node.fields);
        let error = |e: PgError| match at {
            Some(at) => e.at(at),
            None => e,
        };
        if star {
            let table = parts.iter().rev().find(|p| !p.is_empty()).copied().unwrap_or_default();
            return match self.find_table(None, table)? {
                Some(item) => Ok(self.whole_row(&item).at(at)),
                None => {
                    Err(error(PgError::new(SqlState::SYNTAX_ERROR, "row expansion via \"*\" is not supported here")))
                }
            };
        }
        match parts.as_slice() {
            [column] => self.unqualified(column).map_err(error)?.map(|e| e.at(at)).ok_or_else(|| {
                error(PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{column}\" does not exist")))
            }),
            [table, column] => self.qualified(None, table, column).map(|e| e.at(at)).map_err(error),
            [schema, table, column] => self.qualified(Some(schema), table, column).map(|e| e.at(at)).map_err(error),
            [_, schema, table, column] => self.qualified(Some(schema), table, column).map(|e| e.at(at)).map_err(error),
            _ => Err(error(PgError::new(SqlState::SYNTAX_ERROR, "improper qualified name (too many dotted names)"))),
        }
    }

    fn unqualified(&mut self, name: &str) -> PgResult<Option<Expr>> {
        for scope in self.scopes.iter().rev() {
            let mut found: Option<&NamedColumn> = None;
            for item in scope.items.iter().filter(|i| i.columns_visible) {
                for column in item.columns.iter().filter(|c| c.name == name) {
                    if found.is_some() {
                        let message = format!("column reference \"{name}\" is ambiguous");
                        return Err(PgError::new(SqlState::AMBIGUOUS_COLUMN, message));
                    }
                    found = Some(column);
                }
            }
            if let Some(column) = found {
                let (id, ty) = (column.id, column.ty.clone());
                self.column_is_read(id);
                return Ok(Some(Expr::column(id, ty)));
            }
            if name == TABLE_OID {
                let mut of: Vec<Item> = scope.items.iter().filter(|i| self.has_table_oid(i)).cloned().collect();
                match (of.pop(), of.is_empty()) {
                    (None, _) => {}
                    (Some(item), true) => return self.table_oid(&item).map(Some),
                    (Some(_), false) => {
                        let message = format!("column reference \"{name}\" is ambiguous");
                        return Err(PgError::new(SqlState::AMBIGUOUS_COLUMN, message));
                    }
                }
            }
        }
        // A table's name stands for its whole row.
        match self.find_table(None, name)? {
            Some(item) => Ok(Some(self.whole_row(&item))),
            None => Ok(None),
        }
    }

    /// The item of this name in the innermost level that has one.
    pub(super) fn find_table(&self, schema: Option<&str>, name: &str) -> PgResult<Option<Item>> {
        for scope in self.scopes.iter().rev() {
            let fits = |i: &&Item| {
                i.table_visible
                    && i.name.as_deref() == Some(name)
                    && schema.is_none_or(|s| i.schema.as_deref() == Some(s))
            };
            let mut found = scope.items.iter().filter(fits);
            if let Some(item) = found.next() {
                if found.next().is_some() {
                    let message = format!("table reference \"{name}\" is ambiguous");
                    return Err(PgError::new(SqlState::DUPLICATE_ALIAS, message));
                }
                return Ok(Some(item.clone()));
            }
        }
        Ok(None)
    }

    fn qualified(&mut self, schema: Option<&str>, table: &str, column: &str) -> PgResult<Expr> {
        let Some(item) = self.find_table(schema, table)? else {
            return Err(self.missing_table(table));
        };
        let mut found = item.columns.iter().filter(|c| c.name == column);
        if let Some(first) = found.next() {
            if found.next().is_some() {
                let message = format!("column reference \"{column}\" is ambiguous");
                return Err(PgError::new(SqlState::AMBIGUOUS_COLUMN, message));
            }
            self.column_is_read(first.id);
            return Ok(Expr::column(first.id, first.ty.clone()));
        }
        if column == TABLE_OID && self.has_table_oid(&item) {
            return self.table_oid(&item);
        }
        let message = format!("column {table}.{column} does not exist");
        let error = PgError::new(SqlState::UNDEFINED_COLUMN, message);
        Err(match nearest(column, item.columns.iter().map(|c| c.name.as_str())) {
            Some(near) => error.hint(format!("Perhaps you meant to reference the column \"{table}.{near}\".")),
            None => error,
        })
    }

    /// Whether rows of this item are rows of a table; a view's are not.
    fn has_table_oid(&self, item: &Item) -> bool {
        self.catalog.relation(item.oid).is_some_and(|r| r.kind != RelationKind::View)
    }

    /// The table's OID in each of its rows, and NULL where an outer join found none.
    fn table_oid(&mut self, item: &Item) -> PgResult<Expr> {
        let ty = ExprType::of(crate::types::PgType::new(oid::OID));
        let constant = Expr::literal(ScalarValue::UInt32(Some(item.oid.0)), ty.clone());
        if !item.nullable {
            return Ok(constant);
        }
        let relation = self.catalog.relation(item.oid);
        let never_null = relation.and_then(|r| r.columns.iter().position(|c| c.not_null));
        let Some(column) = never_null.and_then(|place| item.columns.get(place)).cloned() else {
            return Err(PgError::unsupported("tableoid of a table without NOT NULL columns, behind an outer join"));
        };
        self.column_is_read(column.id);
        let there = Expr::column(column.id, column.ty);
        Ok(super::expr::when_not_null(there, constant))
    }

    pub(super) fn missing_table(&self, table: &str) -> PgError {
        // An alias hides the table's own name; say so where that is what happened.
        let hidden = self.scopes.iter().flat_map(|s| &s.items).find(|i| {
            let relation = self.catalog.relation(i.oid);
            relation.is_some_and(|r| r.name == table)
        });
        let sibling = self.scopes.iter().flat_map(|s| &s.hidden).any(|i| i.name.as_deref() == Some(table));
        if sibling {
            let message = format!("invalid reference to FROM-clause entry for table \"{table}\"");
            let detail = format!(
                "There is an entry for table \"{table}\", but it cannot be referenced from this part of the query."
            );
            return PgError::new(SqlState::UNDEFINED_TABLE, message).detail(detail);
        }
        match hidden.and_then(|i| i.name.as_deref()) {
            Some(alias) if alias != table => {
                let message = format!("invalid reference to FROM-clause entry for table \"{table}\"");
                let hint = format!("Perhaps you meant to reference the table alias \"{alias}\".");
                PgError::new(SqlState::UNDEFINED_TABLE, message).hint(hint)
            }
            Some(_) => {
                let message = format!("invalid reference to FROM-clause entry for table \"{table}\"");
                PgError::new(SqlState::UNDEFINED_TABLE, message)
            }
            None => PgError::new(SqlState::UNDEFINED_TABLE, format!("missing FROM-clause entry for table \"{table}\"")),
        }
    }

    /// All columns of an item as a row; of a function with one column, that column.
    fn whole_row(&mut self, item: &Item) -> Expr {
        item.columns.iter().for_each(|column| self.column_is_read(column.id));
        let mut columns: Vec<Expr> = item.columns.iter().map(|c| Expr::column(c.id, c.ty.clone())).collect();
        if item.scalar_function && columns.len() == 1 {
            return columns.remove(0);
        }
        // A table's row has the table's own names, whatever the query calls its columns.
        let relation = self.catalog.relation(item.oid).filter(|r| r.columns.len() == item.columns.len());
        let names: Vec<String> = match relation {
            Some(relation) => relation.columns.iter().map(|c| c.name.clone()).collect(),
            None => item.columns.iter().map(|c| c.name.clone()).collect(),
        };
        super::expr::named_row(columns, &names)
    }
}

/// The one column name that is close to what was written, as PostgreSQL suggests it.
fn nearest<'c>(wanted: &str, have: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let mut best: Option<(usize, &str)> = None;
    let mut tie = false;
    for name in have {
        let distance = edit_distance(wanted, name);
        if distance > 3 || distance * 2 > wanted.len() {
            continue;
        }
        match best {
            Some((d, _)) if d < distance => {}
            Some((d, _)) if d == distance => tie = true,
            _ => (best, tie) = (Some((distance, name)), false),
        }
    }
    best.filter(|_| !tie).map(|(_, name)| name)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
