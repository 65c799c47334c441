//! LOCK TABLE, as far as it asks for what a transaction has anyway.
//!
//! A transaction reads one snapshot, which nobody can take from it, and its writes meet those of others at COMMIT (`40001`).
//! So the modes that only keep a table's definition from changing, or say that rows will be written, hold without waiting.
//! Those that keep others from writing are refused: nothing here does that.

use super::session::{Outcome, Session};
use super::transaction::Phase;
use crate::catalog::{Privileges, RelationKind};
use crate::types::{PgError, PgResult, SqlState};
use pg_query::NodeEnum;
use pg_query::protobuf::LockStmt;

/// Numbers of modes, as the parser gives them.
const ACCESS_SHARE: i32 = 1;
const ROW_EXCLUSIVE: i32 = 3;

impl Session {
    pub(super) fn lock_table(&mut self, statement: &LockStmt) -> PgResult<Outcome> {
        if self.transaction.phase == Phase::Idle {
            let message = "LOCK TABLE can only be used in transaction blocks";
            return Err(PgError::new(SqlState::NO_ACTIVE_TRANSACTION, message));
        }
        let view = self.view();
        for node in &statement.relations {
            let Some(NodeEnum::RangeVar(range)) = &node.node else { continue };
            let found = self.resolve_range(&view.catalog, Some(range));
            let relation = found.map_err(|mut error| {
                // PostgreSQL points nowhere in this statement.
                error.rest.iter_mut().for_each(|rest| rest.position = None);
                error
            })?;
            if matches!(relation.kind, RelationKind::Gold | RelationKind::Sequence) {
                let message = format!("\"{}\" is not a table or view", relation.name);
                return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
            let strong = Privileges::UPDATE | Privileges::DELETE | Privileges::TRUNCATE;
            let any_of = match statement.mode {
                ACCESS_SHARE => strong | Privileges::SELECT,
                mode if mode <= ROW_EXCLUSIVE => strong | Privileges::INSERT,
                _ => strong,
            };
            self.access().must_have_any(&relation, any_of)?;
        }
        if statement.mode > ROW_EXCLUSIVE {
            let error = PgError::unsupported("LOCK TABLE in a mode that keeps others from writing");
            return Err(error.hint(
                "A transaction reads one snapshot; rows that others changed meanwhile make its COMMIT fail with 40001, to be tried again.",
            ));
        }
        Ok(Outcome::done("LOCK TABLE"))
    }
}
