//! Who a session acts as, and what that role may do.
//!
//! The role follows from the settings `session_authorization` and `role`, so that ROLLBACK takes SET ROLE back. Where nobody is
//! asked for a password, somebody whom the catalog does not know acts as a superuser under their own name: they could
//! have come as any superuser.

use super::session::Session;
use super::settings::Settings;
use crate::catalog::{Access, BOOTSTRAP_ROLE, Catalog, Needed, Role, Use};
use crate::pg_catalog::role_oid;
use crate::types::{Oid, PgError, PgResult, SqlState};
use std::sync::Arc;

/// The role of a session, for one version of the catalog and of the settings.
#[derive(Debug, Clone)]
pub struct Acting {
    versions: (u64, u64),
    pub session_user: Arc<str>,
    pub user: Arc<str>,
    pub access: Arc<Access>,
    /// Who owns what the session makes.
    pub creator: Oid,
}

impl Acting {
    /// Before the first statement.
    pub fn nobody() -> Self {
        let nobody: Arc<str> = "".into();
        let access = Arc::new(Access::of(&Catalog::new([]), Oid(u32::MAX)));
        Self { versions: (0, 0), session_user: Arc::clone(&nobody), user: nobody, access, creator: BOOTSTRAP_ROLE }
    }

    fn of(catalog: &Catalog, settings: &Settings, is_known: bool) -> Self {
        let session_user = settings.raw("session_authorization").unwrap_or_default();
        let user = match settings.raw("role") {
            None | Some("none") => session_user,
            Some(role) => role,
        };
        let known = catalog.roles().named(user);
        let access = match known {
            Some(role) => Access::of(catalog, role.oid),
            None if !is_known => Access::unlimited(role_oid(catalog, user)),
            // Dropped meanwhile.
            None => Access::of(catalog, role_oid(catalog, user)),
        };
        Self {
            versions: (catalog.version(), settings.version()),
            session_user: session_user.into(),
            user: user.into(),
            access: Arc::new(access),
            creator: known.map_or(BOOTSTRAP_ROLE, |role| role.oid),
        }
    }
}

/// The role of this name; `42704` where there is none.
pub fn role_named<'a>(catalog: &'a Catalog, name: &str) -> PgResult<&'a Arc<Role>> {
    catalog.roles().named(name).ok_or_else(|| undefined_role(name))
}

pub fn undefined_role(name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))
}

pub fn refused(message: impl Into<String>) -> PgError {
    PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

/// Whether the session may `SET ROLE name` (`none` goes back to the session's own).
pub fn check_set_role(catalog: &Catalog, session_user: &str, is_known: bool, name: &str) -> PgResult<()> {
    if name == "none" {
        return Ok(());
    }
    let missing = || PgError::new(SqlState::INVALID_PARAMETER, format!("role \"{name}\" does not exist"));
    let role = catalog.roles().named(name).ok_or_else(missing)?;
    let own = match catalog.roles().named(session_user) {
        Some(own) => own,
        None if !is_known => return Ok(()),
        None => return Err(undefined_role(session_user)),
    };
    match own.superuser || catalog.roles().is_member(own.oid, role.oid) {
        true => Ok(()),
        false => Err(refused(format!("permission denied to set role \"{name}\""))),
    }
}

impl Needed {
    /// Whether somebody who may do everything needs to look no further.
    fn is_free_for(&self, access: &Access) -> bool {
        let by_others = |need: &Use| need.by.is_some_and(|owner| owner != BOOTSTRAP_ROLE);
        access.superuser && !self.uses.iter().any(by_others)
    }
}

impl Session {
    /// What the session's role may do, as of the statement's begin.
    pub(super) fn access(&self) -> &Arc<Access> {
        &self.acting.access
    }

    /// Follows the settings and the catalog.
    pub(super) fn refresh_acting(&mut self) {
        let view = self.present();
        let mut settings = self.settings.lock();
        if self.acting.versions == (view.catalog.version(), settings.version()) {
            return;
        }
        let mut acting = Acting::of(&view.catalog, &settings, self.identity.known);
        settings.tell_superuser(acting.access.superuser);
        acting.versions.1 = settings.version();
        drop(settings);
        self.acting = acting;
        self.derive();
        if !self.acting.access.superuser {
            let (access, catalog) = (Arc::clone(&self.acting.access), &view.catalog);
            // As if it were not there: a schema that may not be used is not searched.
            self.derived.search_path.retain(|name| {
                catalog.namespace_named(name).is_none_or(|namespace| access.may_use_schema(namespace, catalog))
            });
        }
    }

    /// `42501` where the role lacks a right for a statement.
    pub(super) fn check_needed(&mut self, needed: &Needed) -> PgResult<()> {
        if needed.is_free_for(&self.acting.access) {
            return Ok(());
        }
        let view = self.view();
        needed.check(&self.acting.access, &view.catalog)?;
        if self.derived.as_of.is_none() {
            return Ok(());
        }
        // What has been taken from somebody since is not theirs in the past either.
        let present = self.present();
        needed.check(&self.acting.access, &present.catalog)
    }

    /// The same for the schemas alone, which are looked at when a statement is understood.
    pub(super) fn check_schemas(&mut self, needed: &Needed) -> PgResult<()> {
        if self.acting.access.superuser || needed.schemas.is_empty() {
            return Ok(());
        }
        let view = self.view();
        needed.check_schemas(&self.acting.access, &view.catalog)
    }
}
