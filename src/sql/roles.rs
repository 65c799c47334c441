//! CREATE, ALTER and DROP ROLE, memberships, and what a role owns.

use super::access::{refused, role_named, undefined_role};
use super::parameters;
use super::session::{Outcome, Session};
use super::transaction::PendingChange;
use super::utility::set_value;
use crate::catalog::{
    Access, BOOTSTRAP_ROLE, Catalog, FIRST_USER_OID, Membership, Relation, Role, Roles, Verifier, relation_word,
};
use crate::types::{Oid, PgError, PgResult, SqlState};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterRoleSetStmt, AlterRoleStmt, CreateRoleStmt, DefElem, DropBehavior, DropOwnedStmt, DropRoleStmt, GrantRoleStmt,
    Node, ReassignOwnedStmt, RenameStmt, RoleSpec, RoleSpecType, RoleStmtType, VariableSetKind,
};
use std::sync::Arc;

/// Longest password, in bytes.
const PASSWORD: usize = 1024;

/// What CREATE and ALTER ROLE say of a role; `None`: nothing.
#[derive(Default)]
struct Options {
    superuser: Option<bool>,
    inherit: Option<bool>,
    create_role: Option<bool>,
    create_database: Option<bool>,
    login: Option<bool>,
    replication: Option<bool>,
    bypass_rls: Option<bool>,
    connection_limit: Option<i32>,
    verifier: Option<Option<String>>,
    valid_until_us: Option<Option<i64>>,
    /// IN ROLE, ROLE, ADMIN.
    member_of: Vec<String>,
    members: Vec<String>,
    admins: Vec<String>,
}

impl Options {
    fn apply(&self, role: &mut Role) {
        let set = |to: &mut bool, from: Option<bool>| *to = from.unwrap_or(*to);
        set(&mut role.superuser, self.superuser);
        set(&mut role.inherit, self.inherit);
        set(&mut role.create_role, self.create_role);
        set(&mut role.create_database, self.create_database);
        set(&mut role.login, self.login);
        set(&mut role.replication, self.replication);
        set(&mut role.bypass_rls, self.bypass_rls);
        role.connection_limit = self.connection_limit.unwrap_or(role.connection_limit);
        if let Some(verifier) = &self.verifier {
            role.verifier.clone_from(verifier);
        }
        if let Some(valid_until_us) = self.valid_until_us {
            role.valid_until_us = valid_until_us;
        }
    }

    /// Whether nothing but the password is said.
    fn only_password(&self) -> bool {
        let flags = [
            self.superuser,
            self.inherit,
            self.create_role,
            self.create_database,
            self.login,
            self.replication,
            self.bypass_rls,
        ];
        flags.iter().all(Option::is_none) && self.connection_limit.is_none() && self.valid_until_us.is_none()
    }
}

fn text(node: Option<&Node>) -> Option<String> {
    match node?.node.as_ref()? {
        NodeEnum::String(s) => Some(s.sval.clone()),
        _ => None,
    }
}

fn switch(element: &DefElem) -> Option<bool> {
    match element.arg.as_deref()?.node.as_ref()? {
        NodeEnum::Boolean(b) => Some(b.boolval),
        NodeEnum::Integer(i) => Some(i.ival != 0),
        _ => None,
    }
}

fn verifier(password: &str) -> PgResult<Option<String>> {
    if password.is_empty() {
        return Ok(None);
    }
    if password.len() > PASSWORD {
        return Err(PgError::new(SqlState::INVALID_PARAMETER, format!("a password has at most {PASSWORD} bytes")));
    }
    if Verifier::parse(password).is_some() {
        return Ok(Some(password.to_owned()));
    }
    let is_md5 =
        password.len() == 35 && password.starts_with("md5") && password[3..].bytes().all(|b| b.is_ascii_hexdigit());
    match is_md5 {
        true => Err(PgError::unsupported("a password that is hashed with MD5")
            .hint("Give the password itself, or a SCRAM-SHA-256 verifier.")),
        false => Ok(Some(Verifier::new(password).to_string())),
    }
}

