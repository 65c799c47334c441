//! What functions ask of the catalog ([`CatalogLookup`]): one catalog, one session's search path and names.

use super::describe::view_definition;
use super::objects::{TableIndex, constraints, indexes, indexes_of, shown};
use super::relkind;
use super::roles::{DATABASE, role_oid};
use crate::catalog::{Access, Catalog, EVERYBODY, PG_CATALOG, Privileges, Relation};
use crate::kernels::context::{CatalogLookup, PrivilegeOn, RelationSize};
use crate::kernels::facts;
use crate::types::{Oid, PgType};
use std::collections::HashMap;
use std::sync::Arc;

/// See the module. Cheap to make for each statement.
#[derive(Debug, Clone)]
pub struct Lookup {
    catalog: Arc<Catalog>,
    search_path: Arc<[String]>,
    database: Arc<str>,
    /// Every role name that a session has, this one's first.
    users: Arc<[String]>,
    /// Bytes of the relations that hold rows.
    sizes: Arc<HashMap<Oid, u64>>,
    /// How each materialized view is maintained.
    plans: Arc<HashMap<Oid, Arc<[String]>>>,
}

impl Lookup {
    pub fn new(
        catalog: Arc<Catalog>,
        search_path: Arc<[String]>,
        database: Arc<str>,
        users: Arc<[String]>,
        sizes: Arc<HashMap<Oid, u64>>,
    ) -> Self {
        Self { catalog, search_path, database, users, sizes, plans: Arc::default() }
    }

    /// Knows the maintenance plans of materialized views, too.
    pub fn with_plans(self, plans: Arc<HashMap<Oid, Arc<[String]>>>) -> Self {
        Self { plans, ..self }
    }

    /// The relation or index by its schema and name.
    fn in_schema(&self, schema: Oid, name: &str) -> Option<Oid> {
        let relation = self.catalog.relation_named(schema, name).map(|r| r.oid);
        // Only a name like that of a key is worth looking through all keys.
        let of_schema = || self.catalog.relations().filter(|r| r.schema == schema);
        let index = || of_schema().flat_map(|r| indexes_of(r)).find(|i| i.name == name).map(|i| i.oid);
        relation.or_else(index)
    }

    /// The schemas that are searched, `pg_catalog` first where the path does not place it.
    fn searched(&self) -> impl Iterator<Item = Oid> {
        let implicit = (!self.search_path.iter().any(|s| s == "pg_catalog")).then_some(PG_CATALOG);
        let path = self.search_path.iter().filter_map(|s| self.catalog.namespace_named(s)).map(|n| n.oid);
        implicit.into_iter().chain(path)
    }

    fn index(&self, oid: Oid) -> Option<TableIndex<'_>> {
        indexes(&self.catalog).find(|index| index.oid == oid)
    }

    /// (schema, name) of a relation or index.
    fn place(&self, relation: Oid) -> Option<(Oid, String)> {
        match self.catalog.relation(relation) {
            Some(relation) => Some((relation.schema, relation.name.clone())),
            None => self.index(relation).map(|index| (index.relation.schema, index.name)),
        }
    }

    /// A relation's name as the search path needs it.
    fn named(&self, relation: &Relation) -> String {
        let name = crate::kernels::quote_identifier(&relation.name);
        match self.relation_oid(None, &relation.name) == Some(relation.oid) {
            true => name,
            false => format!("{}.{name}", crate::kernels::quote_identifier(&self.schema_name(relation.schema))),
        }
    }

    fn with_row_type(&self, ty: Oid) -> Option<&Arc<Relation>> {
        self.catalog.relations().find(|r| r.row_type_oid != 0 && r.row_type_oid == ty.0)
    }

    fn schema_name(&self, schema: Oid) -> String {
        self.catalog.namespace(schema).map_or_else(String::new, |n| n.name.clone())
    }

    /// What a role may do: somebody whom the catalog does not know and who has a session, everything.
    fn access_of(&self, role: Oid) -> Access {
        let known = role == EVERYBODY || self.catalog.roles().get(role).is_some();
        match known || !self.users.iter().any(|user| role_oid(&self.catalog, user) == role) {
            true => Access::of(&self.catalog, role),
            false => Access::unlimited(role),
        }
    }

    /// The columns of a relation or of an index, with their numbers.
    fn columns(&self, relation: Oid) -> Option<Vec<(i16, String, PgType)>> {
        if let Some(relation) = self.catalog.relation(relation) {
            return Some(relation.columns.iter().map(|c| (c.attnum, c.name.clone(), c.ty())).collect());
        }
        let index = self.index(relation)?;
        let types = index.types().into_iter().map(PgType::new);
        Some((1..).zip(index.column_names()).zip(types).map(|((n, name), ty)| (n, name, ty)).collect())
    }
}

