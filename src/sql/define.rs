//! What CREATE TABLE and ALTER TABLE say of columns and constraints, as the catalog has it.
//!
//! A [`Draft`] is a relation in the making: OIDs and names are given at once, expressions are understood when all columns are
//! there.

use crate::bind::{self, BindContext, Clause, typename};
use crate::catalog::{Access, Privileges};
use crate::catalog::{
    Catalog, CatalogColumn, Constraint, ConstraintKind, Foreign, Identity, Index, Relation, RelationKind, Sequence,
    SequenceState,
};
use crate::types::codec::TextSettings;
use crate::types::{ExprType, Oid, PgError, PgResult, PgType, SqlState, oid};
use pg_query::NodeEnum;
use pg_query::protobuf::{self, AConst, ColumnDef, ConstrType, Node, TypeName, a_const};
use std::sync::Arc;

/// What a draft is made with.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub catalog: &'a Catalog,
    pub search_path: &'a [String],
    pub text: TextSettings,
    /// What whoever defines it may do.
    pub access: &'a Access,
}

/// A table while a statement makes or changes it.
pub struct Draft<'a> {
    with: Surroundings<'a>,
    pub relation: Relation,
    /// The sequences that go with it.
    pub sequences: Vec<Relation>,
    later: Vec<Later>,
    /// Names that this statement has given.
    names: Vec<String>,
}

/// An expression that waits for all columns to be there.
enum Later {
    Default(i16, Node),
    Generated(i16, Node),
    Check { name: String, column: Option<i16>, node: Node },
    Foreign(Box<protobuf::Constraint>, Option<i16>),
}

/// The types that are integers with a sequence.
fn serial(ty: &TypeName) -> Option<Oid> {
    let [name] = bind::names::strings(&ty.names)[..] else { return None };
    match name {
        "serial" | "serial4" => Some(oid::INT4),
        "bigserial" | "serial8" => Some(oid::INT8),
        "smallserial" | "serial2" => Some(oid::INT2),
        _ => None,
    }
}

impl<'a> Draft<'a> {
    /// A table of this name, without columns.
    pub fn new(with: Surroundings<'a>, schema: Oid, name: &str) -> Self {
        let relation = Relation {
            oid: with.catalog.new_oid(),
            row_type_oid: with.catalog.new_oid().0,
            schema,
            name: name.to_owned(),
            kind: RelationKind::Managed,
            ..Relation::default()
        };
        Self { with, relation, sequences: Vec::new(), later: Vec::new(), names: Vec::new() }
    }

    pub fn of(with: Surroundings<'a>, relation: &Relation) -> Self {
        let relation = relation.clone();
        Self { with, relation, sequences: Vec::new(), later: Vec::new(), names: Vec::new() }
    }

    pub fn add_plain(&mut self, name: &str, ty: PgType) -> PgResult<i16> {
        if self.relation.column(name).is_some() {
            let message = format!("column \"{name}\" specified more than once");
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        let used = self.relation.columns.iter().map(|c| c.attnum).max().unwrap_or(0).max(self.relation.last_attnum);
        let attnum = used + 1;
        self.relation.last_attnum = attnum;
        let mut column = CatalogColumn::new(name, ty, false, attnum);
        column.retype(ty, true);
        self.relation.columns.push(column);
        Ok(attnum)
    }

    /// A column with what stands behind its type.
    pub fn column(&mut self, def: &ColumnDef) -> PgResult<i16> {
        let ty = def.type_name.as_ref().ok_or_else(|| PgError::internal("a column without a type"))?;
        let serial = serial(ty);
        let pg = match serial {
            Some(integer) => PgType::new(integer),
            None => typename::resolve(ty)?,
        };
        if matches!(pg.oid, oid::UNKNOWN | oid::RECORD | oid::VOID | oid::ANY) {
            let message = format!("column \"{}\" has pseudo-type {}", def.colname, bind::names::type_name(pg.oid));
            return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message));
        }
        let attnum = self.add_plain(&def.colname, pg)?;
        if serial.is_some() {
            self.own_sequence(attnum, pg.oid, &[], false)?;
            self.with_column(attnum, |c| c.not_null = true);
        }
        let mut nullable = false;
        for constraint in &with_attributes(&def.constraints)? {
            match constraint.contype() {
                ConstrType::ConstrNull => nullable = true,
                ConstrType::ConstrNotnull => self.with_column(attnum, |c| c.not_null = true),
                ConstrType::ConstrDefault => {
                    if serial.is_some() {
                        let message = format!(
                            "multiple default values specified for column \"{}\" of table \"{}\"",
                            def.colname, self.relation.name
                        );
                        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
                    }
                    self.later.push(Later::Default(attnum, raw(constraint)?));
                }
                ConstrType::ConstrIdentity => self.identity(attnum, &constraint.generated_when, &constraint.options)?,
                ConstrType::ConstrGenerated => {
                    if constraint.generated_kind == "v" {
                        return Err(PgError::unsupported("a virtual generated column"));
                    }
                    self.with_column(attnum, |c| c.generated = true);
                    self.later.push(Later::Generated(attnum, raw(constraint)?));
                }
                // Said of the constraint before it: see `with_attributes`.
                ConstrType::ConstrAttrDeferrable
                | ConstrType::ConstrAttrDeferred
                | ConstrType::ConstrAttrNotDeferrable
                | ConstrType::ConstrAttrImmediate => {}
                _ => self.constraint(constraint, Some(attnum))?,
            }
        }
        let not_null = self.relation.column_numbered(attnum).is_some_and(|(_, c)| c.not_null);
        if nullable && not_null {
            let message = format!(
                "conflicting NULL/NOT NULL declarations for column \"{}\" of table \"{}\"",
                def.colname, self.relation.name
            );
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        Ok(attnum)
    }