fn check_name(name: &str) -> PgResult<()> {
    if matches!(name, "public" | "none") {
        return Err(PgError::new(SqlState(*b"42939"), format!("role name \"{name}\" is reserved")));
    }
    if name.starts_with("pg_") {
        return Err(PgError::new(SqlState(*b"42939"), format!("role name \"{name}\" is reserved"))
            .detail("Role names starting with \"pg_\" are reserved."));
    }
    Ok(())
}

fn exists(name: &str) -> PgError {
    PgError::new(SqlState::DUPLICATE_OBJECT, format!("role \"{name}\" already exists"))
}

fn predefined(name: &str) -> PgError {
    PgError::new(SqlState(*b"42939"), format!("role name \"{name}\" is reserved"))
        .detail("It is always there as it is.")
}

/// Changes one role, found by its name when the change is applied.
fn change_role(catalog: &mut Catalog, name: &str, change: impl FnOnce(&mut Role)) -> PgResult<()> {
    catalog.change_roles(|roles| {
        let oid = roles.named(name).ok_or_else(|| undefined_role(name))?.oid;
        if let Some(role) = roles.all.get_mut(&oid) {
            change(Arc::make_mut(role));
        }
        Ok(())
    })
}

/// Gives `role` to `member`. `0LP01` where that would be a circle.
fn add_member(roles: &mut Roles, role: &str, member: &str, grantor: Oid, admin: bool) -> PgResult<bool> {
    let of = roles.named(role).ok_or_else(|| undefined_role(role))?.oid;
    let who = roles.named(member).ok_or_else(|| undefined_role(member))?.oid;
    if of == who || roles.is_member(of, who) {
        let message = format!("role \"{role}\" is a member of role \"{member}\"");
        return Err(PgError::new(SqlState(*b"0LP01"), message));
    }
    match roles.members.iter_mut().find(|m| m.role == of && m.member == who) {
        Some(known) if known.admin || !admin => Ok(false),
        Some(known) => {
            known.admin = true;
            Ok(true)
        }
        None => {
            roles.members.push(Membership { role: of, member: who, grantor, admin });
            Ok(true)
        }
    }
}

impl Session {
    /// The name of the role that a statement means.
    pub(super) fn role_name(&self, spec: Option<&RoleSpec>) -> PgResult<String> {
        let spec = spec.ok_or_else(|| PgError::internal("a role without a name"))?;
        match spec.roletype() {
            RoleSpecType::RolespecCurrentUser | RoleSpecType::RolespecCurrentRole => Ok(self.acting.user.to_string()),
            RoleSpecType::RolespecSessionUser => Ok(self.acting.session_user.to_string()),
            RoleSpecType::RolespecPublic => {
                Err(PgError::new(SqlState::UNDEFINED_OBJECT, "role \"public\" does not exist"))
            }
            RoleSpecType::RolespecCstring | RoleSpecType::Undefined => Ok(spec.rolename.clone()),
        }
    }

    fn role_names(&self, nodes: &[Node]) -> PgResult<Vec<String>> {
        let name = |node: &Node| match &node.node {
            Some(NodeEnum::RoleSpec(spec)) => self.role_name(Some(spec)),
            Some(NodeEnum::AccessPriv(privilege)) => Ok(privilege.priv_name.clone()),
            _ => Err(PgError::internal("a role that is no role")),
        };
        nodes.iter().map(name).collect()
    }

