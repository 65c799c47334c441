//! `information_schema`: what PostgreSQL 15 would say there of such objects. Materialized views are not in it, as in
//! PostgreSQL.

mod character_sets;
mod check_constraints;
mod collations;
mod column_privileges;
mod column_udt_usage;
mod columns;
mod constraint_usage;
mod element_types;
mod information_schema_catalog_name;
mod key_column_usage;
mod parameters;
mod referential_constraints;
mod roles;
mod routines;
mod schemata;
mod sequences;
mod table_constraints;
mod table_privileges;
mod tables;
mod view_table_usage;
mod views;

use super::{Fill, SystemContext, relkind};
use crate::catalog::Relation;
use crate::types::Oid;
use std::sync::Arc;

pub(super) const RELATIONS: &[(&str, Fill)] = &[
    ("applicable_roles", roles::memberships),
    ("administrable_role_authorizations", roles::administrable),
    ("character_sets", character_sets::fill),
    ("check_constraints", check_constraints::fill),
    ("collations", collations::fill),
    ("collation_character_set_applicability", collations::applicability),
    ("column_privileges", column_privileges::fill),
    ("column_udt_usage", column_udt_usage::fill),
    ("columns", columns::fill),
    ("constraint_column_usage", constraint_usage::columns),
    ("constraint_table_usage", constraint_usage::tables),
    ("element_types", element_types::fill),
    ("enabled_roles", roles::enabled),
    ("information_schema_catalog_name", information_schema_catalog_name::fill),
    ("key_column_usage", key_column_usage::fill),
    ("parameters", parameters::fill),
    ("referential_constraints", referential_constraints::fill),
    ("role_column_grants", column_privileges::of_roles),
    ("role_table_grants", table_privileges::of_roles),
    ("routines", routines::fill),
    ("schemata", schemata::fill),
    ("sequences", sequences::fill),
    ("table_constraints", table_constraints::fill),
    ("table_privileges", table_privileges::fill),
    ("tables", tables::fill),
    ("view_table_usage", view_table_usage::fill),
    ("views", views::fill),
];

/// Relations of what Sluice does not have: to be empty is their true content.
pub(super) const EMPTY: &[&str] = &[
    // No triggers, domains or types of users.
    "triggers",
    "triggered_update_columns",
    "domains",
    "domain_constraints",
    "domain_udt_usage",
    "column_domain_usage",
    "column_column_usage",
    "attributes",
    "user_defined_types",
    "transforms",
    "check_constraint_routine_usage",
    // No functions of users.
    "routine_column_usage",
    "routine_routine_usage",
    "routine_sequence_usage",
    "routine_table_usage",
    "view_routine_usage",
    // No foreign data.
    "column_options",
    "foreign_data_wrapper_options",
    "foreign_data_wrappers",
    "foreign_server_options",
    "foreign_servers",
    "foreign_table_options",
    "foreign_tables",
    "user_mapping_options",
    "user_mappings",
];

/// Tables and views that the role may do anything with: what `information_schema` lists.
fn listed<'a>(cx: &SystemContext<'a>) -> impl Iterator<Item = &'a Arc<Relation>> {
    cx.catalog.relations().filter(move |r| matches!(relkind(r), 'r' | 'v') && cx.sees(r))
}

/// Tables alone: what has constraints.
fn tables<'a>(cx: &SystemContext<'a>) -> impl Iterator<Item = &'a Arc<Relation>> {
    cx.catalog.relations().filter(move |r| relkind(r) == 'r' && cx.sees(r))
}

/// The name of a NOT NULL constraint.
fn not_null_name(schema: Oid, relation: Oid, attnum: i16) -> String {
    format!("{schema}_{relation}_{attnum}_not_null")
}
