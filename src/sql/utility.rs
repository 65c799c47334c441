//! Statements that are understood when they run: transactions, settings, prepared statements, cursors, and the way to
//! [`super::ddl`].

use super::access::check_set_role;
use super::channels::Action;
use super::cursor::{Cursor, no_cursor};
use super::interrupt::Operation;
use super::parameters::{self, Kind as ParameterKind};
use super::past::AS_OF;
use super::prepare::Prepared;
use super::query::{ready, single_value};
use super::session::{Outcome, RowsTag, Session, text_batch, text_columns};
use super::settings::quote_name;
use super::transaction::Phase;
use super::{OutputColumn, ddl};
use crate::bind::typename;
use crate::types::{Oid, PgError, PgResult, PgType, SqlState};
use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, AStar, ColumnRef, CopyStmt, DeallocateStmt, DiscardMode, DiscardStmt, ExecuteStmt, Node, PrepareStmt,
    ResTarget, SelectStmt, TransactionStmt, TransactionStmtKind, VariableSetKind, VariableSetStmt, a_const,
};
use std::sync::Arc;

/// Whether a failed transaction still hears this.
pub fn ends_transaction(node: &NodeEnum) -> bool {
    use TransactionStmtKind as Kind;
    let NodeEnum::TransactionStmt(statement) = node else { return false };
    matches!(statement.kind(), Kind::TransStmtCommit | Kind::TransStmtRollback | Kind::TransStmtRollbackTo)
}

/// The columns of a statement that has rows and is no query.
pub fn columns(node: &NodeEnum) -> Option<Arc<[OutputColumn]>> {
    let NodeEnum::VariableShowStmt(show) = node else { return None };
    Some(match show.name.as_str() {
        "all" => text_columns(&["name", "setting", "description"]),
        name => text_columns(&[parameters::find(name).map_or(name, |p| p.name)]),
    })
}

/// Says no at once, naming the statement.
pub fn check_supported(node: &NodeEnum) -> PgResult<()> {
    use NodeEnum as N;
    match node {
        N::TransactionStmt(_)
        | N::VariableSetStmt(_)
        | N::VariableShowStmt(_)
        | N::PrepareStmt(_)
        | N::ExecuteStmt(_)
        | N::DeallocateStmt(_)
        | N::DiscardStmt(_)
        | N::FetchStmt(_)
        | N::ClosePortalStmt(_)
        | N::ListenStmt(_)
        | N::NotifyStmt(_)
        | N::UnlistenStmt(_)
        | N::LockStmt(_)
        | N::ConstraintsSetStmt(_)
        | N::VacuumStmt(_)
        | N::CheckPointStmt(_) => Ok(()),
        node => ddl::check_supported(node),
    }
}

impl Session {
    pub(super) async fn utility(&mut self, node: &NodeEnum, text: &str, operation: &Operation) -> PgResult<Outcome> {
        match node {
            NodeEnum::TransactionStmt(statement) => self.transaction_statement(statement).await,
            NodeEnum::VariableSetStmt(statement) if statement.name.eq_ignore_ascii_case(AS_OF) => {
                self.set_as_of(statement).await
            }
            NodeEnum::VariableSetStmt(statement) => self.set(statement),
            NodeEnum::VacuumStmt(statement) => Box::pin(self.vacuum(statement, operation)).await,
            NodeEnum::VariableShowStmt(statement) => self.show(&statement.name),
            NodeEnum::PrepareStmt(statement) => self.prepare_statement(statement, text, operation).await,
            NodeEnum::ExecuteStmt(statement) => Box::pin(self.execute_statement(statement, operation)).await,
            NodeEnum::DeallocateStmt(statement) => self.deallocate(statement),
            NodeEnum::DiscardStmt(statement) => self.discard(statement),
            NodeEnum::FetchStmt(statement) => {
                let name = &statement.portalname;
                let cursor: &mut Cursor = self.cursors.get_mut(name).ok_or_else(|| no_cursor(name))?;
                operation.guard(cursor.fetch(statement)).await?
            }
            NodeEnum::ClosePortalStmt(statement) => {
                match statement.portalname.as_str() {
                    "" => self.cursors.clear(),
                    name => {
                        self.cursors.remove(name).ok_or_else(|| no_cursor(name))?;
                    }
                }
                Ok(Outcome::done(if statement.portalname.is_empty() { "CLOSE CURSOR ALL" } else { "CLOSE CURSOR" }))
            }
            NodeEnum::ListenStmt(statement) => {
                self.at_commit(Action::Listen(statement.conditionname.as_str().into()))?;
                Ok(Outcome::done("LISTEN"))
            }
            NodeEnum::UnlistenStmt(statement) => {
                let name = statement.conditionname.as_str();
                self.stop_listening((!name.is_empty()).then(|| name.into()));
                Ok(Outcome::done("UNLISTEN"))
            }
            NodeEnum::NotifyStmt(statement) => {
                self.notify(&statement.conditionname, &statement.payload)?;
                Ok(Outcome::done("NOTIFY"))
            }
            NodeEnum::LockStmt(statement) => self.lock_table(statement),
            NodeEnum::ConstraintsSetStmt(statement) => self.set_constraints(statement),
            // A commit is durable when it returns; there is nothing else to write down.
            NodeEnum::CheckPointStmt(_) => Ok(Outcome::done("CHECKPOINT")),
            node => Box::pin(self.ddl(node, text, operation)).await,
        }
    }

