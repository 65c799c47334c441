//! The session that gold views are computed in: one of no user, with PostgreSQL's default formats, in UTC.
//!
//! What a view may call is limited by `refuse_unsteady`, so that clock, user and catalog are never asked for here.

use crate::kernels::context::{CatalogLookup, Context, PrivilegeOn, RelationSize};
use crate::types::codec::TextSettings;
use crate::types::{Oid, PgError, PgResult, PgType, oid};

/// See the module.
#[derive(Debug)]
pub struct ViewContext;

impl Context for ViewContext {
    fn transaction_us(&self) -> i64 {
        0
    }
    fn statement_us(&self) -> i64 {
        0
    }
    fn start_us(&self) -> i64 {
        0
    }
    fn text_settings(&self) -> TextSettings {
        TextSettings::default()
    }
    fn session_user(&self) -> &str {
        ""
    }
    fn current_user(&self) -> &str {
        ""
    }
    fn current_user_oid(&self) -> Oid {
        oid::INVALID
    }
    fn database(&self) -> &str {
        ""
    }
    fn search_path(&self) -> &[String] {
        &[]
    }
    fn setting(&self, _: &str) -> Option<String> {
        None
    }
    fn set_setting(&self, name: &str, _: &str, _: bool) -> PgResult<String> {
        Err(PgError::unsupported(format!("setting \"{name}\" inside a materialized view")))
    }
    fn backend_pid(&self) -> i32 {
        0
    }
    fn transaction_id(&self) -> i64 {
        0
    }
    fn client_address(&self) -> Option<(String, i32)> {
        None
    }
    fn server_address(&self) -> Option<(String, i32)> {
        None
    }
    fn catalog(&self) -> &dyn CatalogLookup {
        &NoCatalog
    }
}

/// A catalog in which nothing is found.
struct NoCatalog;

impl CatalogLookup for NoCatalog {
    fn relation_oid(&self, _: Option<&str>, _: &str) -> Option<Oid> {
        None
    }
    fn relation_name(&self, _: Oid) -> Option<(String, String)> {
        None
    }
    fn relation_visible(&self, _: Oid) -> Option<bool> {
        None
    }
    fn type_oid(&self, _: Option<&str>, _: &str) -> Option<Oid> {
        None
    }
    fn type_name(&self, _: Oid) -> Option<(String, String)> {
        None
    }
    fn type_visible(&self, _: Oid) -> Option<bool> {
        None
    }
    fn namespace_oid(&self, _: &str) -> Option<Oid> {
        None
    }
    fn namespace_name(&self, _: Oid) -> Option<String> {
        None
    }
    fn role_oid(&self, _: &str) -> Option<Oid> {
        None
    }
    fn role_name(&self, _: Oid) -> Option<String> {
        None
    }
    fn database_oid(&self, _: &str) -> Option<Oid> {
        None
    }
    fn database_name(&self, _: Oid) -> Option<String> {
        None
    }
    fn column_number(&self, _: Oid, _: &str) -> Option<i16> {
        None
    }
    fn column_name(&self, _: Oid, _: i16) -> Option<String> {
        None
    }
    fn column_type(&self, _: Oid, _: i16) -> Option<PgType> {
        None
    }
    fn view_definition(&self, _: Oid, _: bool) -> Option<String> {
        None
    }
    fn index_definition(&self, _: Oid, _: i32, _: bool) -> Option<String> {
        None
    }
    fn constraint_definition(&self, _: Oid, _: bool) -> Option<String> {
        None
    }
    fn description(&self, _: Oid, _: Option<&str>, _: i32) -> Option<String> {
        None
    }
    fn shared_description(&self, _: Oid, _: &str) -> Option<String> {
        None
    }
    fn has_privilege(&self, _: Oid, _: PrivilegeOn, _: &str, _: bool) -> Option<bool> {
        None
    }
    fn relation_size(&self, _: Oid, _: RelationSize) -> Option<i64> {
        None
    }
    fn database_size(&self) -> i64 {
        0
    }
}