    pub fn with_column(&mut self, attnum: i16, change: impl FnOnce(&mut CatalogColumn)) {
        if let Some(column) = self.relation.columns.iter_mut().find(|c| c.attnum == attnum) {
            change(column);
        }
    }

    pub fn identity(&mut self, attnum: i16, when: &str, options: &[Node]) -> PgResult<()> {
        let Some((_, column)) = self.relation.column_numbered(attnum) else { return Ok(()) };
        let (ty, name) = (Oid(column.type_oid), column.name.clone());
        if !matches!(ty, oid::INT2 | oid::INT4 | oid::INT8) {
            let message = "identity column type must be smallint, integer, or bigint";
            return Err(PgError::new(SqlState::INVALID_PARAMETER, message));
        }
        if column.default.is_some() || column.identity.is_some() {
            let message =
                format!("column \"{name}\" of relation \"{}\" already has a default value", self.relation.name);
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        self.own_sequence(attnum, ty, options, true)?;
        let identity = if when == "a" { Identity::Always } else { Identity::ByDefault };
        self.with_column(attnum, |c| {
            c.not_null = true;
            c.identity = Some(identity);
        });
        Ok(())
    }

    /// A sequence for a column, and the default that takes its values.
    fn own_sequence(&mut self, attnum: i16, ty: Oid, options: &[Node], internal: bool) -> PgResult<()> {
        let column = self.relation.column_numbered(attnum).map_or(String::new(), |(_, c)| c.name.clone());
        let mut sequence = sequence_of(ty, options, None)?;
        sequence.owner = Some((self.relation.oid.0, attnum));
        sequence.internal = internal;
        let name = self.free_name(&column, "seq");
        let relation = sequence_relation(self.with.catalog, self.relation.schema, name, sequence);
        let default = format!("nextval('{}'::regclass)", relation.oid);
        self.with_column(attnum, |c| c.default = Some(default));
        self.sequences.push(relation);
        Ok(())
    }

    fn free_name(&mut self, columns: &str, suffix: &str) -> String {
        let (schema, table) = (self.relation.schema, &self.relation.name);
        let mut taken = self.names.clone();
        taken.extend(self.relation.constraints.iter().map(|c| c.name.clone()));
        let name = self.with.catalog.free_name(schema, table, columns, suffix, &taken);
        self.names.push(name.clone());
        name
    }

    /// A constraint of the table, or of one column.
    pub fn constraint(&mut self, constraint: &protobuf::Constraint, column: Option<i16>) -> PgResult<()> {
        if constraint.deferrable && constraint.contype() != ConstrType::ConstrForeign {
            return Err(PgError::unsupported("a deferrable constraint other than a foreign key"));
        }
        let keys = |draft: &Self| match column {
            Some(attnum) => Ok(vec![attnum]),
            None => draft.named(&constraint.keys, "key"),
        };
        match constraint.contype() {
            ConstrType::ConstrPrimary => {
                let keys = keys(self)?;
                self.primary_key(&keys, &constraint.conname, usize::try_from(constraint.location).ok())
            }
            ConstrType::ConstrUnique => {
                if constraint.nulls_not_distinct {
                    return Err(PgError::unsupported("NULLS NOT DISTINCT"));
                }
                let keys = keys(self)?;
                self.unique(keys, &constraint.conname)
            }
            ConstrType::ConstrCheck => {
                let (name, node) = (constraint.conname.clone(), raw(constraint)?);
                self.later.push(Later::Check { name, column, node });
                Ok(())
            }
            ConstrType::ConstrForeign => {
                // It may name columns and keys of its own table that come after it.
                self.later.push(Later::Foreign(Box::new(constraint.clone()), column));
                Ok(())
            }
            ConstrType::ConstrNotnull => {
                for attnum in keys(self)? {
                    self.with_column(attnum, |c| c.not_null = true);
                }
                Ok(())
            }
            _ => Err(PgError::unsupported("this kind of constraint")),
        }
    }

    fn named(&self, names: &[Node], what: &str) -> PgResult<Vec<i16>> {
        let mut found: Vec<i16> = Vec::with_capacity(names.len());
        for name in bind::names::strings(names) {
            let (_, column) = self.relation.column(name).ok_or_else(|| {
                let message = match what {
                    "key" => format!("column \"{name}\" named in key does not exist"),
                    _ => format!("column \"{name}\" referenced in foreign key constraint does not exist"),
                };
                PgError::new(SqlState::UNDEFINED_COLUMN, message)
            })?;
            if found.contains(&column.attnum) {
                let message = format!("column \"{name}\" appears twice in {what} constraint");
                return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
            }
            found.push(column.attnum);
        }
        Ok(found)
    }

    fn primary_key(&mut self, columns: &[i16], name: &str, at: Option<usize>) -> PgResult<()> {
        if !self.relation.key.is_empty() {
            let message = format!("multiple primary keys for table \"{}\" are not allowed", self.relation.name);
            let error = PgError::new(SqlState::INVALID_TABLE_DEFINITION, message);
            return Err(match at {
                Some(at) => error.at(at),
                None => error,
            });
        }
        for attnum in columns {
            self.with_column(*attnum, |c| c.not_null = true);
        }
        self.relation.key = self.relation.positions(columns);
        self.relation.key_name = Some(match name {
            "" => self.free_name("", "pkey"),
            name => self.given(name)?,
        });
        self.relation.key_index_oid = self.with.catalog.new_oid().0;
        self.relation.key_constraint_oid = self.with.catalog.new_oid().0;
        Ok(())
    }

    /// A name that the user gave to what shares its names with relations.
    fn given(&mut self, name: &str) -> PgResult<String> {
        if self.names.iter().any(|n| n == name) {
            let message = format!("relation \"{name}\" already exists");
            return Err(PgError::new(SqlState::DUPLICATE_TABLE, message));
        }
        self.with.catalog.check_free(self.relation.schema, name)?;
        self.names.push(name.to_owned());
        Ok(name.to_owned())
    }

    fn joined_names(&self, columns: &[i16]) -> String {
        let names = columns.iter().filter_map(|n| self.relation.column_numbered(*n)).map(|(_, c)| c.name.as_str());
        names.collect::<Vec<_>>().join("_")
    }

    fn unique(&mut self, columns: Vec<i16>, name: &str) -> PgResult<()> {
        let name = match name {
            "" => self.free_name(&self.joined_names(&columns), "key"),
            name => self.given(name)?,
        };
        let keys = self.keys_as_sql(&columns);
        let index = self.with.catalog.new_oid().0;
        self.relation.indexes.push(Index {
            oid: index,
            name: name.clone(),
            unique: true,
            method: "btree".into(),
            columns: columns.clone(),
            keys,
            predicate: None,
        });
        let oid = self.with.catalog.new_oid().0;
        self.relation.constraints.push(Constraint { oid, name, columns, kind: ConstraintKind::Unique(index) });
        Ok(())
    }

    fn keys_as_sql(&self, columns: &[i16]) -> Vec<String> {
        let columns = columns.iter().filter_map(|n| self.relation.column_numbered(*n));
        columns.map(|(_, c)| crate::kernels::quote_identifier(&c.name)).collect()
    }

    fn foreign(&mut self, constraint: &protobuf::Constraint, column: Option<i16>) -> PgResult<()> {
        let columns = match column {
            Some(attnum) => vec![attnum],
            None => self.named(&constraint.fk_attrs, "foreign key")?,
        };
        let range = constraint.pktable.as_ref().ok_or_else(|| PgError::internal("a foreign key to nothing"))?;
        let schema = (!range.schemaname.is_empty()).then_some(range.schemaname.as_str());
        let own = range.relname == self.relation.name && self.with.catalog.relation(self.relation.oid).is_none();
        let referred = match own {
            true => Arc::new(self.relation.clone()),
            false => Arc::clone(self.with.catalog.resolve(self.with.search_path, schema, &range.relname)?),
        };
        if referred.kind != RelationKind::Managed {
            let message = format!("referenced relation \"{}\" is not a table", referred.name);
            return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        let theirs: Vec<i16> = match constraint.pk_attrs.is_empty() {
            true => referred.key.iter().map(|i| referred.columns[*i].attnum).collect(),
            false => {
                let of = bind::names::strings(&constraint.pk_attrs);
                let numbers = of.iter().map(|name| {
                    referred.column(name).map(|(_, c)| c.attnum).ok_or_else(|| {
                        let message = format!("column \"{name}\" referenced in foreign key constraint does not exist");
                        PgError::new(SqlState::UNDEFINED_COLUMN, message)
                    })
                });
                numbers.collect::<PgResult<_>>()?
            }
        };
        if theirs.is_empty() {
            let message = format!("there is no primary key for referenced table \"{}\"", referred.name);
            return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
        }
        if !own {
            let columns =
                theirs.iter().all(|c| self.with.access.on_column(&referred, *c).0.contains(Privileges::REFERENCES));
            if !columns {
                self.with.access.must_have(&referred, Privileges::REFERENCES)?;
            }
        }
        if theirs.len() != columns.len() {
            let message = "number of referencing and referenced columns for foreign key disagree";
            return Err(PgError::new(SqlState(*b"42830"), message));
        }
        let mut wanted = referred.positions(&theirs);
        wanted.sort_unstable();
        let is_unique = referred.uniques().into_iter().any(|(mut columns, _)| {
            columns.sort_unstable();
            columns == wanted
        });
        if !is_unique {
            let message =
                format!("there is no unique constraint matching given keys for referenced table \"{}\"", referred.name);
            return Err(PgError::new(SqlState(*b"42830"), message));
        }
        for (ours, theirs) in columns.iter().zip(&theirs) {
            let (Some((_, a)), Some((_, b))) =
                (self.relation.column_numbered(*ours), referred.column_numbered(*theirs))
            else {
                continue;
            };
            if a.expr_type().storage != b.expr_type().storage {
                let (a, b) = (bind::names::type_name(Oid(a.type_oid)), bind::names::type_name(Oid(b.type_oid)));
                return Err(PgError::unsupported(format!("a foreign key of type {a} to a column of type {b}")));
            }
        }
        let action = |text: &str| text.chars().next().unwrap_or('a');
        let (on_update, on_delete) = (action(&constraint.fk_upd_action), action(&constraint.fk_del_action));
        let on_delete_set = self.named(&constraint.fk_del_set_cols, "foreign key")?;
        if let Some(stray) = on_delete_set.iter().find(|c| !columns.contains(c)) {
            let name = self.relation.column_numbered(*stray).map_or("", |(_, c)| c.name.as_str());
            let message = format!("column \"{name}\" referenced in ON DELETE SET action must be part of foreign key");
            return Err(PgError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
        if constraint.fk_matchtype == "p" {
            return Err(PgError::unsupported("MATCH PARTIAL"));
        }
        for action in [on_update, on_delete] {
            let set = if action == on_delete && !on_delete_set.is_empty() { &on_delete_set } else { &columns };
            let generated = set.iter().any(|n| self.relation.column_numbered(*n).is_some_and(|(_, c)| c.generated));
            if generated && matches!(action, 'n' | 'd') || generated && action == on_update && action == 'c' {
                let what = if action == on_update { "ON UPDATE" } else { "ON DELETE" };
                let message = format!("invalid {what} action for foreign key constraint containing generated column");
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
            }
        }
        let name = match constraint.conname.as_str() {
            "" => self.free_name(&self.joined_names(&columns), "fkey"),
            name => name.to_owned(),
        };
        let oid = self.with.catalog.new_oid().0;
        let kind = ConstraintKind::Foreign(Foreign {
            table: referred.oid.0,
            columns: theirs,
            on_update,
            on_delete,
            on_delete_set,
            full: constraint.fk_matchtype == "f",
            deferrable: constraint.deferrable,
            deferred: constraint.initdeferred,
        });
        self.relation.constraints.push(Constraint { oid, name, columns, kind });
        Ok(())
    }

    /// `LIKE other`.
    pub fn like(&mut self, clause: &protobuf::TableLikeClause) -> PgResult<()> {
        const DEFAULTS: u32 = 1 << 3;
        const INDEXES: u32 = 1 << 6;
        let range = clause.relation.as_ref().ok_or_else(|| PgError::internal("LIKE nothing"))?;
        let schema = (!range.schemaname.is_empty()).then_some(range.schemaname.as_str());
        let other = Arc::clone(self.with.catalog.resolve(self.with.search_path, schema, &range.relname)?);
        for column in &other.columns {
            let attnum = self.add_plain(&column.name, column.ty())?;
            let with_default = clause.options & DEFAULTS != 0 && column.identity.is_none() && !column.generated;
            self.with_column(attnum, |c| {
                c.not_null = column.not_null;
                if with_default {
                    c.default.clone_from(&column.default);
                }
            });
        }
        if clause.options & INDEXES != 0 && !other.key.is_empty() {
            let names: Vec<i16> = other
                .key
                .iter()
                .filter_map(|i| self.relation.column(&other.columns[*i].name))
                .map(|(_, c)| c.attnum)
                .collect();
            self.primary_key(&names, "", None)?;
        }
        Ok(())
    }

    /// Understands the expressions that waited.
    pub fn finish(&mut self) -> PgResult<()> {
        let (foreign, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.later).into_iter().partition(|later| matches!(later, Later::Foreign(..)));
        for later in rest.into_iter().chain(foreign) {
            match later {
                Later::Foreign(constraint, column) => self.foreign(&constraint, column)?,
                Later::Default(attnum, node) => self.set_default(attnum, node)?,
                Later::Generated(attnum, node) => self.generated(attnum, &node)?,
                Later::Check { name, column, node } => self.check(name, column, &node)?,
            }
        }
        Ok(())
    }

    fn understand(
        &self,
        node: &Node,
        over: bool,
        clause: Clause,
        target: Option<(&str, ExprType)>,
    ) -> PgResult<bind::Checked> {
        let mut cx = BindContext::new(self.with.catalog, self.with.search_path);
        cx.text = self.with.text;
        let relation = over.then_some(&self.relation);
        let checked = bind::bind_check(node, relation, clause, target, &mut cx)?;
        if !cx.param_types.is_empty() {
            return Err(PgError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        Ok(checked)
    }

    /// DEFAULT of a column; NULL takes it away.
    pub fn set_default(&mut self, attnum: i16, mut node: Node) -> PgResult<()> {
        let Some((_, column)) = self.relation.column_numbered(attnum) else { return Ok(()) };
        let (name, ty) = (column.name.clone(), column.expr_type());
        if column.identity.is_some() || column.generated {
            let kind = if column.generated { "a generated" } else { "an identity" };
            let message = format!("column \"{name}\" of relation \"{}\" is {kind} column", self.relation.name);
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        }
        self.name_sequences_by_oid(&mut node)?;
        let pg = ty.pg;
        self.understand(&node, false, Clause::Default, Some((&name, ty)))?;
        let text = match string_literal(&node) {
            Some(literal) => {
                let literal = literal.replace('\'', "''");
                format!("'{literal}'::{}", bind::names::type_name(pg.oid))
            }
            None => expression_text(&node)?,
        };
        let text = Some(text).filter(|_| !is_null(&node));
        self.with_column(attnum, |c| c.default = text);
        Ok(())
    }

    /// `nextval('name')` keeps its sequence when that gets another name.
    fn name_sequences_by_oid(&self, node: &mut Node) -> PgResult<()> {
        let Some(NodeEnum::FuncCall(call)) = &mut node.node else { return Ok(()) };
        if bind::names::strings(&call.funcname).last() != Some(&"nextval") {
            return Ok(());
        }
        let Some(argument) = call.args.first_mut() else { return Ok(()) };
        let literal = match &argument.node {
            Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().and_then(string_literal),
            _ => string_literal(argument),
        };
        let Some(text) = literal else { return Ok(()) };
        let parts = crate::kernels::split_identifiers(&text)?;
        let (schema, name) = match &parts[..] {
            [name] => (None, name),
            [.., schema, name] => (Some(schema.as_str()), name),
            [] => return Ok(()),
        };
        if name.parse::<u32>().is_ok() {
            return Ok(());
        }
        let found = self.with.catalog.resolve(self.with.search_path, schema, name)?;
        let by_oid = format!("SELECT '{}'::regclass", found.oid);
        if let Some(NodeEnum::SelectStmt(select)) = bind::parse(&by_oid)?.pop().map(|s| s.node)
            && let Some(NodeEnum::ResTarget(target)) = select.target_list.into_iter().next().and_then(|n| n.node)
            && let Some(value) = target.val
        {
            *argument = *value;
        }
        Ok(())
    }

    fn generated(&mut self, attnum: i16, node: &Node) -> PgResult<()> {
        let Some((_, column)) = self.relation.column_numbered(attnum) else { return Ok(()) };
        let (name, ty) = (column.name.clone(), column.expr_type());
        let checked = self.understand(node, true, Clause::Generated, Some((&name, ty)))?;
        if checked.volatile {
            let message = "generation expression is not immutable";
            return Err(PgError::new(SqlState(*b"42P17"), message));
        }
        let mut on_generated = checked.columns.iter().filter_map(|n| self.relation.column_numbered(*n));
        if let Some((_, other)) = on_generated.find(|(_, c)| c.generated) {
            let message = format!("cannot use generated column \"{}\" in column generation expression", other.name);
            let error = PgError::new(SqlState(*b"42P17"), message);
            return Err(error.detail("A generated column cannot reference another generated column."));
        }
        let text = match &node.node {
            Some(NodeEnum::AExpr(_) | NodeEnum::BoolExpr(_)) => format!("({})", expression_text(node)?),
            _ => expression_text(node)?,
        };
        self.with_column(attnum, |c| c.default = Some(text));
        Ok(())
    }

    /// The generated column whose expression names this one.
    pub fn generated_from(&self, attnum: i16) -> PgResult<Option<String>> {
        for column in self.relation.columns.iter().filter(|c| c.generated) {
            let node = bind::expression(column.default.as_deref().unwrap_or("NULL"))?;
            if self.understand(&node, true, Clause::Generated, None)?.columns.contains(&attnum) {
                return Ok(Some(column.name.clone()));
            }
        }
        Ok(None)
    }

    fn check(&mut self, name: String, column: Option<i16>, node: &Node) -> PgResult<()> {
        let checked = self.understand(node, true, Clause::Check, None)?;
        let name = match name.as_str() {
            "" => {
                let only = match (&checked.columns[..], column) {
                    ([only], _) => Some(*only),
                    (_, column) => column,
                };
                let columns = only.map_or(String::new(), |n| self.joined_names(&[n]));
                self.free_name(&columns, "check")
            }
            _ if self.relation.constraints.iter().any(|c| c.name == name) => {
                let message = format!("constraint \"{name}\" for relation \"{}\" already exists", self.relation.name);
                return Err(PgError::new(SqlState::DUPLICATE_OBJECT, message));
            }
            _ => name,
        };
        let oid = self.with.catalog.new_oid().0;
        let kind = ConstraintKind::Check(expression_text(node)?);
        self.relation.constraints.push(Constraint { oid, name, columns: checked.columns, kind });
        Ok(())
    }

    /// CREATE INDEX.
    pub fn index(&mut self, statement: &protobuf::IndexStmt) -> PgResult<String> {
        let mut columns = Vec::with_capacity(statement.index_params.len());
        let mut keys = Vec::with_capacity(statement.index_params.len());
        let mut name_parts: Vec<String> = Vec::new();
        for node in &statement.index_params {
            let Some(NodeEnum::IndexElem(element)) = &node.node else { continue };
            let mut key = match element.name.as_str() {
                "" => {
                    let expr = element.expr.as_deref().ok_or_else(|| PgError::internal("an index over nothing"))?;
                    let checked = self.understand(expr, true, Clause::Index, None)?;
                    if checked.volatile {
                        let message = "functions in index expression must be marked IMMUTABLE";
                        return Err(PgError::new(SqlState(*b"42P17"), message));
                    }
                    columns.push(0);
                    name_parts.push(match &expr.node {
                        Some(NodeEnum::FuncCall(call)) => {
                            bind::names::strings(&call.funcname).last().map_or("expr".into(), |n| (*n).to_owned())
                        }
                        _ => "expr".into(),
                    });
                    match &expr.node {
                        Some(NodeEnum::FuncCall(_)) => expression_text(expr)?,
                        _ => format!("({})", expression_text(expr)?),
                    }
                }
                name => {
                    let (_, column) = self.relation.column(name).ok_or_else(|| {
                        PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
                    })?;
                    columns.push(column.attnum);
                    name_parts.push(name.to_owned());
                    crate::kernels::quote_identifier(name)
                }
            };
            if element.ordering() == protobuf::SortByDir::SortbyDesc {
                key.push_str(" DESC");
            }
            match element.nulls_ordering() {
                protobuf::SortByNulls::SortbyNullsFirst => key.push_str(" NULLS FIRST"),
                protobuf::SortByNulls::SortbyNullsLast => key.push_str(" NULLS LAST"),
                _ => {}
            }
            keys.push(key);
        }
        let predicate = match statement.where_clause.as_deref() {
            Some(node) => {
                self.understand(node, true, Clause::Check, None)?;
                Some(expression_text(node)?)
            }
            None => None,
        };
        if statement.unique && (predicate.is_some() || columns.contains(&0)) {
            return Err(PgError::unsupported("a unique index over an expression or with WHERE"));
        }
        let name = match statement.idxname.as_str() {
            "" => self.free_name(&name_parts.join("_"), "idx"),
            name => self.given(name)?,
        };
        let method = if statement.access_method.is_empty() { "btree" } else { &statement.access_method };
        self.relation.indexes.push(Index {
            oid: self.with.catalog.new_oid().0,
            name: name.clone(),
            unique: statement.unique,
            method: method.to_owned(),
            columns,
            keys,
            predicate,
        });
        Ok(name)
    }
}

fn raw(constraint: &protobuf::Constraint) -> PgResult<Node> {
    constraint.raw_expr.as_deref().cloned().ok_or_else(|| PgError::internal("a constraint without an expression"))
}

fn is_null(node: &Node) -> bool {
    matches!(&node.node, Some(NodeEnum::AConst(AConst { isnull: true, .. })))
}

fn string_literal(node: &Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::AConst(AConst { val: Some(a_const::Val::Sval(text)), .. })) => Some(text.sval.clone()),
        _ => None,
    }
}

/// An expression as SQL.
pub fn expression_text(node: &Node) -> PgResult<String> {
    // A statement as the parser makes it, with another expression in it: deparsing needs every field of it to be right.
    let mut select = bind::parse("SELECT NULL")?.pop().map(|s| s.node);
    let Some(NodeEnum::SelectStmt(select)) = &mut select else { return Err(PgError::internal("a lost statement")) };
    for target in &mut select.target_list {
        if let Some(NodeEnum::ResTarget(target)) = &mut target.node {
            target.val = Some(Box::new(node.clone()));
        }
    }
    let text = bind::deparse(&NodeEnum::SelectStmt(select.clone()))?;
    Ok(text.strip_prefix("SELECT ").unwrap_or(&text).to_owned())
}

/// A sequence as its options say it; `old`: the one that ALTER SEQUENCE changes.
pub fn sequence_of(ty: Oid, options: &[Node], old: Option<&Sequence>) -> PgResult<Sequence> {
    let number = |node: Option<&Node>| -> PgResult<Option<i64>> {
        let text = match node.and_then(|n| n.node.as_ref()) {
            None => return Ok(None),
            Some(NodeEnum::Integer(i)) => return Ok(Some(i.ival.into())),
            Some(NodeEnum::Float(f)) => f.fval.clone(),
            _ => return Err(PgError::new(SqlState::SYNTAX_ERROR, "a sequence's option must be a number")),
        };
        let parsed = text.parse().map(Some);
        parsed.map_err(|_| {
            PgError::new(SqlState::NUMERIC_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type bigint"))
        })
    };
    let elements = || {
        options.iter().filter_map(|node| match &node.node {
            Some(NodeEnum::DefElem(e)) => Some((e.defname.as_str(), e.arg.as_deref())),
            _ => None,
        })
    };
    let mut ty = ty;
    for (name, arg) in elements() {
        if let ("as", Some(NodeEnum::TypeName(of))) = (name, arg.and_then(|n| n.node.as_ref())) {
            ty = typename::resolve(of)?.oid;
            if !matches!(ty, oid::INT2 | oid::INT4 | oid::INT8) {
                let message = "sequence type must be smallint, integer, or bigint";
                return Err(PgError::new(SqlState::INVALID_PARAMETER, message));
            }
        }
    }
    let (lowest, highest) = match ty {
        oid::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        oid::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let mut increment = old.map_or(1, |s| s.increment);
    let (mut min, mut max, mut start) = (old.map(|s| s.min), old.map(|s| s.max), old.map(|s| s.start));
    let (mut cache, mut cycle) = old.map_or((1, false), |s| (s.cache, s.cycle));
    let mut restart = None;
    for (name, arg) in elements() {
        match name {
            "increment" => increment = number(arg)?.unwrap_or(1),
            "minvalue" => min = number(arg)?,
            "maxvalue" => max = number(arg)?,
            "start" => start = number(arg)?,
            "cache" => cache = number(arg)?.unwrap_or(1),
            "cycle" => cycle = matches!(arg.and_then(|n| n.node.as_ref()), Some(NodeEnum::Boolean(b)) if b.boolval),
            "restart" => restart = Some(number(arg)?),
            "as" | "owned_by" | "sequence_name" => {}
            other => return Err(PgError::unsupported(format!("the sequence option {}", other.to_uppercase()))),
        }
    }
    let invalid = |message: String| Err(PgError::new(SqlState::INVALID_PARAMETER, message));
    if increment == 0 {
        return invalid("INCREMENT must not be zero".into());
    }
    let min = min.unwrap_or(if increment > 0 { 1 } else { lowest });
    let max = max.unwrap_or(if increment > 0 { highest } else { -1 });
    if min >= max {
        return invalid(format!("MINVALUE ({min}) must be less than MAXVALUE ({max})"));
    }
    let start = start.unwrap_or(if increment > 0 { min } else { max });
    if start < min {
        return invalid(format!("START value ({start}) cannot be less than MINVALUE ({min})"));
    }
    if start > max {
        return invalid(format!("START value ({start}) cannot be greater than MAXVALUE ({max})"));
    }
    let state = match (old, restart) {
        (Some(old), None) => old.state.clone(),
        (Some(old), Some(at)) => {
            old.state.set(at.unwrap_or(start), false);
            old.state.clone()
        }
        (None, _) => SequenceState::new(start),
    };
    let (owner, internal) = old.map_or((None, false), |s| (s.owner, s.internal));
    Ok(Sequence { type_oid: ty.0, start, increment, min, max, cache, cycle, owner, internal, state })
}

/// A sequence as a relation; its columns are those that SELECT shows.
pub fn sequence_relation(catalog: &Catalog, schema: Oid, name: String, sequence: Sequence) -> Relation {
    let column = |name: &str, ty, attnum| CatalogColumn::new(name, PgType::new(ty), true, attnum);
    Relation {
        oid: catalog.new_oid(),
        schema,
        name,
        kind: RelationKind::Sequence,
        columns: vec![
            column("last_value", oid::INT8, 1),
            column("log_cnt", oid::INT8, 2),
            column("is_called", oid::BOOL, 3),
        ],
        last_attnum: 3,
        sequence: Some(sequence),
        ..Relation::default()
    }
}

/// The constraints of a column, each with the DEFERRABLE and INITIALLY DEFERRED that follow it.
fn with_attributes(constraints: &[Node]) -> PgResult<Vec<protobuf::Constraint>> {
    let mut all: Vec<protobuf::Constraint> = Vec::with_capacity(constraints.len());
    for node in constraints {
        let Some(NodeEnum::Constraint(constraint)) = &node.node else { continue };
        let misplaced = || {
            let message = "misplaced DEFERRABLE clause";
            let error = PgError::new(SqlState::SYNTAX_ERROR, message);
            usize::try_from(constraint.location).map_or(error.clone(), |at| error.at(at))
        };
        let kind = constraint.contype();
        if !matches!(kind, ConstrType::ConstrAttrDeferrable | ConstrType::ConstrAttrDeferred) {
            all.push((**constraint).clone());
            continue;
        }
        let last = all
            .iter_mut()
            .rev()
            .find(|c| !matches!(c.contype(), ConstrType::ConstrAttrNotDeferrable | ConstrType::ConstrAttrImmediate));
        let last = last.ok_or_else(misplaced)?;
        if !matches!(last.contype(), ConstrType::ConstrForeign | ConstrType::ConstrPrimary | ConstrType::ConstrUnique) {
            return Err(misplaced());
        }
        last.deferrable = true;
        last.initdeferred |= kind == ConstrType::ConstrAttrDeferred;
    }
    Ok(all)
}