impl CatalogLookup for Lookup {
    fn relation_oid(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        match schema {
            Some(schema) => self.in_schema(self.catalog.namespace_named(schema)?.oid, name),
            None => self.searched().find_map(|schema| self.in_schema(schema, name)),
        }
    }

    fn relation_name(&self, relation: Oid) -> Option<(String, String)> {
        self.place(relation).map(|(schema, name)| (self.schema_name(schema), name))
    }

    fn relation_visible(&self, relation: Oid) -> Option<bool> {
        let (_, name) = self.place(relation)?;
        Some(self.relation_oid(None, &name) == Some(relation))
    }

    fn type_oid(&self, schema: Option<&str>, name: &str) -> Option<Oid> {
        let row_type = |schema: Oid| {
            let relation = self.catalog.relation_named(schema, name)?;
            (relation.row_type_oid != 0).then_some(Oid(relation.row_type_oid))
        };
        match schema {
            Some(schema) => row_type(self.catalog.namespace_named(schema)?.oid),
            None => self.searched().find_map(row_type),
        }
    }

    fn type_name(&self, ty: Oid) -> Option<(String, String)> {
        self.with_row_type(ty).map(|r| (self.schema_name(r.schema), r.name.clone()))
    }

    fn type_visible(&self, ty: Oid) -> Option<bool> {
        let relation = self.with_row_type(ty)?;
        Some(self.type_oid(None, &relation.name) == Some(ty))
    }

    fn namespace_oid(&self, name: &str) -> Option<Oid> {
        self.catalog.namespace_named(name).map(|n| n.oid)
    }

    fn namespace_name(&self, namespace: Oid) -> Option<String> {
        self.catalog.namespace(namespace).map(|n| n.name.clone())
    }

    fn role_oid(&self, name: &str) -> Option<Oid> {
        let known = self.catalog.roles().named(name).is_some() || self.users.iter().any(|user| user == name);
        known.then(|| role_oid(&self.catalog, name))
    }

    fn role_name(&self, role: Oid) -> Option<String> {
        if let Some(role) = self.catalog.roles().get(role) {
            return Some(role.name.clone());
        }
        self.users.iter().find(|user| role_oid(&self.catalog, user) == role).cloned()
    }

    fn database_oid(&self, name: &str) -> Option<Oid> {
        (name == &*self.database).then_some(DATABASE)
    }

    fn database_name(&self, database: Oid) -> Option<String> {
        (database == DATABASE).then(|| self.database.to_string())
    }

    fn column_number(&self, relation: Oid, column: &str) -> Option<i16> {
        self.columns(relation)?.iter().find(|(_, name, _)| name == column).map(|(attnum, ..)| *attnum)
    }

    fn column_name(&self, relation: Oid, attnum: i16) -> Option<String> {
        self.columns(relation)?.iter().find(|(n, ..)| *n == attnum).map(|(_, name, _)| name.to_string())
    }

    fn column_type(&self, relation: Oid, attnum: i16) -> Option<PgType> {
        self.columns(relation)?.iter().find(|(n, ..)| *n == attnum).map(|(.., ty)| *ty)
    }

    fn view_definition(&self, relation: Oid, _pretty: bool) -> Option<String> {
        let relation = self.catalog.relation(relation)?;
        view_definition(relation, &self.catalog, &|oid| self.relation_visible(oid) == Some(true))
    }

    fn expression(&self, tree: &str) -> String {
        shown(&self.catalog, tree, &|relation| self.named(relation))
    }

    fn view_plan(&self, relation: Oid) -> Option<String> {
        self.plans.get(&relation).map(|lines| lines.join("\n"))
    }

    fn index_definition(&self, index: Oid, column: i32, _pretty: bool) -> Option<String> {
        let index = self.index(index)?;
        match usize::try_from(column) {
            Ok(0) => Some(index.definition(&self.schema_name(index.relation.schema))),
            // A column beyond the last is an empty text, as in PostgreSQL.
            Ok(n) => Some(index.keys.get(n - 1).cloned().unwrap_or_default()),
            Err(_) => Some(String::new()),
        }
    }

    fn constraint_definition(&self, constraint: Oid, pretty: bool) -> Option<String> {
        let found = constraints(&self.catalog).find(|c| c.oid == constraint)?;
        Some(found.definition(&self.catalog, pretty, &|relation| self.named(relation)))
    }

    fn serial_sequence(&self, relation: Oid, attnum: i16) -> Option<String> {
        let owned = |r: &&Arc<Relation>| r.sequence.as_ref().is_some_and(|s| s.owner == Some((relation.0, attnum)));
        let sequence = self.catalog.relations().find(owned)?;
        let schema = crate::kernels::quote_identifier(&self.schema_name(sequence.schema));
        Some(format!("{schema}.{}", crate::kernels::quote_identifier(&sequence.name)))
    }