    // Transactions.

    async fn transaction_statement(&mut self, statement: &TransactionStmt) -> PgResult<Outcome> {
        use TransactionStmtKind as Kind;
        let phase = self.transaction.phase;
        let no_transaction = |s: &mut Self| {
            let error = PgError::new(SqlState::NO_ACTIVE_TRANSACTION, "there is no transaction in progress");
            s.notice("WARNING", error);
        };
        let chained = |s: &mut Self| {
            if statement.chain {
                s.begin(Phase::Block);
            }
        };
        match statement.kind() {
            kind @ (Kind::TransStmtBegin | Kind::TransStmtStart) => {
                match phase {
                    Phase::Idle => self.begin(Phase::Block),
                    Phase::Implicit => self.transaction.phase = Phase::Block,
                    Phase::Block | Phase::Failed => {
                        let message = "there is already a transaction in progress";
                        self.notice("WARNING", PgError::new(SqlState::ACTIVE_TRANSACTION, message));
                    }
                }
                self.transaction_modes(&statement.options, false)?;
                Ok(Outcome::done(if kind == Kind::TransStmtBegin { "BEGIN" } else { "START TRANSACTION" }))
            }
            Kind::TransStmtCommit => match phase {
                Phase::Failed => {
                    self.end(false);
                    chained(self);
                    Ok(Outcome::done("ROLLBACK"))
                }
                Phase::Block => {
                    self.commit().await?;
                    chained(self);
                    Ok(Outcome::done("COMMIT"))
                }
                Phase::Idle | Phase::Implicit => {
                    no_transaction(self);
                    self.commit().await?;
                    Ok(Outcome::done("COMMIT"))
                }
            },
            Kind::TransStmtRollback => {
                if matches!(phase, Phase::Idle | Phase::Implicit) {
                    no_transaction(self);
                }
                self.end(false);
                if matches!(phase, Phase::Block | Phase::Failed) {
                    chained(self);
                }
                Ok(Outcome::done("ROLLBACK"))
            }
            Kind::TransStmtSavepoint => {
                self.in_block("SAVEPOINT")?;
                let settings = self.settings.lock().save();
                let pending = self.pending.lock().len();
                self.transaction.savepoint(&statement.savepoint_name, settings, pending);
                Ok(Outcome::done("SAVEPOINT"))
            }
            Kind::TransStmtRelease => {
                self.in_block("RELEASE SAVEPOINT")?;
                self.transaction.release(&statement.savepoint_name)?;
                Ok(Outcome::done("RELEASE"))
            }
            Kind::TransStmtRollbackTo => {
                self.in_block("ROLLBACK TO SAVEPOINT")?;
                let (settings, pending) = self.transaction.rollback_to(&statement.savepoint_name)?;
                self.pending.lock().truncate(pending);
                self.settings.lock().restore(settings);
                Ok(Outcome::done("ROLLBACK"))
            }
            _ => Err(PgError::unsupported("two-phase commit")),
        }
    }

