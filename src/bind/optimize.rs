//! The DataFusion session that plans are optimised and run in.
//!
//! The binder types everything exactly, so the analyzer has no rules; in particular not `TypeCoercion`, whose rules are
//! not PostgreSQL's.

use super::relation::{Relations, RelationsExtension};
use super::requirements::physical_rules;
use crate::types::PgResult;
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionConfig;
use std::sync::Arc;

/// A configuration to run plans with. `partitions`: how many threads one query may use.
pub fn session_config(partitions: usize) -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(partitions.max(1)).with_batch_size(8192);
    let options = config.options_mut();
    options.optimizer.prefer_hash_join = true;
    // A rule that fails is a fault to be seen, not a plan to be run as it was.
    options.optimizer.skip_failed_rules = false;
    // It refuses a common subexpression (a CASE) that the logical plan knows never to be NULL and the physical one does not.
    options.execution.skip_physical_aggregate_schema_check = true;
    config
}

/// A state without analyzer rules and without DataFusion's own functions (plans carry ours; a state is copied for each
/// statement, and these would be copied with it), over `config`; put [`RelationsExtension`] (and the functions' context) into it before
/// running a plan.
pub fn session_state(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionState {
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_analyzer_rules(Vec::new())
        .with_physical_optimizer_rules(physical_rules())
        .build()
}

/// A context that reads `relations`.
pub fn session_context(
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
    relations: Arc<dyn Relations>,
) -> SessionContext {
    let config = config.with_extension(Arc::new(RelationsExtension(relations)));
    SessionContext::new_with_state(session_state(config, runtime))
}

/// Runs DataFusion's optimizer.
pub fn optimize(plan: LogicalPlan, state: &SessionState) -> PgResult<LogicalPlan> {
    let plan = super::windows::one_order_each(state.optimize(&plan)?)?;
    super::constants::refuse_failing(&plan, state)?;
    Ok(plan)
}
