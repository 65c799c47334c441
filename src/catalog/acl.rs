//! Who may do what with an object: lists of grants, as PostgreSQL keeps and writes them.
//!
//! An object without a list has its kind's default: everything for its owner, and what PUBLIC has of such objects.

use super::BOOTSTRAP_ROLE;
use crate::types::{Oid, PgError, PgResult, SqlState};
use serde::{Deserialize, Serialize};
use std::ops::{BitAnd, BitOr, Sub};

/// A set of privileges, one bit for each of [`PRIVILEGES`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Privileges(u16);

/// Every privilege: its bit, PostgreSQL's letter and its name; in the order in which lists are written.
pub const PRIVILEGES: &[(Privileges, char, &str)] = &[
    (Privileges::INSERT, 'a', "INSERT"),
    (Privileges::SELECT, 'r', "SELECT"),
    (Privileges::UPDATE, 'w', "UPDATE"),
    (Privileges::DELETE, 'd', "DELETE"),
    (Privileges::TRUNCATE, 'D', "TRUNCATE"),
    (Privileges::REFERENCES, 'x', "REFERENCES"),
    (Privileges::TRIGGER, 't', "TRIGGER"),
    (Privileges::EXECUTE, 'X', "EXECUTE"),
    (Privileges::USAGE, 'U', "USAGE"),
    (Privileges::CREATE, 'C', "CREATE"),
    (Privileges::TEMPORARY, 'T', "TEMPORARY"),
    (Privileges::CONNECT, 'c', "CONNECT"),
];

impl Privileges {
    pub const NONE: Self = Self(0);
    pub const INSERT: Self = Self(1);
    pub const SELECT: Self = Self(1 << 1);
    pub const UPDATE: Self = Self(1 << 2);
    pub const DELETE: Self = Self(1 << 3);
    pub const TRUNCATE: Self = Self(1 << 4);
    pub const REFERENCES: Self = Self(1 << 5);
    pub const TRIGGER: Self = Self(1 << 6);
    pub const EXECUTE: Self = Self(1 << 7);
    pub const USAGE: Self = Self(1 << 8);
    pub const CREATE: Self = Self(1 << 9);
    pub const TEMPORARY: Self = Self(1 << 10);
    pub const CONNECT: Self = Self(1 << 11);

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, other: Self) -> bool {
        self & other == other
    }

    /// The privilege of this name, in upper case.
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "TEMP" { "TEMPORARY" } else { name };
        PRIVILEGES.iter().find(|(_, _, known)| *known == name).map(|(bit, ..)| *bit)
    }

    /// Each of the set by itself.
    pub fn each(self) -> impl Iterator<Item = (Self, &'static str)> {
        PRIVILEGES.iter().filter(move |(bit, ..)| self.contains(*bit)).map(|(bit, _, name)| (*bit, *name))
    }
}

impl BitOr for Privileges {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Privileges {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Privileges {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// What privileges are granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectKind {
    /// Tables, views, materialized views.
    Table,
    Column,
    Sequence,
    Schema,
    Database,
    Function,
    Type,
    Language,
}

impl ObjectKind {
    /// Everything that can be granted on such an object.
    pub fn all(self) -> Privileges {
        let list: &[Privileges] = match self {
            Self::Table => &[
                Privileges::INSERT,
                Privileges::SELECT,
                Privileges::UPDATE,
                Privileges::DELETE,
                Privileges::TRUNCATE,
                Privileges::REFERENCES,
                Privileges::TRIGGER,
            ],
            Self::Column => &[Privileges::INSERT, Privileges::SELECT, Privileges::UPDATE, Privileges::REFERENCES],
            Self::Sequence => &[Privileges::SELECT, Privileges::UPDATE, Privileges::USAGE],
            Self::Schema => &[Privileges::USAGE, Privileges::CREATE],
            Self::Database => &[Privileges::CREATE, Privileges::TEMPORARY, Privileges::CONNECT],
            Self::Function => &[Privileges::EXECUTE],
            Self::Type | Self::Language => &[Privileges::USAGE],
        };
        list.iter().fold(Privileges::NONE, |all, one| all | *one)
    }

    /// What PUBLIC has where nothing was granted.
    pub fn public(self) -> Privileges {
        match self {
            Self::Database => Privileges::TEMPORARY | Privileges::CONNECT,
            Self::Function => Privileges::EXECUTE,
            Self::Type | Self::Language => Privileges::USAGE,
            Self::Table | Self::Column | Self::Sequence | Self::Schema => Privileges::NONE,
        }
    }

    /// How messages call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Column => "column",
            Self::Sequence => "sequence",
            Self::Schema => "schema",
            Self::Database => "database",
            Self::Function => "function",
            Self::Type => "type",
            Self::Language => "language",
        }
    }

    /// `pg_default_acl.defaclobjtype`, and the first argument of `acldefault`.
    pub fn letter(self) -> char {
        match self {
            Self::Table => 'r',
            Self::Column => 'c',
            Self::Sequence => 's',
            Self::Schema => 'n',
            Self::Database => 'd',
            Self::Function => 'f',
            Self::Type => 'T',
            Self::Language => 'l',
        }
    }