    fn in_block(&self, what: &str) -> PgResult<()> {
        match self.transaction.phase {
            Phase::Block | Phase::Failed => Ok(()),
            Phase::Idle | Phase::Implicit => {
                let message = format!("{what} can only be used in transaction blocks");
                Err(PgError::new(SqlState::NO_ACTIVE_TRANSACTION, message))
            }
        }
    }

    /// `ISOLATION LEVEL …, READ ONLY`, of one transaction or as the session's default.
    fn transaction_modes(&mut self, modes: &[Node], as_default: bool) -> PgResult<()> {
        for mode in modes {
            let Some(NodeEnum::DefElem(element)) = &mode.node else { continue };
            let value = element.arg.as_deref().map(constant).transpose()?.unwrap_or_default();
            let value = match value.as_str() {
                "1" => "on",
                "0" => "off",
                other => other,
            };
            let name = match as_default {
                true => format!("default_{}", element.defname),
                false => element.defname.clone(),
            };
            self.settings.lock().set(&name, value, !as_default)?;
        }
        Ok(())
    }

    // Settings.

    pub(super) fn set(&mut self, statement: &VariableSetStmt) -> PgResult<Outcome> {
        let name = statement.name.as_str();
        let lower = name.to_ascii_lowercase();
        let kind = statement.kind();
        if matches!(lower.as_str(), "role" | "session_authorization") {
            return self.set_identity(lower == "role", statement);
        }
        let idle = self.transaction.phase == Phase::Idle;
        match kind {
            VariableSetKind::VarResetAll => {
                self.settings.lock().reset_all();
                return Ok(Outcome::done("RESET"));
            }
            VariableSetKind::VarReset => {
                self.settings.lock().reset(name)?;
                return Ok(Outcome::done("RESET"));
            }
            VariableSetKind::VarSetDefault => self.settings.lock().reset(name)?,
            VariableSetKind::VarSetMulti => match name {
                "TRANSACTION" if idle => {
                    let message = "SET TRANSACTION can only be used in transaction blocks";
                    self.notice("WARNING", PgError::new(SqlState::NO_ACTIVE_TRANSACTION, message));
                }
                "TRANSACTION" => self.transaction_modes(&statement.args, false)?,
                "SESSION CHARACTERISTICS" => self.transaction_modes(&statement.args, true)?,
                other => return Err(PgError::unsupported(format!("SET {other}"))),
            },
            VariableSetKind::VarSetValue => {
                let value = set_value(name, &statement.args)?;
                if statement.is_local && idle {
                    let message = "SET LOCAL can only be used in transaction blocks";
                    self.notice("WARNING", PgError::new(SqlState::NO_ACTIVE_TRANSACTION, message));
                    // Checked all the same.
                    if let Some(parameter) = parameters::find(name) {
                        parameter.normalize(&value)?;
                    }
                } else {
                    self.settings.lock().set(name, &value, statement.is_local)?;
                }
            }
            VariableSetKind::VarSetCurrent | VariableSetKind::Undefined => {
                return Err(PgError::unsupported("SET ... FROM CURRENT"));
            }
        }
        Ok(Outcome::done("SET"))
    }

    /// SET ROLE and SET SESSION AUTHORIZATION.
    fn set_identity(&mut self, role: bool, statement: &VariableSetStmt) -> PgResult<Outcome> {
        let reset = matches!(statement.kind(), VariableSetKind::VarReset | VariableSetKind::VarSetDefault);
        let tag = if statement.kind() == VariableSetKind::VarReset { "RESET" } else { "SET" };
        if statement.is_local && self.transaction.phase == Phase::Idle {
            let message = "SET LOCAL can only be used in transaction blocks";
            self.notice("WARNING", PgError::new(SqlState::NO_ACTIVE_TRANSACTION, message));
            return Ok(Outcome::done(tag));
        }
        let name = if reset { None } else { Some(set_value(&statement.name, &statement.args)?) };
        let view = self.view();
        if role {
            let name = name.as_deref().unwrap_or("none");
            check_set_role(&view.catalog, &self.acting.session_user, self.identity.known, name)?;
            self.settings.lock().set_identity("role", name, statement.is_local);
            return Ok(Outcome::done(tag));
        }
        let own = self.identity.user.clone();
        let name = name.unwrap_or_else(|| own.clone());
        if name != own {
            let missing = || PgError::new(SqlState::INVALID_PARAMETER, format!("role \"{name}\" does not exist"));
            view.catalog.roles().named(&name).ok_or_else(missing)?;
            let superuser = match view.catalog.roles().named(&own) {
                Some(role) => role.superuser,
                None => !self.identity.known,
            };
            if !superuser {
                return Err(super::access::refused("permission denied to set session authorization"));
            }
        }
        let mut settings = self.settings.lock();
        settings.set_identity("session_authorization", &name, statement.is_local);
        settings.set_identity("role", "none", statement.is_local);
        drop(settings);
        Ok(Outcome::done(tag))
    }

