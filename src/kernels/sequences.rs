//! `nextval` and its relatives: what they do is the session's.

use super::adapt::*;
use super::context::SequenceCall;
use super::kernel::Call;
use super::registry::Registry;
use crate::types::{Oid, PgResult};
use arrow::array::ArrayRef;
use std::sync::Arc;

fn setval(call: &Call<'_>) -> PgResult<ArrayRef> {
    let (sequences, values) = (OidKind::column(&call.args[0].array)?, Int8::column(&call.args[1].array)?);
    let called = call.args.get(2).map(|arg| Bool::column(&arg.array)).transpose()?;
    all_rows::<Int8>(call, |i| {
        if call.args.iter().any(|arg| arg.is_null(i)) {
            return Ok(None);
        }
        let sequence = Oid(sequences.value(call.args[0].at(i)));
        let value = values.value(call.args[1].at(i));
        let called = called.is_none_or(|called| called.value(call.args[2].at(i)));
        call.context()?.sequence(SequenceCall::Set(sequence, value, called)).map(Some)
    })
}

pub fn declare(r: &mut Registry) {
    let of = |make: fn(Oid) -> SequenceCall| {
        session1::<OidKind, Int8>(move |call, oid| call.context()?.sequence(make(Oid(oid))).map(Some))
    };
    r.fun("nextval(regclass)", of(SequenceCall::Next));
    r.fun("currval(regclass)", of(SequenceCall::Current));
    r.fun("lastval()", session0::<Int8>(|call| call.context()?.sequence(SequenceCall::Last).map(Some)));
    r.fun("setval(regclass,int8)", Arc::new(setval));
    r.fun("setval(regclass,int8,bool)", Arc::new(setval));
}
