//! Floor 1: functions, operators, casts and aggregates over Arrow arrays, declared once by signature.
//!
//! The binder asks for a kernel by `pg_proc` OID and the types of its arguments, and gets a DataFusion function of exact
//! types. What PostgreSQL has and Sluice has not is listed among the [`facts`] and answers `0A000` here.
//!
//! | file | what |
//! |---|---|
//! | `kernel`, `adapt`, `registry` | what a kernel is, how one is made of a closure, where it is declared |
//! | `operators`, `casts`, `aggregates`, `windows`, `sets` | the faces that the binder calls, beside [`scalar`] |
//! | `context` | what functions may know of session and catalog |
//! | all others | functions, a file for each family: a line for each function |
//!
//! Values follow PostgreSQL 15; errors carry its SQLSTATEs and messages. NULLs are strict unless PostgreSQL's are not.

pub mod adapt;
mod aggregates;
mod array_shape;
mod arrays;
mod bits;
mod casts;
mod compare;
pub mod context;
mod dates;
mod digest;
mod excluding;
pub mod facts;
mod floats;
mod fromchar;
mod integers;
mod json;
mod jsonpath;
mod jsonpath_datetime;
mod jsonrecord;
mod jsontext;
pub mod kernel;
mod keys;
mod keywords;
mod like;
mod money;
mod names;
mod network;
mod numerics;
mod operators;
mod overlaps;
mod privileges;
mod ranges;
mod regexp;
mod regexp_backtrack;
mod regexp_choice;
mod registry;
mod search;
mod sequences;
mod session;
mod sets;
mod text;
mod text_io;
mod tochar;
mod tochar_number;
mod tojson;
mod typename;
mod windows;

#[cfg(test)]
mod tests;

pub use aggregates::{
    AggregateKernel, ExactSum, FloatResult, Fold, MakeFold, aggregate, hypothetical, retracting, steady,
    takes_rows_in_order,
};
pub use array_shape::{
    element as array_element, flat as array_elements, make_stacked as array_of_arrays, slice as array_slice,
};
pub use casts::{CastKernel, cast, equality_key};
pub use context::{CatalogLookup, Context, PrivilegeOn, RelationSize, SessionExtension};
pub use excluding::{Exclusion, Over, excluding, slides};
pub use facts::facts;
pub use jsonrecord::json_records;
pub use kernel::{ScalarKernel, kernel, type_name};
pub use names::{fixed_object, no_object, reg_out, split_identifiers};
pub use numerics::natural_numeric;
pub use operators::{OperatorKernel, operator};
pub use registry::{declared_functions, proc_with_signature, scalar};
pub use session::SERVER_VERSION;
pub use sets::{SetKernel, expand_array, set_returning};
pub use text::quote_identifier;
pub use typename::format_type;
pub use windows::{WindowKernel, window};

fn declare_all(registry: &mut registry::Registry) {
    integers::declare(registry);
    floats::declare(registry);
    numerics::declare(registry);
    text::declare(registry);
    bits::declare(registry);
    like::declare(registry);
    regexp::declare(registry);
    dates::declare(registry);
    json::declare(registry);
    jsonpath::declare(registry);
    jsontext::declare(registry);
    tochar::declare(registry);
    fromchar::declare(registry);
    overlaps::declare(registry);
    tochar_number::declare(registry);
    text_io::declare(registry);
    tojson::declare(registry);
    sequences::declare(registry);
    session::declare(registry);
    arrays::declare(registry);
    array_shape::declare(registry);
    privileges::declare(registry);
    ranges::declare(registry);
    search::declare(registry);
    money::declare(registry);
    network::declare(registry);
}
