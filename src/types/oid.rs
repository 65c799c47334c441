//! OIDs of PostgreSQL's built-in types, and the few facts about them that storage needs.

use std::fmt;

/// An object identifier, as in PostgreSQL's catalogs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Oid(pub u32);

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// No object.
pub const INVALID: Oid = Oid(0);
pub const BOOL: Oid = Oid(16);
pub const BYTEA: Oid = Oid(17);
pub const CHAR: Oid = Oid(18);
pub const NAME: Oid = Oid(19);
pub const INT8: Oid = Oid(20);
pub const INT2: Oid = Oid(21);
pub const INT2VECTOR: Oid = Oid(22);
pub const INT4: Oid = Oid(23);
pub const REGPROC: Oid = Oid(24);
pub const TEXT: Oid = Oid(25);
pub const OID: Oid = Oid(26);
pub const TID: Oid = Oid(27);
pub const XID: Oid = Oid(28);
pub const CID: Oid = Oid(29);
pub const OIDVECTOR: Oid = Oid(30);
pub const PG_DDL_COMMAND: Oid = Oid(32);
pub const JSON: Oid = Oid(114);
pub const XML: Oid = Oid(142);
pub const PG_NODE_TREE: Oid = Oid(194);
pub const TABLE_AM_HANDLER: Oid = Oid(269);
pub const INDEX_AM_HANDLER: Oid = Oid(325);
pub const POINT: Oid = Oid(600);
pub const LSEG: Oid = Oid(601);
pub const PATH: Oid = Oid(602);
pub const BOX: Oid = Oid(603);
pub const POLYGON: Oid = Oid(604);
pub const LINE: Oid = Oid(628);
pub const CIDR: Oid = Oid(650);
pub const FLOAT4: Oid = Oid(700);
pub const FLOAT8: Oid = Oid(701);
pub const UNKNOWN: Oid = Oid(705);
pub const CIRCLE: Oid = Oid(718);
pub const MACADDR8: Oid = Oid(774);
pub const MONEY: Oid = Oid(790);
pub const MACADDR: Oid = Oid(829);
pub const INET: Oid = Oid(869);
pub const ACLITEM: Oid = Oid(1033);
pub const BPCHAR: Oid = Oid(1042);
pub const VARCHAR: Oid = Oid(1043);
pub const DATE: Oid = Oid(1082);
pub const TIME: Oid = Oid(1083);
pub const TIMESTAMP: Oid = Oid(1114);
pub const TIMESTAMPTZ: Oid = Oid(1184);
pub const INTERVAL: Oid = Oid(1186);
pub const TIMETZ: Oid = Oid(1266);
pub const BIT: Oid = Oid(1560);
pub const VARBIT: Oid = Oid(1562);
pub const NUMERIC: Oid = Oid(1700);
pub const REFCURSOR: Oid = Oid(1790);
pub const REGPROCEDURE: Oid = Oid(2202);
pub const REGOPER: Oid = Oid(2203);
pub const REGOPERATOR: Oid = Oid(2204);
pub const REGCLASS: Oid = Oid(2205);
pub const REGTYPE: Oid = Oid(2206);
pub const RECORD: Oid = Oid(2249);
pub const CSTRING: Oid = Oid(2275);
pub const ANY: Oid = Oid(2276);
pub const ANYARRAY: Oid = Oid(2277);
pub const VOID: Oid = Oid(2278);
pub const TRIGGER: Oid = Oid(2279);
pub const LANGUAGE_HANDLER: Oid = Oid(2280);
pub const INTERNAL: Oid = Oid(2281);
pub const ANYELEMENT: Oid = Oid(2283);
pub const ANYNONARRAY: Oid = Oid(2776);
pub const UUID: Oid = Oid(2950);
pub const TXID_SNAPSHOT: Oid = Oid(2970);
pub const FDW_HANDLER: Oid = Oid(3115);
pub const PG_LSN: Oid = Oid(3220);
pub const TSM_HANDLER: Oid = Oid(3310);
pub const PG_NDISTINCT: Oid = Oid(3361);
pub const PG_DEPENDENCIES: Oid = Oid(3402);
pub const ANYENUM: Oid = Oid(3500);
pub const TSVECTOR: Oid = Oid(3614);
pub const TSQUERY: Oid = Oid(3615);
pub const GTSVECTOR: Oid = Oid(3642);
pub const REGCONFIG: Oid = Oid(3734);
pub const REGDICTIONARY: Oid = Oid(3769);
pub const JSONB: Oid = Oid(3802);
pub const ANYRANGE: Oid = Oid(3831);
pub const EVENT_TRIGGER: Oid = Oid(3838);
pub const INT4RANGE: Oid = Oid(3904);
pub const NUMRANGE: Oid = Oid(3906);
pub const TSRANGE: Oid = Oid(3908);
pub const TSTZRANGE: Oid = Oid(3910);
pub const DATERANGE: Oid = Oid(3912);
pub const INT8RANGE: Oid = Oid(3926);
pub const JSONPATH: Oid = Oid(4072);
pub const REGNAMESPACE: Oid = Oid(4089);
pub const REGROLE: Oid = Oid(4096);
pub const REGCOLLATION: Oid = Oid(4191);
pub const INT4MULTIRANGE: Oid = Oid(4451);
pub const NUMMULTIRANGE: Oid = Oid(4532);
pub const TSMULTIRANGE: Oid = Oid(4533);
pub const TSTZMULTIRANGE: Oid = Oid(4534);
pub const DATEMULTIRANGE: Oid = Oid(4535);
pub const INT8MULTIRANGE: Oid = Oid(4536);
pub const ANYMULTIRANGE: Oid = Oid(4537);
pub const ANYCOMPATIBLEMULTIRANGE: Oid = Oid(4538);
pub const PG_BRIN_BLOOM_SUMMARY: Oid = Oid(4600);
pub const PG_BRIN_MINMAX_MULTI_SUMMARY: Oid = Oid(4601);
pub const PG_MCV_LIST: Oid = Oid(5017);
pub const PG_SNAPSHOT: Oid = Oid(5038);
pub const XID8: Oid = Oid(5069);
pub const ANYCOMPATIBLE: Oid = Oid(5077);
pub const ANYCOMPATIBLEARRAY: Oid = Oid(5078);
pub const ANYCOMPATIBLENONARRAY: Oid = Oid(5079);
pub const ANYCOMPATIBLERANGE: Oid = Oid(5080);

