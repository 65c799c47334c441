//! Our aggregates as DataFusion sees them.

use super::AggregateKernel;
use super::fold::{Fold, FoldAccumulator};
use super::gather::{Gather, Whole};
use crate::types::{ExprType, list_of};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, TypeSignature, Volatility,
};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub type MakeFold = Arc<dyn Fn() -> Box<dyn Fold> + Send + Sync>;
pub type MakeGroups = Arc<dyn Fn() -> Box<dyn GroupsAccumulator> + Send + Sync>;

/// How an aggregate is computed.
#[derive(Clone)]
pub enum Plan {
    /// A running state, its columns, and where there is one a form for many groups with the same columns.
    Running {
        fold: MakeFold,
        groups: Option<MakeGroups>,
        state: Vec<DataType>,
    },
    Whole(Whole),
}

struct Udaf {
    name: String,
    args: Vec<ExprType>,
    result: ExprType,
    signature: Signature,
    plan: Plan,
}

impl fmt::Debug for Udaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Udaf").field("name", &self.name).field("args", &self.args).finish_non_exhaustive()
    }
}

impl PartialEq for Udaf {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.args, &self.result) == (&other.name, &other.args, &other.result)
    }
}

impl Eq for Udaf {}

impl Hash for Udaf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, &self.args, &self.result).hash(state);
    }
}

impl Udaf {
    /// Whether the order of the rows matters.
    fn ordered(&self) -> bool {
        matches!(self.plan, Plan::Whole(_))
    }

    fn finish(&self) -> Whole {
        match &self.plan {
            Plan::Whole(finish) => Arc::clone(finish),
            Plan::Running { fold, .. } => {
                let fold = Arc::clone(fold);
                Arc::new(move |rows| {
                    let mut fold = fold();
                    fold.update(rows)?;
                    fold.evaluate()
                })
            }
        }
    }
}

impl AggregateUDFImpl for Udaf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.result.storage.clone())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match &self.plan {
            Plan::Running { fold, .. } if !args.is_distinct => Ok(Box::new(FoldAccumulator(fold()))),
            _ => {
                let order_bys = if self.ordered() { args.order_bys } else { &[] };
                let order = order_bys.iter().map(|o| Ok((o.expr.data_type(args.schema)?, o.options)));
                let order = order.collect::<Result<Vec<_>>>()?;
                Ok(Box::new(Gather::new(self.args.clone(), order, args.is_distinct, self.finish())))
            }
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |i: usize, ty: DataType| Arc::new(Field::new(format!("{}[{i}]", args.name), ty, true));
        match &self.plan {
            Plan::Running { state, .. } if !args.is_distinct => {
                Ok(state.iter().enumerate().map(|(i, ty)| field(i, ty.clone())).collect())
            }
            _ => {
                let inputs = self.args.iter().map(|a| a.storage.clone());
                let ordering_fields = if self.ordered() { args.ordering_fields } else { &[] };
                let keys = ordering_fields.iter().map(|f| f.data_type().clone());
                Ok(inputs.chain(keys).enumerate().map(|(i, ty)| field(i, list_of(ty))).collect())
            }
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct && matches!(self.plan, Plan::Running { groups: Some(_), .. })
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match &self.plan {
            Plan::Running { groups: Some(make), .. } => Ok(make()),
            _ => Err(crate::types::PgError::internal("this aggregate has no form for groups").into()),
        }
    }

    /// The gathering accumulator sorts by the ORDER BY itself, which keeps the order right when partial states meet.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        match self.ordered() {
            true => AggregateOrderSensitivity::Beneficial,
            false => AggregateOrderSensitivity::Insensitive,
        }
    }

    fn with_beneficial_ordering(self: Arc<Self>, _ordered: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }
}

/// An aggregate from its parts. `name` must tell different plans over equal types apart.
pub fn make(name: &str, args: Vec<ExprType>, result: ExprType, plan: Plan) -> AggregateKernel {
    let storages: Vec<DataType> = args.iter().map(|a| a.storage.clone()).collect();
    let shape = TypeSignature::Exact(storages.clone());
    let udaf = Udaf {
        name: name.to_string(),
        args,
        result: result.clone(),
        signature: Signature::new(shape, Volatility::Immutable),
        plan,
    };
    AggregateKernel { udf: Arc::new(AggregateUDF::from(udaf)), args: storages, result }
}

/// Does the result depend on the order of the rows, and has the call an ORDER BY for it?
pub fn takes_rows_in_order(udf: &AggregateUDF) -> bool {
    let inner: &dyn std::any::Any = udf.inner().as_ref();
    match inner.downcast_ref::<Udaf>() {
        Some(udaf) => udaf.ordered(),
        None => matches!(udf.name(), "first_value" | "last_value" | "nth_value"),
    }
}

/// The running state of an aggregate of ours that rows can be taken back from; `None` where they cannot.
pub fn retracting(udf: &AggregateUDF) -> Option<MakeFold> {
    let inner: &dyn std::any::Any = udf.inner().as_ref();
    match &inner.downcast_ref::<Udaf>()?.plan {
        Plan::Running { fold, .. } if fold().retracts() => Some(Arc::clone(fold)),
        _ => None,
    }
}

/// The same aggregate with a result that does not depend on the order of its rows, where it does: sums of floats are exact,
/// and other aggregates of floats take their values in order, if the caller gives the argument as ORDER BY.
pub fn steady(udf: &AggregateUDF) -> Option<Arc<AggregateUDF>> {
    let inner: &dyn std::any::Any = udf.inner().as_ref();
    let udaf = inner.downcast_ref::<Udaf>()?;
    let [arg] = udaf.args.as_slice() else { return None };
    if udaf.ordered() || !arg.storage.is_floating() {
        return None;
    }
    let base = udaf.name.split('_').next().unwrap_or_default();
    let (name, plan) = match base {
        "sum" | "avg" => (format!("exact_{}", udaf.name), super::exact::exact(base == "avg", &arg.storage)),
        "min" | "max" => return None,
        _ => (format!("ordered_{}", udaf.name), Plan::Whole(udaf.finish())),
    };
    let steady =
        Udaf { name, args: udaf.args.clone(), result: udaf.result.clone(), signature: udaf.signature.clone(), plan };
    Some(Arc::new(AggregateUDF::from(steady)))
}