    fn show(&mut self, name: &str) -> PgResult<Outcome> {
        let settings = self.settings.lock();
        let (columns, rows) = if name == "all" {
            let row = |(name, parameter, value, _): (&str, Option<&'static parameters::Parameter>, &str, &str)| {
                let shown = parameter.map_or_else(|| value.to_owned(), |p| p.show(value));
                let description = parameter.map(|p| p.description.to_owned());
                vec![Some(name.to_owned()), Some(shown), description]
            };
            (text_columns(&["name", "setting", "description"]), settings.all().map(row).collect())
        } else {
            let value = settings.show(name).ok_or_else(|| parameters::unrecognized(name))?;
            let title = parameters::find(name).map_or(name, |p| p.name);
            (text_columns(&[title]), vec![vec![Some(value)]])
        };
        drop(settings);
        let stream = ready(text_batch(&columns, rows)?);
        Ok(Outcome::Rows { columns, stream, tag: RowsTag::plain("SHOW") })
    }

    // Prepared statements.

    async fn prepare_statement(
        &mut self,
        statement: &PrepareStmt,
        text: &str,
        operation: &Operation,
    ) -> PgResult<Outcome> {
        if self.statements.contains_key(&statement.name) {
            let message = format!("prepared statement \"{}\" already exists", statement.name);
            return Err(PgError::new(SqlState::DUPLICATE_PREPARED, message));
        }
        let types = statement.argtypes.iter().map(|node| self.named_type(node)).collect::<PgResult<Vec<Oid>>>()?;
        let body =
            super::ddl::text_after_as(text).ok_or_else(|| PgError::internal("PREPARE without a statement"))?.to_owned();
        let prepared = Box::pin(self.parse(&body, &types)).await?;
        let _ = operation;
        self.statements.insert(statement.name.clone(), prepared);
        Ok(Outcome::done("PREPARE"))
    }

    fn named_type(&mut self, node: &Node) -> PgResult<Oid> {
        match &node.node {
            Some(NodeEnum::TypeName(name)) => Ok(typename::resolve(name)?.oid),
            _ => Err(PgError::internal("a type that is no type name")),
        }
    }

    async fn execute_statement(&mut self, statement: &ExecuteStmt, operation: &Operation) -> PgResult<Outcome> {
        let name = &statement.name;
        let prepared: Arc<Prepared> = self.prepared(name).ok_or_else(|| {
            let message = format!("prepared statement \"{name}\" does not exist");
            PgError::new(SqlState::INVALID_STATEMENT_NAME, message)
        })?;
        let (got, want) = (statement.params.len(), prepared.params.len());
        if got != want {
            let message = format!("wrong number of parameters for prepared statement \"{name}\"");
            let error = PgError::new(SqlState::SYNTAX_ERROR, message);
            return Err(error.detail(format!("Expected {want} parameters but got {got}.")));
        }
        let mut values = Vec::with_capacity(want);
        for (node, ty) in statement.params.iter().zip(&prepared.params) {
            values.push(operation.guard(self.value(node, *ty)).await??);
        }
        self.execute(&prepared, values).await
    }

    /// An expression without columns, computed.
    async fn value(&mut self, node: &Node, ty: PgType) -> PgResult<datafusion::scalar::ScalarValue> {
        let view = self.view();
        let plan = self.preparation(&view, &[]).scalar(node, ty)?;
        single_value(self.execution(&plan, Vec::new()).start()).await
    }