/// Array types: (element, array).
const ARRAYS: &[(Oid, Oid)] = &[
    (XML, Oid(143)),
    (JSON, Oid(199)),
    (XID8, Oid(271)),
    (LINE, Oid(629)),
    (CIDR, Oid(651)),
    (CIRCLE, Oid(719)),
    (MACADDR8, Oid(775)),
    (MONEY, Oid(791)),
    (BOOL, Oid(1000)),
    (BYTEA, Oid(1001)),
    (CHAR, Oid(1002)),
    (NAME, Oid(1003)),
    (INT2, Oid(1005)),
    (INT2VECTOR, Oid(1006)),
    (INT4, Oid(1007)),
    (REGPROC, Oid(1008)),
    (TEXT, Oid(1009)),
    (TID, Oid(1010)),
    (XID, Oid(1011)),
    (CID, Oid(1012)),
    (OIDVECTOR, Oid(1013)),
    (BPCHAR, Oid(1014)),
    (VARCHAR, Oid(1015)),
    (INT8, Oid(1016)),
    (POINT, Oid(1017)),
    (LSEG, Oid(1018)),
    (PATH, Oid(1019)),
    (BOX, Oid(1020)),
    (FLOAT4, Oid(1021)),
    (FLOAT8, Oid(1022)),
    (POLYGON, Oid(1027)),
    (OID, Oid(1028)),
    (ACLITEM, Oid(1034)),
    (MACADDR, Oid(1040)),
    (INET, Oid(1041)),
    (TIMESTAMP, Oid(1115)),
    (DATE, Oid(1182)),
    (TIME, Oid(1183)),
    (TIMESTAMPTZ, Oid(1185)),
    (INTERVAL, Oid(1187)),
    (NUMERIC, Oid(1231)),
    (CSTRING, Oid(1263)),
    (TIMETZ, Oid(1270)),
    (BIT, Oid(1561)),
    (VARBIT, Oid(1563)),
    (REFCURSOR, Oid(2201)),
    (REGPROCEDURE, Oid(2207)),
    (REGOPER, Oid(2208)),
    (REGOPERATOR, Oid(2209)),
    (REGCLASS, Oid(2210)),
    (REGTYPE, Oid(2211)),
    (RECORD, Oid(2287)),
    (TXID_SNAPSHOT, Oid(2949)),
    (UUID, Oid(2951)),
    (PG_LSN, Oid(3221)),
    (TSVECTOR, Oid(3643)),
    (GTSVECTOR, Oid(3644)),
    (TSQUERY, Oid(3645)),
    (REGCONFIG, Oid(3735)),
    (REGDICTIONARY, Oid(3770)),
    (JSONB, Oid(3807)),
    (INT4RANGE, Oid(3905)),
    (NUMRANGE, Oid(3907)),
    (TSRANGE, Oid(3909)),
    (TSTZRANGE, Oid(3911)),
    (DATERANGE, Oid(3913)),
    (INT8RANGE, Oid(3927)),
    (JSONPATH, Oid(4073)),
    (REGNAMESPACE, Oid(4090)),
    (REGROLE, Oid(4097)),
    (REGCOLLATION, Oid(4192)),
    (PG_SNAPSHOT, Oid(5039)),
    (INT4MULTIRANGE, Oid(6150)),
    (NUMMULTIRANGE, Oid(6151)),
    (TSMULTIRANGE, Oid(6152)),
    (TSTZMULTIRANGE, Oid(6153)),
    (DATEMULTIRANGE, Oid(6155)),
    (INT8MULTIRANGE, Oid(6157)),
];

/// The element type of an array type.
pub fn array_element(array: Oid) -> Option<Oid> {
    ARRAYS.iter().find(|(_, a)| *a == array).map(|(e, _)| *e)
}

/// The array type over an element type.
pub fn array_of(element: Oid) -> Option<Oid> {
    ARRAYS.iter().find(|(e, _)| *e == element).map(|(_, a)| *a)
}

/// regclass, regtype and the other types whose value is another object's OID.
pub fn is_reg_type(oid: Oid) -> bool {
    matches!(
        oid,
        REGPROC
            | REGPROCEDURE
            | REGOPER
            | REGOPERATOR
            | REGCLASS
            | REGTYPE
            | REGCONFIG
            | REGDICTIONARY
            | REGNAMESPACE
            | REGROLE
            | REGCOLLATION
    )
}
