//! Where functions are declared: a signature and what computes it.
//!
//! Types, strictness and volatility are PostgreSQL's facts and are not repeated: `"length(text)"` names a row of
//! `pg_proc`, and the kernel's argument and result storage follow from it.

use super::facts::{ProcRow, facts};
use super::kernel::{Body, Nature, ScalarKernel, kernel, no_kernel};
use crate::types::{ExprType, Oid, PgResult, PgType, oid};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A function whose kernel depends on the types it is called with.
pub type Maker = fn(&'static ProcRow, &[ExprType]) -> PgResult<ScalarKernel>;

enum Declared {
    Body(Body),
    Maker(Maker),
}

/// All declared functions, by `pg_proc` OID.
#[derive(Default)]
pub struct Registry {
    declared: HashMap<Oid, Declared>,
    /// Signatures that no row has, or that were there before. A test keeps this empty.
    mistakes: Vec<String>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::default();
    super::declare_all(&mut registry);
    registry
});

impl Registry {
    /// Declares a function of fixed types.
    pub fn fun(&mut self, signature: &str, body: Body) {
        self.put(signature, Declared::Body(body));
    }

    /// Declares several functions with one body.
    pub fn funs(&mut self, signatures: &[&str], body: Body) {
        for signature in signatures {
            self.fun(signature, Body::clone(&body));
        }
    }

    /// Declares functions whose kernels depend on the types they are called with.
    pub fn make(&mut self, signatures: &[&str], maker: Maker) {
        for signature in signatures {
            self.put(signature, Declared::Maker(maker));
        }
    }

    fn put(&mut self, signature: &str, declared: Declared) {
        match proc_with_signature(signature) {
            None => self.mistakes.push(format!("pg_proc has no {signature}")),
            Some(row) => {
                if self.declared.insert(row.oid, declared).is_some() {
                    self.mistakes.push(format!("{signature} is declared twice"));
                }
            }
        }
    }
}

/// The row of `name(type,type)`, types by their `typname`.
pub fn proc_with_signature(signature: &str) -> Option<&'static ProcRow> {
    let (name, args) = signature.strip_suffix(')')?.split_once('(')?;
    let args = args.split(',').map(str::trim).filter(|a| !a.is_empty());
    let args: Vec<Oid> = args.map(|a| facts().type_named(a).map(|t| t.oid)).collect::<Option<_>>()?;
    facts().procs_named(name).find(|p| p.args == args)
}

/// What is wrong in the tables of functions.
#[cfg(test)]
pub fn declaration_mistakes() -> &'static [String] {
    &REGISTRY.mistakes
}

/// The OIDs of all functions that have a kernel.
pub fn declared_functions() -> Vec<Oid> {
    let mut oids: Vec<Oid> = REGISTRY.declared.keys().copied().collect();
    oids.sort();
    oids
}

/// The kernel of a `pg_proc` function for arguments of these types.
///
/// The arguments of `VARIADIC "any"` functions come one by one; all other variadic functions get the array that the
/// binder makes of them.
pub fn scalar(proc: Oid, args: &[ExprType]) -> PgResult<ScalarKernel> {
    let row = facts().proc_row(proc);
    let (Some(row), Some(declared)) = (row, REGISTRY.declared.get(&proc)) else {
        let name = row.map_or_else(|| proc.to_string(), |r| r.name.to_string());
        return Err(no_kernel(&name, args));
    };
    match declared {
        Declared::Maker(make) => make(row, args),
        Declared::Body(body) => Ok(fixed(row, args, body)),
    }
}

/// A kernel of the row's own types; `"any"` and the polymorphic types take what the caller brings.
pub fn fixed(row: &ProcRow, args: &[ExprType], body: &Body) -> ScalarKernel {
    let types = args.iter().enumerate().map(|(i, given)| match row.args.get(i) {
        Some(&declared) if !is_pseudo(declared) => {
            // A value of another type with the same storage (varchar for text) keeps its own name.
            let declared = ExprType::of(PgType::new(declared));
            // Kernels read numeric in both of its forms.
            let same =
                given.storage == declared.storage || (given.pg.oid == oid::NUMERIC && declared.pg.oid == oid::NUMERIC);
            if same { given.clone() } else { declared }
        }
        _ => given.clone(),
    });
    let result = ExprType::of(PgType::new(row.result));
    kernel(&unique_name(row), nature_of(row), types.collect(), result, Body::clone(body))
}

/// `length_1317`: readable in plans, and one name for one row.
pub fn unique_name(row: &ProcRow) -> String {
    format!("{}_{}", row.name, row.oid)
}

pub fn nature_of(row: &ProcRow) -> Nature {
    Nature { strict: row.strict, volatility: row.volatility }
}

fn is_pseudo(oid: Oid) -> bool {
    matches!(
        oid,
        oid::ANY
            | oid::ANYELEMENT
            | oid::ANYARRAY
            | oid::ANYNONARRAY
            | oid::ANYENUM
            | oid::ANYRANGE
            | oid::ANYMULTIRANGE
            | oid::ANYCOMPATIBLE
            | oid::ANYCOMPATIBLEARRAY
            | oid::ANYCOMPATIBLENONARRAY
            | oid::RECORD
    )
}

/// What computes a function of fixed types, without a kernel around it.
pub fn body_of(proc: Oid) -> Option<Body> {
    match REGISTRY.declared.get(&proc)? {
        Declared::Body(body) => Some(Body::clone(body)),
        Declared::Maker(_) => None,
    }
}
