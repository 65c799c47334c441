//! Foreign keys whose check waits for COMMIT: DEFERRABLE, SET CONSTRAINTS.

use super::foreign::{self, check_removed, check_written};
use super::session::{Outcome, Session};
use super::transaction::Phase;
use crate::catalog::{Constraint, ConstraintKind};
use crate::types::{PgError, PgResult, SqlState};
use pg_query::NodeEnum;
use pg_query::protobuf::ConstraintsSetStmt;
use std::collections::HashMap;

/// What SET CONSTRAINTS has said in a transaction.
#[derive(Debug, Clone, Default)]
pub struct Deferring {
    all: Option<bool>,
    named: HashMap<u32, bool>,
}

impl Deferring {
    pub fn set_all(&mut self, deferred: bool) {
        *self = Self { all: Some(deferred), named: HashMap::new() };
    }

    pub fn set(&mut self, constraint: u32, deferred: bool) {
        self.named.insert(constraint, deferred);
    }

    /// Is the constraint looked at by COMMIT only?
    pub fn defers(&self, constraint: &Constraint) -> bool {
        let ConstraintKind::Foreign(foreign) = &constraint.kind else { return false };
        let said = self.named.get(&constraint.oid).copied().or(self.all);
        foreign.deferrable && said.unwrap_or(foreign.deferred)
    }
}

impl Session {
    /// Holds the transaction's rows against the keys whose check was put off.
    pub(super) fn check_deferred(&mut self) -> PgResult<()> {
        let deferring = self.transaction.deferring().clone();
        self.check_where(&|c| deferring.defers(c))
    }

    /// Holds the transaction's rows against these keys.
    fn check_where(&mut self, deferred: foreign::Wanted<'_>) -> PgResult<()> {
        let view = self.view();
        for oid in self.transaction.written_tables() {
            let Some(relation) = view.catalog.relation(oid).cloned() else { continue };
            let concerned = relation.constraints.iter().any(deferred)
                || foreign::referring(&view, oid).iter().any(|child| child.constraints.iter().any(deferred));
            if concerned {
                let writes = self.writes(oid)?;
                let (added, ended) = (writes.added()?, writes.ended()?);
                check_written(&view, &relation, &added, deferred)?;
                check_removed(&view, &relation, &ended, deferred)?;
            }
        }
        Ok(())
    }

    /// SET CONSTRAINTS: what becomes immediate is looked at now.
    pub(super) fn set_constraints(&mut self, statement: &ConstraintsSetStmt) -> PgResult<Outcome> {
        const TAG: &str = "SET CONSTRAINTS";
        if self.transaction.phase == Phase::Idle {
            let message = "SET CONSTRAINTS can only be used in transaction blocks";
            self.notice("WARNING", PgError::new(SqlState::NO_ACTIVE_TRANSACTION, message));
            return Ok(Outcome::done(TAG));
        }
        let before = self.transaction.deferring().clone();
        if statement.constraints.is_empty() {
            self.transaction.deferring_mut().set_all(statement.deferred);
        }
        for node in &statement.constraints {
            let Some(NodeEnum::RangeVar(range)) = &node.node else { continue };
            for oid in self.deferrable(&range.schemaname, &range.relname)? {
                self.transaction.deferring_mut().set(oid, statement.deferred);
            }
        }
        let after = self.transaction.deferring().clone();
        let checked = self.check_where(&|c| before.defers(c) && !after.defers(c));
        if checked.is_err() {
            *self.transaction.deferring_mut() = before;
        }
        checked.map(|()| Outcome::done(TAG))
    }

    /// The constraints of this name.
    fn deferrable(&mut self, schema: &str, name: &str) -> PgResult<Vec<u32>> {
        let view = self.view();
        let path = self.search_path().to_vec();
        let in_sight = |relation: &crate::catalog::Relation| {
            let of = foreign::schema_name(&view, relation);
            if schema.is_empty() { path.iter().any(|p| p.as_str() == of) } else { of == schema }
        };
        let mut found = Vec::new();
        for relation in view.catalog.user_relations().filter(|r| in_sight(r)) {
            for constraint in relation.constraints.iter().filter(|c| c.name == name) {
                if !matches!(&constraint.kind, ConstraintKind::Foreign(f) if f.deferrable) {
                    let message = format!("constraint \"{name}\" is not deferrable");
                    return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
                }
                found.push(constraint.oid);
            }
        }
        if found.is_empty() {
            let message = format!("constraint \"{name}\" does not exist");
            return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
        }
        Ok(found)
    }
}
