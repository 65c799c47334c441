//! `pg_depend`: what falls with what. A view depends on what it reads through its rule, as in PostgreSQL; columns are not
//! told apart (`refobjsubid` 0).

use super::pg_extension::EXTENSION;
use crate::catalog::{ConstraintKind, SLUICE};
use crate::kernels::facts::{OWN_PROCS, facts};
use crate::pg_catalog::context::SystemContext;
use crate::pg_catalog::objects::{attrdef_oid, constraints_of, named_in};
use crate::pg_catalog::rows::{Rows, row};

const PG_CLASS: u32 = 1259;
const PG_TYPE: u32 = 1247;
const PG_CONSTRAINT: u32 = 2606;
const PG_REWRITE: u32 = 2618;
const PG_NAMESPACE: u32 = 2615;
const PG_PROC: u32 = 1255;
const PG_ATTRDEF: u32 = 2604;
const PG_EXTENSION: u32 = 3079;

/// As in PostgreSQL, which pins them: no rows for system relations; but Sluice's own belong to its extension.
pub fn fill(cx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    rows.columns(&["classid", "objid", "objsubid", "refclassid", "refobjid", "refobjsubid", "deptype"]);
    let own = cx.catalog.relations().filter(|r| r.schema == SLUICE);
    let functions = facts().procs.iter().filter(|p| p.oid >= OWN_PROCS).map(|p| (PG_PROC, p.oid));
    let own = own.map(|r| (PG_CLASS, r.oid)).chain(functions).chain([(PG_NAMESPACE, SLUICE)]);
    for (class, oid) in own {
        rows.push(row![class, oid, 0i32, PG_EXTENSION, EXTENSION, 0i32, 'e']);
    }
    for relation in cx.catalog.user_relations() {
        let oid = relation.oid;
        rows.push(row![PG_CLASS, oid, 0i32, PG_NAMESPACE, relation.schema, 0i32, 'n']);
        if relation.row_type_oid != 0 {
            rows.push(row![PG_TYPE, relation.row_type_oid, 0i32, PG_CLASS, oid, 0i32, 'i']);
        }
        for column in relation.columns.iter().filter(|c| c.identity.is_none()) {
            let Some(default) = &column.default else { continue };
            let (own, attnum) = (attrdef_oid(oid, column.attnum), i32::from(column.attnum));
            rows.push(row![PG_ATTRDEF, own, 0i32, PG_CLASS, oid, attnum, if column.generated { 'i' } else { 'a' }]);
            for named in named_in(default) {
                rows.push(row![PG_ATTRDEF, own, 0i32, PG_CLASS, named, 0i32, 'n']);
            }
        }
        for constraint in constraints_of(relation) {
            if constraint.index != 0 {
                rows.push(row![PG_CLASS, constraint.index, 0i32, PG_CONSTRAINT, constraint.oid, 0i32, 'i']);
            }
            for column in &constraint.columns {
                rows.push(row![PG_CONSTRAINT, constraint.oid, 0i32, PG_CLASS, oid, i32::from(*column), 'a']);
            }
            if let Some(foreign) = constraint.foreign {
                for column in &foreign.columns {
                    let column = i32::from(*column);
                    rows.push(row![PG_CONSTRAINT, constraint.oid, 0i32, PG_CLASS, foreign.table, column, 'n']);
                }
            }
        }
        let of_constraint = |index: u32| relation.constraints.iter().any(|c| c.kind == ConstraintKind::Unique(index));
        for index in relation.indexes.iter().filter(|i| !of_constraint(i.oid)) {
            for column in &index.columns {
                rows.push(row![PG_CLASS, index.oid, 0i32, PG_CLASS, oid, i32::from(*column), 'a']);
            }
        }
        if let Some((sequence, (table, column))) = relation.sequence.as_ref().and_then(|s| Some((s, s.owner?))) {
            let kind = if sequence.internal { 'i' } else { 'a' };
            rows.push(row![PG_CLASS, oid, 0i32, PG_CLASS, table, i32::from(column), kind]);
        }
        if relation.definition.is_some() {
            let rule = relation.row_type_oid;
            rows.push(row![PG_REWRITE, rule, 0i32, PG_CLASS, oid, 0i32, 'i']);
            for read in &relation.depends_on {
                rows.push(row![PG_REWRITE, rule, 0i32, PG_CLASS, *read, 0i32, 'n']);
            }
        }
    }
}
