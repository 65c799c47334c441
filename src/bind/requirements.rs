//! The rules that make a physical plan of a logical one: DataFusion's, and a second chance at their end.
//!
//! DataFusion leaves out a sort where it knows that a column is constant, or equal to another that is in order. Rules after that
//! (projections that go into joins) may make it forget the reason, and its last rule, which looks whether every operator gets its
//! rows in the order that it needs, then refuses a plan that it has made itself. Here such a plan gets what it lacks.

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_optimizer::output_requirements::OutputRequirements;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// All rules, in their order.
pub fn physical_rules() -> Vec<Rule> {
    let last = SanityCheckPlan::new();
    let with_chance = |rule: Rule| if rule.name() == last.name() { Arc::new(SecondChance) as Rule } else { rule };
    PhysicalOptimizer::new().rules.into_iter().map(with_chance).collect()
}

/// Checks a plan; one that lacks something is given it, and checked again.
#[derive(Debug)]
struct SecondChance;

impl PhysicalOptimizerRule for SecondChance {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let check = SanityCheckPlan::new();
        let Err(_) = check.optimize(Arc::clone(&plan), config) else { return Ok(plan) };
        // The order of the whole result is nobody's need but the client's.
        let marked = OutputRequirements::new_add_mode().optimize(plan, config)?;
        let mended = EnsureRequirements::new().optimize(marked, config)?;
        check.optimize(OutputRequirements::new_remove_mode().optimize(mended, config)?, config)
    }

    fn name(&self) -> &str {
        "SecondChance"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
