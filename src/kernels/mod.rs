//! Floor 1: functions, operators, casts and aggregates over Arrow arrays, declared once by signature.

pub mod context;
pub mod facts;