    pub fn of_letter(letter: char) -> Option<Self> {
        [
            Self::Table,
            Self::Column,
            Self::Sequence,
            Self::Schema,
            Self::Database,
            Self::Function,
            Self::Type,
            Self::Language,
        ]
        .into_iter()
        .find(|kind| kind.letter() == letter)
    }
}

/// PUBLIC as a grantee.
pub const EVERYBODY: Oid = Oid(0);

/// What one role gave another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    #[serde(with = "super::oid_as_number")]
    pub grantee: Oid,
    #[serde(with = "super::oid_as_number")]
    pub grantor: Oid,
    pub privileges: Privileges,
    /// Of these, what the grantee may hand on.
    #[serde(default, skip_serializing_if = "is_none")]
    pub grantable: Privileges,
}

fn is_none(privileges: &Privileges) -> bool {
    privileges.is_empty()
}

/// All grants on one object; one entry for each pair of grantor and grantee.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acl(pub Vec<Grant>);

impl Acl {
    /// What an object has on which nothing was granted or revoked.
    pub fn default_of(kind: ObjectKind, owner: Oid) -> Self {
        let mut acl = Self::default();
        if kind == ObjectKind::Column {
            return acl;
        }
        if !kind.public().is_empty() {
            acl.grant(owner, EVERYBODY, kind.public(), false);
        }
        acl.grant(owner, owner, kind.all(), false);
        acl
    }

    pub fn grant(&mut self, grantor: Oid, grantee: Oid, privileges: Privileges, with_option: bool) {
        if privileges.is_empty() {
            return;
        }
        let grantable = if with_option { privileges } else { Privileges::NONE };
        match self.0.iter_mut().find(|g| g.grantee == grantee && g.grantor == grantor) {
            Some(grant) => {
                grant.privileges = grant.privileges | privileges;
                grant.grantable = grant.grantable | grantable;
            }
            None => self.0.push(Grant { grantee, grantor, privileges, grantable }),
        }
    }

    /// Takes back what `grantor` gave, or only the right to hand it on; with `cascade` also what the grantee handed on
    /// and may no longer have handed on. `2BP01` where that is in the way.
    pub fn revoke(
        &mut self,
        owner: Oid,
        grantor: Oid,
        grantee: Oid,
        privileges: Privileges,
        option_only: bool,
        cascade: bool,
    ) -> PgResult<()> {
        let Some(grant) = self.0.iter_mut().find(|g| g.grantee == grantee && g.grantor == grantor) else {
            return Ok(());
        };
        let before = grant.grantable;
        grant.grantable = grant.grantable - privileges;
        if !option_only {
            grant.privileges = grant.privileges - privileges;
        }
        let lost = before - grant.grantable;
        self.0.retain(|g| !g.privileges.is_empty());
        if lost.is_empty() || grantee == owner {
            return Ok(());
        }
        // The grantee may still have it from somebody else.
        let still = self.0.iter().filter(|g| g.grantee == grantee).fold(Privileges::NONE, |all, g| all | g.grantable);
        let lost = lost - still;
        let dependent: Vec<(Oid, Privileges)> = (self.0.iter())
            .filter(|g| g.grantor == grantee && !(g.privileges & lost).is_empty())
            .map(|g| (g.grantee, g.privileges & lost))
            .collect();
        if !dependent.is_empty() && !cascade {
            return Err(PgError::new(SqlState::DEPENDENT_OBJECTS, "dependent privileges exist")
                .hint("Use CASCADE to revoke them too."));
        }
        for (next, privileges) in dependent {
            self.revoke(owner, grantee, next, privileges, false, true)?;
        }
        Ok(())
    }

    /// What somebody holds for whom `is` says which roles' privileges count: (privileges, those that may be handed on).
    pub fn held(&self, is: impl Fn(Oid) -> bool) -> (Privileges, Privileges) {
        let held = self.0.iter().filter(|g| g.grantee == EVERYBODY || is(g.grantee));
        held.fold((Privileges::NONE, Privileges::NONE), |(all, grantable), g| {
            (all | g.privileges, grantable | g.grantable)
        })
    }

    /// The object has another owner: what the old one gave is now given by the new one.
    pub fn change_owner(&mut self, old: Oid, new: Oid) {
        let now = |oid: Oid| if oid == old { new } else { oid };
        let mut changed = Self::default();
        for grant in &self.0 {
            let (grantor, grantee) = (now(grant.grantor), now(grant.grantee));
            changed.grant(grantor, grantee, grant.privileges, false);
            changed.grant(grantor, grantee, grant.grantable, true);
        }
        *self = changed;
    }

    /// Takes a role out of the list, as grantee and as grantor.
    pub fn forget(&mut self, role: Oid) {
        self.0.retain(|g| g.grantee != role && g.grantor != role);
    }

    pub fn names(&self, role: Oid) -> bool {
        self.0.iter().any(|g| g.grantee == role || g.grantor == role)
    }