    fn role_options(&self, nodes: &[Node]) -> PgResult<Options> {
        let mut options = Options::default();
        let mut seen: Vec<&str> = Vec::new();
        for node in nodes {
            let Some(NodeEnum::DefElem(element)) = &node.node else { continue };
            let name = element.defname.as_str();
            if seen.contains(&name) {
                let error = PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options");
                return Err(error.at(usize::try_from(element.location).unwrap_or(0)));
            }
            seen.push(name);
            let list = || match element.arg.as_deref().and_then(|n| n.node.as_ref()) {
                Some(NodeEnum::List(list)) => self.role_names(&list.items),
                _ => Ok(Vec::new()),
            };
            match name {
                "superuser" => options.superuser = switch(element),
                "inherit" => options.inherit = switch(element),
                "createrole" => options.create_role = switch(element),
                "createdb" => options.create_database = switch(element),
                "canlogin" => options.login = switch(element),
                "isreplication" => options.replication = switch(element),
                "bypassrls" => options.bypass_rls = switch(element),
                "connectionlimit" => match element.arg.as_deref().and_then(|n| n.node.as_ref()) {
                    Some(NodeEnum::Integer(i)) if i.ival >= -1 => options.connection_limit = Some(i.ival),
                    _ => {
                        let message = "invalid connection limit";
                        return Err(PgError::new(SqlState::INVALID_PARAMETER, message));
                    }
                },
                "password" => {
                    options.verifier = Some(match text(element.arg.as_deref()) {
                        Some(password) => verifier(&password)?,
                        None => None,
                    });
                }
                "validUntil" => {
                    let until = text(element.arg.as_deref()).unwrap_or_default();
                    options.valid_until_us = Some(Some(self.text().input().timestamptz(&until, -1)?));
                }
                "addroleto" => options.member_of = list()?,
                "rolemembers" => options.members = list()?,
                "adminmembers" => options.admins = list()?,
                // SYSID: accepted and ignored, as in PostgreSQL.
                "sysid" => {}
                other => return Err(PgError::unsupported(format!("the role option {other}"))),
            }
        }
        Ok(options)
    }

    /// The role that acts, if the catalog has it.
    fn own_role(&self, catalog: &Catalog) -> Option<Arc<Role>> {
        catalog.roles().get(self.access().role).cloned()
    }

    fn may_create_roles(&self, catalog: &Catalog) -> bool {
        self.access().superuser || self.own_role(catalog).is_some_and(|role| role.create_role)
    }

    /// CREATE ROLE, USER, GROUP.
    pub(super) async fn create_role(&mut self, statement: &CreateRoleStmt) -> PgResult<Outcome> {
        const TAG: &str = "CREATE ROLE";
        let mut options = self.role_options(&statement.options)?;
        options.login = options.login.or((statement.stmt_type() == RoleStmtType::RolestmtUser).then_some(true));
        let view = self.view();
        let superuser = self.access().superuser;
        for (wanted, what) in [
            (options.superuser, "superusers"),
            (options.replication, "replication users"),
            (options.bypass_rls, "bypassrls users"),
        ] {
            if wanted == Some(true) && !superuser {
                return Err(refused(format!("must be superuser to create {what}")));
            }
        }
        if !self.may_create_roles(&view.catalog) {
            return Err(refused("permission denied to create role"));
        }
        let name = statement.role.clone();
        check_name(&name)?;
        if view.catalog.roles().named(&name).is_some() {
            return Err(exists(&name));
        }
        let grantor = self.acting.creator;
        let change: PendingChange = Arc::new(move |catalog| {
            if catalog.roles().named(&name).is_some() {
                return Err(exists(&name));
            }
            let oid = catalog.take_oid();
            let mut role = Role::new(oid, &name);
            options.apply(&mut role);
            catalog.change_roles(|roles| {
                roles.all.insert(oid, Arc::new(role));
                for of in &options.member_of {
                    add_member(roles, of, &name, grantor, false)?;
                }
                for (members, admin) in [(&options.members, false), (&options.admins, true)] {
                    for member in members {
                        add_member(roles, &name, member, grantor, admin)?;
                    }
                }
                Ok(())
            })
        });
        self.change(&view, change).await?;
        Ok(Outcome::done(TAG))
    }