    fn description(&self, object: Oid, class: Option<&str>, sub: i32) -> Option<String> {
        let of_relation = || {
            let relation = self.catalog.relation(object)?;
            match i16::try_from(sub).ok()? {
                0 => relation.comment.clone(),
                attnum => relation.column_comments.get(&attnum).cloned(),
            }
        };
        let of_part = || {
            let relation = self.catalog.relations().find(|r| r.part_comments.contains_key(&object.0))?;
            let is_index = indexes_of(relation).iter().any(|index| index.oid == object);
            let wanted = class.is_none_or(|class| class == if is_index { "pg_class" } else { "pg_constraint" });
            relation.part_comments.get(&object.0).filter(|_| wanted && sub == 0).cloned()
        };
        let of_schema = || self.catalog.namespace(object).filter(|_| sub == 0)?.comment.clone();
        match class {
            Some("pg_class") => of_relation().or_else(of_part),
            Some("pg_constraint") => of_part(),
            Some("pg_namespace") => of_schema(),
            Some(_) => None,
            None => of_relation().or_else(of_part).or_else(of_schema),
        }
    }

    fn shared_description(&self, _object: Oid, _class: &str) -> Option<String> {
        None
    }

    fn has_privilege(&self, role: Oid, on: PrivilegeOn, privilege: &str, grant: bool) -> Option<bool> {
        let access = self.access_of(role);
        let wanted = Privileges::named(privilege).unwrap_or_default();
        let holds = |(held, grantable): (Privileges, Privileges)| {
            let of = if grant { held & grantable | grantable } else { held };
            !wanted.is_empty() && of.contains(wanted)
        };
        let built_in = |exists: bool| exists.then_some(access.superuser || !grant);
        match on {
            PrivilegeOn::Relation(oid) | PrivilegeOn::Column(oid, _) | PrivilegeOn::Sequence(oid) => {
                let Some(relation) = self.catalog.relation(oid) else {
                    // An index has no grants of its own.
                    return self.index(oid).map(|index| access.has_rights_of(index.relation.owner()));
                };
                if matches!(on, PrivilegeOn::Sequence(_)) && relation.sequence.is_none() {
                    return None;
                }
                if privilege == "RULE" {
                    return Some(false);
                }
                let whole = access.superuser || holds(access.on_relation(relation));
                match on {
                    PrivilegeOn::Column(_, 0) => {
                        let any = |attnum: &i16| holds(access.on_column(relation, *attnum));
                        Some(whole || relation.column_acls.keys().any(any))
                    }
                    PrivilegeOn::Column(_, attnum) => {
                        self.column_name(oid, attnum)?;
                        Some(whole || holds(access.on_column(relation, attnum)))
                    }
                    _ => Some(whole),
                }
            }
            PrivilegeOn::Schema(schema) => {
                let namespace = self.catalog.namespace(schema)?;
                Some(access.superuser || holds(access.on_schema(namespace, &self.catalog)))
            }
            PrivilegeOn::Database => Some(access.superuser || holds(access.on_database(&self.catalog))),
            PrivilegeOn::Function(function) => built_in(facts().proc_row(function).is_some()),
            PrivilegeOn::Type(ty) => built_in(facts().type_row(ty).is_some() || self.with_row_type(ty).is_some()),
            PrivilegeOn::Language(language) => built_in(language == Oid(12)),
            PrivilegeOn::Tablespace(space) => matches!(space.0, 1663 | 1664).then_some(access.superuser),
            PrivilegeOn::Role(other) => {
                self.role_name(other)?;
                let roles = self.catalog.roles();
                Some(
                    access.superuser
                        || match (privilege, grant) {
                            (_, true) => roles.is_admin(role, other),
                            ("USAGE", false) => access.has_rights_of(other) || role == other,
                            _ => role == other || roles.is_member(role, other),
                        },
                )
            }
        }
    }

    fn relation_size(&self, relation: Oid, what: RelationSize) -> Option<i64> {
        let rows = match self.catalog.relation(relation) {
            Some(found) if relkind(found) == 'v' => 0,
            Some(found) => self.sizes.get(&found.oid).copied().unwrap_or(0),
            // The key's index is counted with its table.
            None => self.index(relation).map(|_| 0)?,
        };
        Some(match what {
            RelationSize::Indexes => 0,
            RelationSize::Main | RelationSize::Table | RelationSize::Total => i64::try_from(rows).unwrap_or(i64::MAX),
        })
    }

    fn database_size(&self) -> i64 {
        i64::try_from(self.sizes.values().sum::<u64>()).unwrap_or(i64::MAX)
    }
}