    /// As `aclitem`s: `grantee=letters/grantor`.
    pub fn text(&self, name: &dyn Fn(Oid) -> String) -> Vec<String> {
        let item = |grant: &Grant| {
            let grantee = if grant.grantee == EVERYBODY { String::new() } else { quoted_role(&name(grant.grantee)) };
            let mut letters = String::new();
            for (bit, letter, _) in PRIVILEGES.iter().filter(|(bit, ..)| grant.privileges.contains(*bit)) {
                letters.push(*letter);
                if grant.grantable.contains(*bit) {
                    letters.push('*');
                }
            }
            format!("{grantee}={letters}/{}", quoted_role(&name(grant.grantor)))
        };
        self.0.iter().map(item).collect()
    }

    /// Reads what [`Acl::text`] writes. `role`: the OID of a role's name.
    pub fn parse_item(text: &str, role: &dyn Fn(&str) -> Option<Oid>) -> PgResult<Grant> {
        let invalid = || PgError::new(SqlState::INVALID_TEXT, format!("invalid aclitem: \"{text}\""));
        let find = |name: &str| {
            role(name)
                .ok_or_else(|| PgError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))
        };
        let (grantee, rest) = role_name(text).ok_or_else(invalid)?;
        let rest = rest.strip_prefix('=').ok_or_else(invalid)?;
        let (mut privileges, mut grantable, mut last) = (Privileges::NONE, Privileges::NONE, Privileges::NONE);
        let end = rest.find('/').unwrap_or(rest.len());
        for letter in rest[..end].chars() {
            if letter == '*' {
                grantable = grantable | last;
                continue;
            }
            let known = PRIVILEGES.iter().find(|(_, known, _)| *known == letter).ok_or_else(invalid)?;
            last = known.0;
            privileges = privileges | last;
        }
        let grantor = match rest[end..].strip_prefix('/') {
            Some(name) => find(&role_name(name).ok_or_else(invalid)?.0)?,
            None => BOOTSTRAP_ROLE,
        };
        let grantee = if grantee.is_empty() { EVERYBODY } else { find(&grantee)? };
        Ok(Grant { grantee, grantor, privileges, grantable })
    }
}

/// A role's name as an aclitem has it: quoted unless it is letters, digits and underscores.
fn quoted_role(name: &str) -> String {
    match name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// The name at the beginning of a text, and what follows it.
fn role_name(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    loop {
        let quote = rest.find('"')?;
        name.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Oid = Oid(100);
    const ANNA: Oid = Oid(101);
    const BERT: Oid = Oid(102);

    fn name(oid: Oid) -> String {
        match oid {
            OWNER => "owner".into(),
            ANNA => "anna".into(),
            _ => "b e\"rt".into(),
        }
    }

    #[test]
    fn lists_are_written_as_postgresql_writes_them_and_read_again() {
        let mut acl = Acl::default_of(ObjectKind::Table, OWNER);
        acl.grant(OWNER, EVERYBODY, Privileges::SELECT, false);
        acl.grant(OWNER, ANNA, Privileges::INSERT | Privileges::SELECT, false);
        acl.grant(OWNER, ANNA, Privileges::SELECT, true);
        acl.grant(ANNA, BERT, Privileges::SELECT, false);
        let text = acl.text(&name);
        assert_eq!(text, ["owner=arwdDxt/owner", "=r/owner", "anna=ar*/owner", "\"b e\"\"rt\"=r/anna"]);
        let role = |text: &str| [OWNER, ANNA, BERT].into_iter().find(|oid| name(*oid) == text);
        let again: Vec<Grant> = text.iter().map(|item| Acl::parse_item(item, &role).unwrap()).collect();
        assert_eq!(again, acl.0);
        assert!(Acl::parse_item("nobody=r/owner", &role).is_err());
        assert!(Acl::parse_item("anna=?/owner", &role).is_err());
    }

    #[test]
    fn what_was_handed_on_goes_with_cascade_only() {
        let mut acl = Acl::default_of(ObjectKind::Table, OWNER);
        acl.grant(OWNER, ANNA, Privileges::SELECT, true);
        acl.grant(ANNA, BERT, Privileges::SELECT, true);
        acl.grant(BERT, EVERYBODY, Privileges::SELECT, false);
        let error = acl.revoke(OWNER, OWNER, ANNA, Privileges::SELECT, false, false).unwrap_err();
        assert_eq!(error.state, SqlState::DEPENDENT_OBJECTS);
        let mut acl2 = Acl::default_of(ObjectKind::Table, OWNER);
        acl2.grant(OWNER, ANNA, Privileges::SELECT, true);
        acl2.grant(ANNA, BERT, Privileges::SELECT, true);
        acl2.grant(BERT, EVERYBODY, Privileges::SELECT, false);
        acl2.revoke(OWNER, OWNER, ANNA, Privileges::SELECT, false, true).unwrap();
        assert_eq!(acl2, Acl::default_of(ObjectKind::Table, OWNER));
    }
}
