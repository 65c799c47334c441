//! Types by their SQL names.

use crate::types::PgType;
use crate::types::oid::{self, Oid};

/// Type names: (OID, what `format_type` says, other names that SQL takes).
const NAMES: &[(Oid, &str, &[&str])] = &[
    (oid::BOOL, "boolean", &["bool"]),
    (oid::BYTEA, "bytea", &[]),
    (oid::CHAR, "\"char\"", &[]),
    (oid::NAME, "name", &[]),
    (oid::INT8, "bigint", &["int8"]),
    (oid::INT2, "smallint", &["int2"]),
    (oid::INT2VECTOR, "int2vector", &[]),
    (oid::INT4, "integer", &["int4", "int"]),
    (oid::REGPROC, "regproc", &[]),
    (oid::TEXT, "text", &[]),
    (oid::OID, "oid", &[]),
    (oid::TID, "tid", &[]),
    (oid::XID, "xid", &[]),
    (oid::CID, "cid", &[]),
    (oid::OIDVECTOR, "oidvector", &[]),
    (oid::JSON, "json", &[]),
    (oid::XML, "xml", &[]),
    (oid::PG_NODE_TREE, "pg_node_tree", &[]),
    (oid::POINT, "point", &[]),
    (oid::LSEG, "lseg", &[]),
    (oid::PATH, "path", &[]),
    (oid::BOX, "box", &[]),
    (oid::POLYGON, "polygon", &[]),
    (oid::LINE, "line", &[]),
    (oid::CIRCLE, "circle", &[]),
    (oid::CIDR, "cidr", &[]),
    (oid::INET, "inet", &[]),
    (oid::MACADDR, "macaddr", &[]),
    (oid::MACADDR8, "macaddr8", &[]),
    (oid::FLOAT4, "real", &["float4"]),
    (oid::FLOAT8, "double precision", &["float8", "float"]),
    (oid::UNKNOWN, "unknown", &[]),
    (oid::MONEY, "money", &[]),
    (oid::ACLITEM, "aclitem", &[]),
    (oid::BPCHAR, "character", &["char", "bpchar"]),
    (oid::VARCHAR, "character varying", &["varchar"]),
    (oid::DATE, "date", &[]),
    (oid::TIME, "time without time zone", &["time"]),
    (oid::TIMESTAMP, "timestamp without time zone", &["timestamp"]),
    (oid::TIMESTAMPTZ, "timestamp with time zone", &["timestamptz"]),
    (oid::INTERVAL, "interval", &[]),
    (oid::TIMETZ, "time with time zone", &["timetz"]),
    (oid::BIT, "bit", &[]),
    (oid::VARBIT, "bit varying", &["varbit"]),
    (oid::NUMERIC, "numeric", &["decimal", "dec"]),
    (oid::REFCURSOR, "refcursor", &[]),
    (oid::REGPROCEDURE, "regprocedure", &[]),
    (oid::REGOPER, "regoper", &[]),
    (oid::REGOPERATOR, "regoperator", &[]),
    (oid::REGCLASS, "regclass", &[]),
    (oid::REGTYPE, "regtype", &[]),
    (oid::REGCONFIG, "regconfig", &[]),
    (oid::REGDICTIONARY, "regdictionary", &[]),
    (oid::REGNAMESPACE, "regnamespace", &[]),
    (oid::REGROLE, "regrole", &[]),
    (oid::REGCOLLATION, "regcollation", &[]),
    (oid::RECORD, "record", &[]),
    (oid::CSTRING, "cstring", &[]),
    (oid::ANY, "\"any\"", &[]),
    (oid::ANYARRAY, "anyarray", &[]),
    (oid::ANYELEMENT, "anyelement", &[]),
    (oid::ANYNONARRAY, "anynonarray", &[]),
    (oid::ANYENUM, "anyenum", &[]),
    (oid::ANYRANGE, "anyrange", &[]),
    (oid::VOID, "void", &[]),
    (oid::TRIGGER, "trigger", &[]),
    (oid::INTERNAL, "internal", &[]),
    (oid::UUID, "uuid", &[]),
    (oid::TXID_SNAPSHOT, "txid_snapshot", &[]),
    (oid::PG_SNAPSHOT, "pg_snapshot", &[]),
    (oid::PG_LSN, "pg_lsn", &[]),
    (oid::XID8, "xid8", &[]),
    (oid::TSVECTOR, "tsvector", &[]),
    (oid::TSQUERY, "tsquery", &[]),
    (oid::GTSVECTOR, "gtsvector", &[]),
    (oid::JSONB, "jsonb", &[]),
    (oid::JSONPATH, "jsonpath", &[]),
    (oid::INT4RANGE, "int4range", &[]),
    (oid::NUMRANGE, "numrange", &[]),
    (oid::TSRANGE, "tsrange", &[]),
    (oid::TSTZRANGE, "tstzrange", &[]),
    (oid::DATERANGE, "daterange", &[]),
    (oid::INT8RANGE, "int8range", &[]),
    (oid::INT4MULTIRANGE, "int4multirange", &[]),
    (oid::NUMMULTIRANGE, "nummultirange", &[]),
    (oid::TSMULTIRANGE, "tsmultirange", &[]),
    (oid::TSTZMULTIRANGE, "tstzmultirange", &[]),
    (oid::DATEMULTIRANGE, "datemultirange", &[]),
    (oid::INT8MULTIRANGE, "int8multirange", &[]),
];

