//! The rules that make a physical plan of a logical one: DataFusion's, and a second chance at their end.
//!
//! DataFusion pushes a sort below a join, and leaves it out there where it knows that a column is constant or that there is one
//! row; above the join it does not know that any more. Its last rule, which looks whether every operator gets its rows in the
//! order that it needs, then refuses a plan that DataFusion has made itself. Here such a plan gets the sorts that it lacks.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use std::sync::Arc;

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// All rules, in their order.
pub fn physical_rules() -> Vec<Rule> {
    let last = SanityCheckPlan::new();
    let with_chance = |rule: Rule| if rule.name() == last.name() { Arc::new(SecondChance) as Rule } else { rule };
    PhysicalOptimizer::new().rules.into_iter().map(with_chance).collect()
}

/// Checks a plan; one that lacks sorts gets them and is checked again.
#[derive(Debug)]
struct SecondChance;

impl PhysicalOptimizerRule for SecondChance {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let check = SanityCheckPlan::new();
        let Err(_) = check.optimize(Arc::clone(&plan), config) else { return Ok(plan) };
        check.optimize(plan.transform_up(sorted_inputs)?.data, config)
    }

    fn name(&self) -> &str {
        "SecondChance"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Sorts the inputs of an operator that are not known to come in the order that it needs.
fn sorted_inputs(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let mut children = Vec::new();
    let mut changed = false;
    for (child, need) in node.children().into_iter().zip(node.required_input_ordering()) {
        let need = need.map(|need| need.into_single());
        let lacks = match &need {
            Some(need) => !child.equivalence_properties().ordering_satisfy_requirement(need.clone())?,
            None => false,
        };
        children.push(match need.filter(|_| lacks) {
            Some(need) => {
                changed = true;
                let many = child.output_partitioning().partition_count() > 1;
                let sort = SortExec::new(LexOrdering::from(need), Arc::clone(child));
                Arc::new(sort.with_preserve_partitioning(many)) as Arc<dyn ExecutionPlan>
            }
            None => Arc::clone(child),
        });
    }
    match changed {
        true => {
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            node.replace_children(children, options).map(Transformed::yes)
        }
        false => Ok(Transformed::no(node)),
    }
}