    /// ALTER ROLE, and ALTER GROUP … ADD or DROP USER.
    pub(super) async fn alter_role(&mut self, statement: &AlterRoleStmt) -> PgResult<Outcome> {
        const TAG: &str = "ALTER ROLE";
        let name = self.role_name(statement.role.as_ref())?;
        let options = self.role_options(&statement.options)?;
        let view = self.view();
        let role = Arc::clone(role_named(&view.catalog, &name)?);
        if role.is_predefined() {
            return Err(predefined(&name));
        }
        let superuser = self.access().superuser;
        if (role.superuser || options.superuser.is_some()) && !superuser {
            return Err(refused("must be superuser to alter superuser roles or change superuser attribute"));
        }
        if (role.replication || options.replication.is_some()) && !superuser {
            return Err(refused("must be superuser to alter replication roles or change replication attribute"));
        }
        if options.bypass_rls.is_some() && !superuser {
            return Err(refused("must be superuser to change bypassrls attribute"));
        }
        let own_password = role.oid == self.access().role && options.only_password();
        if !self.may_create_roles(&view.catalog) && !own_password {
            return Err(refused("permission denied"));
        }
        if role.oid == BOOTSTRAP_ROLE && options.superuser == Some(false) {
            return Err(PgError::unsupported("taking SUPERUSER from the bootstrap role"));
        }
        if options.verifier.is_some() && self.database.has_configured_password(&name) {
            return Err(PgError::new(
                SqlState::OBJECT_NOT_IN_STATE,
                format!("the password of role \"{name}\" is set in the configuration"),
            )
            .hint("Change it in the section [users] of the configuration."));
        }
        let (adds, grantor) = (statement.action >= 0, self.acting.creator);
        let change: PendingChange = Arc::new(move |catalog| {
            change_role(catalog, &name, |role| options.apply(role))?;
            catalog.change_roles(|roles| {
                for member in &options.members {
                    if adds {
                        add_member(roles, &name, member, grantor, false)?;
                    } else {
                        let who = roles.named(member).ok_or_else(|| undefined_role(member))?.oid;
                        let of = roles.named(&name).ok_or_else(|| undefined_role(&name))?.oid;
                        roles.members.retain(|m| m.role != of || m.member != who);
                    }
                }
                Ok(())
            })
        });
        self.change(&view, change).await?;
        Ok(Outcome::done(TAG))
    }

    /// ALTER ROLE … SET: what the role's sessions begin with.
    pub(super) async fn alter_role_set(&mut self, statement: &AlterRoleSetStmt) -> PgResult<Outcome> {
        const TAG: &str = "ALTER ROLE";
        if !statement.database.is_empty() && statement.database != self.identity.database {
            return Err(PgError::unsupported("ALTER ROLE ... IN DATABASE"));
        }
        let Some(spec) = &statement.role else { return Err(PgError::unsupported("ALTER ROLE ALL SET")) };
        let name = self.role_name(Some(spec))?;
        let view = self.view();
        let role = Arc::clone(role_named(&view.catalog, &name)?);
        if role.is_predefined() {
            return Err(predefined(&name));
        }
        if role.superuser && !self.access().superuser {
            return Err(refused("must be superuser to alter superusers"));
        }
        if !self.may_create_roles(&view.catalog) && role.oid != self.access().role {
            return Err(refused("permission denied"));
        }
        let set = statement.setstmt.as_ref().ok_or_else(|| PgError::internal("SET without a setting"))?;
        let value = match set.kind() {
            VariableSetKind::VarSetValue => {
                let value = set_value(&set.name, &set.args)?;
                match parameters::find(&set.name) {
                    // Kept as it was written, once it was seen to be a value.
                    Some(parameter) => parameter.normalize(&value).map(|_| Some(value))?,
                    None if set.name.contains('.') => Some(value),
                    None => return Err(parameters::unrecognized(&set.name)),
                }
            }
            VariableSetKind::VarSetCurrent => self.settings.lock().raw(&set.name).map(str::to_owned),
            _ => None,
        };
        let (setting, all) = (set.name.clone(), set.kind() == VariableSetKind::VarResetAll);
        let setting = parameters::find(&setting).map_or(setting, |p| p.name.to_owned());
        let change: PendingChange = Arc::new(move |catalog| {
            change_role(catalog, &name, |role| match &value {
                Some(value) => drop(role.settings.insert(setting.clone(), value.clone())),
                None if all => role.settings.clear(),
                None => drop(role.settings.remove(&setting)),
            })
        });
        self.change(&view, change).await?;
        Ok(Outcome::done(TAG))
    }