/// What PostgreSQL's `format_type(oid, typmod)` gives; `???` for a type it does not know.
pub fn format_type(ty: PgType) -> String {
    if ty.oid == oid::INVALID {
        return "-".to_owned();
    }
    if let Some(element) = oid::array_element(ty.oid) {
        return format!("{}[]", format_type(PgType { oid: element, typmod: ty.typmod }));
    }
    let Some((_, name, _)) = NAMES.iter().find(|(oid, ..)| *oid == ty.oid) else { return "???".to_owned() };
    let typmod = ty.typmod;
    match ty.oid {
        oid::BPCHAR if typmod < 0 => "bpchar".to_owned(),
        oid::BIT if typmod < 0 => "\"bit\"".to_owned(),
        _ if typmod < 0 => (*name).to_owned(),
        oid::BPCHAR | oid::VARCHAR if typmod >= 4 => format!("{name}({})", typmod - 4),
        oid::BIT | oid::VARBIT => format!("{name}({typmod})"),
        oid::NUMERIC => match ty.numeric_typmod() {
            Some((precision, scale)) => format!("numeric({precision},{scale})"),
            None => "numeric".to_owned(),
        },
        oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            let (kind, zone) = name.split_once(' ').unwrap_or((name, ""));
            format!("{kind}({typmod}) {zone}")
        }
        oid::INTERVAL => interval_name(typmod),
        _ => (*name).to_owned(),
    }
}

fn interval_name(typmod: i32) -> String {
    const FIELDS: &[(&str, i32)] = &[
        ("year", 1 << 2),
        ("month", 1 << 1),
        ("day", 1 << 3),
        ("hour", 1 << 10),
        ("minute", 1 << 11),
        ("second", 1 << 12),
    ];
    let (range, precision) = (typmod >> 16 & 0x7fff, typmod & 0xffff);
    let mut name = "interval".to_owned();
    if range != 0x7fff {
        let named: Vec<&str> = FIELDS.iter().filter(|(_, bit)| range & bit != 0).map(|(n, _)| *n).collect();
        if let (Some(first), Some(last)) = (named.first(), named.last()) {
            name.push(' ');
            name.push_str(first);
            if first != last {
                name.push_str(" to ");
                name.push_str(last);
            }
        }
    }
    if precision != 0xffff {
        name.push_str(&format!("({precision})"));
    }
    name
}

/// A built-in type by a name of SQL or of pg_type, without modifiers: `int`, `double precision`, `text[]`, `_int4`,
/// `pg_catalog.int4`. `char` alone is `character`; `"char"` is the other.
pub fn type_from_sql_name(name: &str) -> Option<PgType> {
    let name = name.trim();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    if let Some(element) = name.strip_suffix("[]").or_else(|| name.strip_prefix('_')) {
        let element = type_from_sql_name(element)?;
        // Of `int[][]` the dimensions are not told apart.
        return oid::array_of(element.oid).map(PgType::new).or(oid::array_element(element.oid).map(|_| element));
    }
    let lower = name.to_ascii_lowercase();
    let lower = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    NAMES
        .iter()
        .find(|(_, shown, others)| *shown == lower || others.contains(&lower.as_str()))
        .map(|(oid, ..)| PgType::new(*oid))
}