    fn deallocate(&mut self, statement: &DeallocateStmt) -> PgResult<Outcome> {
        if statement.isall || statement.name.is_empty() {
            self.statements.clear();
            return Ok(Outcome::done("DEALLOCATE ALL"));
        }
        let name = &statement.name;
        self.statements.remove(name).ok_or_else(|| {
            let message = format!("prepared statement \"{name}\" does not exist");
            PgError::new(SqlState::INVALID_STATEMENT_NAME, message)
        })?;
        Ok(Outcome::done("DEALLOCATE"))
    }

    fn discard(&mut self, statement: &DiscardStmt) -> PgResult<Outcome> {
        Ok(Outcome::done(match statement.target() {
            DiscardMode::DiscardAll => {
                if self.transaction.phase != Phase::Idle {
                    let message = "DISCARD ALL cannot run inside a transaction block";
                    return Err(PgError::new(SqlState::ACTIVE_TRANSACTION, message));
                }
                self.cursors.clear();
                self.statements.clear();
                self.settings.lock().reset_all();
                self.settings.lock().reset_identity();
                self.stop_listening(None);
                self.locks.unlock_all();
                self.temporary.clear();
                self.sequences.forget();
                "DISCARD ALL"
            }
            DiscardMode::DiscardPlans => "DISCARD PLANS",
            DiscardMode::DiscardSequences => {
                self.sequences.forget();
                "DISCARD SEQUENCES"
            }
            DiscardMode::DiscardTemp | DiscardMode::Undefined => {
                self.temporary.clear();
                "DISCARD TEMP"
            }
        }))
    }
}

/// The value of SET as one text: a list for the settings that are lists.
pub(super) fn set_value(name: &str, args: &[Node]) -> PgResult<String> {
    let values = args.iter().map(constant).collect::<PgResult<Vec<String>>>()?;
    let kind = parameters::find(name).map(|p| p.kind);
    match (kind, &values[..]) {
        (Some(ParameterKind::Names), values) => Ok(values.iter().map(|v| quote_name(v)).collect::<Vec<_>>().join(", ")),
        (Some(ParameterKind::DateStyle), values) => Ok(values.join(", ")),
        (_, [value]) => Ok(value.clone()),
        _ => {
            let message = format!("SET {name} takes only one argument");
            Err(PgError::new(SqlState::INVALID_PARAMETER, message))
        }
    }
}

/// A constant's text.
fn constant(node: &Node) -> PgResult<String> {
    use a_const::Val;
    match &node.node {
        Some(NodeEnum::AConst(AConst { val: Some(value), .. })) => Ok(match value {
            Val::Ival(i) => i.ival.to_string(),
            Val::Fval(f) => f.fval.clone(),
            Val::Boolval(b) => if b.boolval { "on" } else { "off" }.to_owned(),
            Val::Sval(s) => s.sval.clone(),
            Val::Bsval(b) => b.bsval.clone(),
        }),
        Some(NodeEnum::String(s)) => Ok(s.sval.clone()),
        Some(NodeEnum::Integer(i)) => Ok(i.ival.to_string()),
        // `SET TIME ZONE INTERVAL '…'`.
        Some(NodeEnum::TypeCast(cast)) => match &cast.arg {
            Some(arg) => constant(arg),
            None => Err(PgError::internal("a cast of nothing")),
        },
        _ => Err(PgError::new(SqlState::SYNTAX_ERROR, "a setting's value must be a constant")),
    }
}

/// `COPY relation (columns) TO` as the query that it stands for.
pub fn select_of_copy(statement: &CopyStmt) -> Option<SelectStmt> {
    let relation = statement.relation.clone()?;
    let target = |fields: Vec<Node>| {
        let reference = ColumnRef { fields, location: -1 };
        let value = Some(Box::new(node(NodeEnum::ColumnRef(reference))));
        let target = ResTarget { name: String::new(), indirection: Vec::new(), val: value, location: -1 };
        node(NodeEnum::ResTarget(Box::new(target)))
    };
    let target_list = match statement.attlist.is_empty() {
        true => vec![target(vec![node(NodeEnum::AStar(AStar {}))])],
        false => statement.attlist.iter().map(|name| target(vec![name.clone()])).collect(),
    };
    let from_clause = vec![node(NodeEnum::RangeVar(relation))];
    Some(SelectStmt { target_list, from_clause, ..SelectStmt::default() })
}

fn node(node: NodeEnum) -> Node {
    Node { node: Some(node) }
}