    pub(super) async fn rename_role(&mut self, statement: &RenameStmt) -> PgResult<Outcome> {
        const TAG: &str = "ALTER ROLE";
        let (name, new) = (statement.subname.clone(), statement.newname.clone());
        let view = self.view();
        let role = Arc::clone(role_named(&view.catalog, &name)?);
        if role.is_predefined() {
            return Err(predefined(&name));
        }
        check_name(&new)?;
        for (own, what) in [(&self.acting.session_user, "session"), (&self.acting.user, "current")] {
            if **own == *name {
                let message = format!("{what} user cannot be renamed");
                return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
        }
        if role.oid == BOOTSTRAP_ROLE || self.database.has_configured_password(&name) {
            return Err(PgError::unsupported("renaming a role that the configuration names"));
        }
        if role.superuser && !self.access().superuser {
            return Err(refused("must be superuser to rename superusers"));
        }
        if !self.may_create_roles(&view.catalog) {
            return Err(refused("permission denied to rename role"));
        }
        if view.catalog.roles().named(&new).is_some() {
            return Err(exists(&new));
        }
        let change: PendingChange = Arc::new(move |catalog| {
            if catalog.roles().named(&new).is_some() {
                return Err(exists(&new));
            }
            change_role(catalog, &name, |role| role.name.clone_from(&new))
        });
        self.change(&view, change).await?;
        Ok(Outcome::done(TAG))
    }

    pub(super) async fn drop_role(&mut self, statement: &DropRoleStmt) -> PgResult<Outcome> {
        const TAG: &str = "DROP ROLE";
        let view = self.view();
        if !self.may_create_roles(&view.catalog) {
            return Err(refused("permission denied to drop role"));
        }
        let mut names = Vec::new();
        for name in self.role_names(&statement.roles)? {
            let Some(role) = view.catalog.roles().named(&name) else {
                if !statement.missing_ok {
                    return Err(undefined_role(&name));
                }
                let message = format!("role \"{name}\" does not exist, skipping");
                self.notice("NOTICE", PgError::new(SqlState(*b"00000"), message));
                continue;
            };
            let in_use = |message: &str| Err(PgError::new(SqlState(*b"55006"), message));
            if *name == *self.acting.user {
                return in_use("current user cannot be dropped");
            }
            if *name == *self.acting.session_user {
                return in_use("session user cannot be dropped");
            }
            if role.superuser && !self.access().superuser {
                return Err(refused("must be superuser to drop superusers"));
            }
            if role.oid.0 < FIRST_USER_OID {
                let message = format!("cannot drop role {name} because it is required by the database system");
                return Err(PgError::new(SqlState::DEPENDENT_OBJECTS, message));
            }
            if self.database.has_configured_password(&name) {
                let error =
                    PgError::new(SqlState(*b"55006"), format!("role \"{name}\" is a user of the configuration"));
                return Err(error.hint("Take it out of the section [users] of the configuration first."));
            }
            names.push(name);
        }
        let change: PendingChange = Arc::new(move |catalog| {
            for name in &names {
                let oid = role_named(catalog, name)?.oid;
                let dependent = dependents(catalog, oid);
                if !dependent.is_empty() {
                    let message = format!("role \"{name}\" cannot be dropped because some objects depend on it");
                    return Err(PgError::new(SqlState::DEPENDENT_OBJECTS, message).detail(dependent.join("\n")));
                }
                catalog.change_roles(|roles| {
                    roles.all.remove(&oid);
                    roles.members.retain(|m| m.role != oid && m.member != oid);
                    for membership in &mut roles.members {
                        if membership.grantor == oid {
                            membership.grantor = BOOTSTRAP_ROLE;
                        }
                    }
                    Ok(())
                })?;
            }
            Ok(())
        });
        self.change(&view, change).await?;
        Ok(Outcome::done(TAG))
    }

    /// GRANT role TO role, and REVOKE.
    pub(super) async fn grant_role(&mut self, statement: &GrantRoleStmt) -> PgResult<Outcome> {
        let tag = if statement.is_grant { "GRANT ROLE" } else { "REVOKE ROLE" };
        let (of, members) = (self.role_names(&statement.granted_roles)?, self.role_names(&statement.grantee_roles)?);
        let admin = statement.opt.iter().any(|option| match &option.node {
            Some(NodeEnum::DefElem(element)) => element.defname == "admin" && switch(element).unwrap_or(true),
            _ => false,
        });
        let view = self.view();
        let catalog = &view.catalog;
        for name in &of {
            let role = role_named(catalog, name)?;
            if self.access().superuser {
                continue;
            }
            if role.superuser {
                return Err(refused("must be superuser to alter superusers"));
            }
            if !self.may_create_roles(catalog) && !catalog.roles().is_admin(self.access().role, role.oid) {
                return Err(refused(format!("must have admin option on role \"{name}\"")));
            }
        }
        for member in &members {
            let who = role_named(catalog, member)?.oid;
            for name in &of {
                let role = role_named(catalog, name)?.oid;
                let known = catalog.roles().members.iter().find(|m| m.role == role && m.member == who);
                let what = match (statement.is_grant, known) {
                    (true, Some(known)) if known.admin || !admin => "is already a member of role",
                    (false, None) => "is not a member of role",
                    _ => continue,
                };
                let message = format!("role \"{member}\" {what} \"{name}\"");
                let severity = if statement.is_grant { "NOTICE" } else { "WARNING" };
                self.notice(severity, PgError::new(SqlState(*b"00000"), message));
            }
        }
        let (is_grant, grantor) = (statement.is_grant, self.acting.creator);
        let change: PendingChange = Arc::new(move |catalog| {
            catalog.change_roles(|roles| {
                for name in &of {
                    for member in &members {
                        if is_grant {
                            add_member(roles, name, member, grantor, admin)?;
                            continue;
                        }
                        let role = roles.named(name).ok_or_else(|| undefined_role(name))?.oid;
                        let who = roles.named(member).ok_or_else(|| undefined_role(member))?.oid;
                        match admin {
                            true => {
                                let own = roles.members.iter_mut().find(|m| m.role == role && m.member == who);
                                own.into_iter().for_each(|m| m.admin = false);
                            }
                            false => roles.members.retain(|m| m.role != role || m.member != who),
                        }
                    }
                }
                Ok(())
            })
        });
        self.change(&view, change).await?;
        Ok(Outcome::done(tag))
    }

    fn must_be_all(&self, catalog: &Catalog, names: &[String], what: &str) -> PgResult<Vec<Oid>> {
        let mut oids = Vec::with_capacity(names.len());
        for name in names {
            let role = role_named(catalog, name)?;
            if !self.access().has_rights_of(role.oid) {
                return Err(refused(format!("permission denied to {what} objects")));
            }
            oids.push(role.oid);
        }
        Ok(oids)
    }

    pub(super) async fn reassign_owned(&mut self, statement: &ReassignOwnedStmt) -> PgResult<Outcome> {
        let view = self.view();
        let from = self.role_names(&statement.roles)?;
        let to = self.role_name(statement.newrole.as_ref())?;
        let old = self.must_be_all(&view.catalog, &from, "reassign")?;
        let new = self.must_be_all(&view.catalog, std::slice::from_ref(&to), "reassign")?;
        let new = new.first().copied().unwrap_or(BOOTSTRAP_ROLE);
        let change: PendingChange = Arc::new(move |catalog| {
            for relation in owned_relations(catalog, &old) {
                change_owner(catalog, relation.oid, new)?;
            }
            for (schema, owner) in owned_schemas(catalog, &old) {
                catalog.change_schema(schema, |namespace| {
                    namespace.owner = new.0;
                    namespace.acl.iter_mut().for_each(|acl| acl.change_owner(owner, new));
                })?;
            }
            Ok(())
        });
        self.change(&view, change).await?;
        Ok(Outcome::done("REASSIGN OWNED"))
    }

    pub(super) async fn drop_owned(&mut self, statement: &DropOwnedStmt) -> PgResult<Outcome> {
        let view = self.view();
        let names = self.role_names(&statement.roles)?;
        let roles = self.must_be_all(&view.catalog, &names, "drop")?;
        let cascade = statement.behavior() == DropBehavior::DropCascade;
        let change: PendingChange = Arc::new(move |catalog| {
            let mut doomed: Vec<Oid> = owned_relations(catalog, &roles).iter().map(|r| r.oid).collect();
            let mut at = 0;
            while let Some(oid) = doomed.get(at).copied() {
                at += 1;
                let dependents: Vec<Arc<Relation>> = catalog.dependents(oid).cloned().collect();
                for dependent in dependents.into_iter().filter(|d| !doomed.contains(&d.oid)).collect::<Vec<_>>() {
                    if !cascade {
                        let message = "cannot drop desired object(s) because other objects depend on them";
                        let detail = format!("{} {} depends on them", relation_word(&dependent), dependent.name);
                        return Err(PgError::new(SqlState::DEPENDENT_OBJECTS, message)
                            .detail(detail)
                            .hint("Use DROP ... CASCADE to drop the dependent objects too."));
                    }
                    doomed.push(dependent.oid);
                }
            }
            doomed.iter().for_each(|oid| catalog.drop_relation(*oid));
            for (schema, _) in owned_schemas(catalog, &roles) {
                if catalog.relations().any(|r| r.schema == schema) {
                    let message = "cannot drop desired object(s) because other objects depend on them";
                    return Err(PgError::new(SqlState::DEPENDENT_OBJECTS, message));
                }
                catalog.drop_schema(schema);
            }
            roles.iter().try_for_each(|role| forget(catalog, *role))
        });
        self.change(&view, change).await?;
        Ok(Outcome::done("DROP OWNED"))
    }
}

fn owned_relations(catalog: &Catalog, by: &[Oid]) -> Vec<Arc<Relation>> {
    catalog.user_relations().filter(|r| by.contains(&r.owner())).cloned().collect()
}

/// Schemas and their owners, those that are always there aside.
fn owned_schemas(catalog: &Catalog, by: &[Oid]) -> Vec<(Oid, Oid)> {
    let schemas = catalog.namespaces().filter(|n| by.contains(&n.owner()));
    schemas.map(|n| (n.oid, n.owner())).collect()
}

pub(super) fn change_owner(catalog: &mut Catalog, relation: Oid, new: Oid) -> PgResult<()> {
    catalog.change(relation, |relation| {
        let old = relation.owner();
        relation.owner = if new == BOOTSTRAP_ROLE { 0 } else { new.0 };
        relation.acl.iter_mut().for_each(|acl| acl.change_owner(old, new));
        relation.column_acls.values_mut().for_each(|acl| acl.change_owner(old, new));
    })
}

/// Takes a role out of all grants.
fn forget(catalog: &mut Catalog, role: Oid) -> PgResult<()> {
    let relations: Vec<Oid> = (catalog.relations())
        .filter(|r| r.acl.iter().chain(r.column_acls.values()).any(|acl| acl.names(role)))
        .map(|r| r.oid)
        .collect();
    for oid in relations {
        catalog.change(oid, |relation| {
            relation.acl.iter_mut().for_each(|acl| acl.forget(role));
            relation.column_acls.values_mut().for_each(|acl| acl.forget(role));
            relation.column_acls.retain(|_, acl| !acl.0.is_empty());
        })?;
    }
    let schemas: Vec<Oid> =
        catalog.namespaces().filter(|n| n.acl.iter().any(|acl| acl.names(role))).map(|n| n.oid).collect();
    for oid in schemas {
        catalog.change_schema(oid, |namespace| namespace.acl.iter_mut().for_each(|acl| acl.forget(role)))?;
    }
    catalog.change_roles(|roles| {
        roles.database_acl.iter_mut().for_each(|acl| acl.forget(role));
        roles.defaults.retain(|d| d.role != role);
        roles.defaults.iter_mut().for_each(|d| d.acl.forget(role));
        roles.defaults.retain(|d| !d.acl.0.is_empty());
        Ok(())
    })
}

/// What keeps a role from being dropped, in PostgreSQL's words.
fn dependents(catalog: &Catalog, role: Oid) -> Vec<String> {
    let mut found = Vec::new();
    let shown = |relation: &Relation| {
        let schema = catalog.namespace(relation.schema).map_or("", |n| n.name.as_str());
        let name = if schema == "public" { relation.name.clone() } else { format!("{schema}.{}", relation.name) };
        format!("{} {name}", relation_word(relation))
    };
    for namespace in catalog.namespaces() {
        if namespace.owner() == role {
            found.push(format!("owner of schema {}", namespace.name));
        } else if namespace.acl.as_ref().is_some_and(|acl| acl.names(role)) {
            found.push(format!("privileges for schema {}", namespace.name));
        }
    }
    for relation in catalog.relations() {
        if relation.owner() == role {
            found.push(format!("owner of {}", shown(relation)));
            continue;
        }
        if relation.acl.as_ref().is_some_and(|acl| acl.names(role)) {
            found.push(format!("privileges for {}", shown(relation)));
        }
        for (attnum, _) in relation.column_acls.iter().filter(|(_, acl)| acl.names(role)) {
            let column = relation.column_numbered(*attnum).map_or("?", |(_, c)| c.name.as_str());
            found.push(format!("privileges for column {column} of {}", shown(relation)));
        }
    }
    let roles = catalog.roles();
    if roles.database_acl.as_ref().is_some_and(|acl| acl.names(role)) {
        found.push("privileges for database sluice".into());
    }
    for default in roles.defaults.iter().filter(|d| d.role == role || d.acl.names(role)) {
        let owner = roles.get(default.role).map_or("?", |r| r.name.as_str());
        found.push(format!("owner of default privileges on new relations belonging to role {owner}"));
    }
    found
}

/// Makes the users of the configuration roles, where they are not yet: superusers, until somebody says otherwise.
pub(super) fn ensure_users(catalog: &mut Catalog, names: &[String]) -> PgResult<()> {
    for name in names {
        if catalog.roles().named(name).is_some() {
            continue;
        }
        let oid = catalog.take_oid();
        catalog.change_roles(|roles| {
            roles.all.insert(oid, Arc::new(Role::superuser(oid, name)));
            Ok(())
        })?;
    }
    Ok(())
}

/// Whether `access` may give a relation or schema to `new`.
pub(super) fn may_give(access: &Access, catalog: &Catalog, new: &Role) -> PgResult<()> {
    match access.superuser || catalog.roles().is_member(access.role, new.oid) {
        true => Ok(()),
        false => Err(refused(format!("must be member of role \"{}\"", new.name))),
    }
}
