//! What a deployment says about its tables, and the way from a topic to its tables.
//!
//! A deployment folder under `catalog/` holds TOML files of this shape:
//!
//! ```toml
//! [[table]]
//! name = "tickets"                       # bronze.tickets and silver.tickets
//! description = "Support tickets of both databases."
//! topics = ['^shori\d\.ShoriDB_\d\.dbo\.tickets$']   # `^` begins a regular expression; anything else is a name
//! key = ["id"]                           # where messages have no key; else the key is the message's
//! source_db_in_key = true                # equal keys of two source databases are two rows
//! soft_delete = false                    # a delete sets `_deleted` and leaves the row
//! append_only = false                    # no key: every change is one more row
//! strict_columns = false                 # an event with a column that is not below is a dead letter
//! columns = [                            # name, PostgreSQL type, and perhaps `not null`
//!     "id integer not null",
//!     "title text",
//!     "created_at timestamp(3)",
//! ]
//! ```
//!
//! Types matter where messages carry no schema block. The first rule that matches a topic wins.

use crate::change::{DeadLetter, Delivery, Schemas, StreamId};
use crate::debezium::{Decoder, Record, Route, StreamKind, guess_kind};
use crate::types::range::RangeType;
use crate::types::{Column, PgType, codec, oid};
use parking_lot::Mutex;
use regex::Regex;
use serde::Deserialize;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A TOML file of table declarations.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFile {
    #[serde(default)]
    pub table: Vec<TableDeclaration>,
}

impl TableFile {
    /// Reads the text of a file; the error names line and key.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

/// A `[[table]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDeclaration {
    /// Without a schema. Default where a declaration matches many topics: each topic's last part, in lower case.
    pub name: Option<String>,
    pub description: Option<String>,
    #[serde(default)]
    pub topics: Vec<TopicPattern>,
    #[serde(default)]
    pub key: Vec<String>,
    #[serde(default)]
    pub columns: Vec<ColumnDeclaration>,
    #[serde(default)]
    pub source_db_in_key: bool,
    #[serde(default)]
    pub soft_delete: bool,
    #[serde(default)]
    pub append_only: bool,
    #[serde(default)]
    pub strict_columns: bool,
}

/// The name of a topic, or with a leading `^` a regular expression that it must match.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub enum TopicPattern {
    Name(String),
    Pattern(Regex),
}

impl TryFrom<String> for TopicPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.starts_with('^') {
            false => Ok(Self::Name(text)),
            true => Regex::new(&text).map(Self::Pattern).map_err(|e| format!("topic pattern \"{text}\": {e}")),
        }
    }
}

impl TopicPattern {
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Self::Name(name) => name == topic,
            Self::Pattern(pattern) => pattern.is_match(topic),
        }
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Pattern(pattern) => f.write_str(pattern.as_str()),
        }
    }
}

/// `"price numeric(12,2) not null"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct ColumnDeclaration(pub Column);

impl TryFrom<String> for ColumnDeclaration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let said = text.trim();
        let Some((name, rest)) = said.split_once(char::is_whitespace) else {
            return Err(format!("column \"{said}\" has no type; write \"name type\" or \"name type not null\""));
        };
        let rest = rest.trim();
        let lower = rest.to_ascii_lowercase();
        let (type_name, nullable) = match lower.strip_suffix("not null") {
            Some(before) => (rest[..before.len()].trim(), false),
            None => (rest, true),
        };
        let ty = declared_type(type_name).ok_or_else(|| {
            format!(
                "column \"{name}\": type \"{type_name}\" does not exist; write a PostgreSQL type, as numeric(12,2) or \
                 timestamp(3)"
            )
        })?;
        Ok(Self(Column::new(name, ty, nullable)))
    }
}

/// A type as SQL spells it, with modifiers: `numeric(12,2)`, `timestamp(3) with time zone`, `varchar(40)[]`.
fn declared_type(text: &str) -> Option<PgType> {
    let Some((before, rest)) = text.split_once('(') else {
        // Changes do not bring these as their text.
        let brought = |ty: &PgType| ty.oid != oid::MONEY && RangeType::of(ty.oid).is_none();
        return codec::type_from_sql_name(text).filter(brought);
    };
    let (modifiers, after) = rest.split_once(')')?;
    let ty = codec::type_from_sql_name(&format!("{}{after}", before.trim_end()))?;
    let modifiers: Vec<i32> = modifiers.split(',').map(|m| m.trim().parse().ok()).collect::<Option<_>>()?;
    // As PostgreSQL's typmodin functions do.
    let typmod = match (oid::array_element(ty.oid).unwrap_or(ty.oid), modifiers.as_slice()) {
        (oid::NUMERIC, &[precision @ 1..=1000]) => (precision << 16) + 4,
        (oid::NUMERIC, &[precision @ 1..=1000, scale @ -1000..=1000]) => ((precision << 16) | (scale & 0x7ff)) + 4,
        (oid::VARCHAR | oid::BPCHAR, &[length @ 1..=10_485_760]) => length + 4,
        (oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::TIME | oid::TIMETZ, &[precision @ 0..=6]) => precision,
        (oid::BIT | oid::VARBIT, &[length @ 1..=83_886_080]) => length,
        _ => return None,
    };
    Some(PgType { typmod, ..ty })
}

impl TableDeclaration {
    pub fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(|c| c.0.clone()).collect()
    }

    /// What a reader of the file would call wrong.
    fn check(&self) -> Result<(), String> {
        let name = self.name.as_deref().unwrap_or("(unnamed)");
        if self.topics.is_empty() {
            return Err(format!("table \"{name}\" has no topics"));
        }
        for key in &self.key {
            if !self.columns.is_empty() && !self.columns.iter().any(|c| c.0.name == *key) {
                return Err(format!("table \"{name}\": key column \"{key}\" is not among its columns"));
            }
        }
        for (i, column) in self.columns.iter().enumerate() {
            if self.columns[..i].iter().any(|c| c.0.name == column.0.name) {
                return Err(format!("table \"{name}\": column \"{}\" is declared twice", column.0.name));
            }
        }
        if self.append_only && self.soft_delete {
            return Err(format!("table \"{name}\" cannot be both append_only and soft_delete"));
        }
        Ok(())
    }
}

/// What happens to topics that no declaration matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undeclared {
    /// They get tables of their own, named after the topic's last part.
    #[default]
    Auto,
    /// Their records are kept in bronze and named in `sluice.dead_letters`.
    DeadLetter,
}

/// Whose the tables of a deployment are: shared by all of its sources, so that no table mixes the rows of topics that nobody
/// brought together.
#[derive(Debug, Default)]
pub struct TableOwners(Mutex<HashMap<Arc<str>, Owner>>);

/// What a table is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    /// A `[[table]]` names it.
    Declaration,
    /// It has the default name of one topic.
    Topic { source: Arc<str>, topic: Arc<str> },
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declaration => f.write_str("what a [[table]] of that name says"),
            Self::Topic { source, topic } => write!(f, "topic \"{topic}\" of source \"{source}\""),
        }
    }
}

impl TableOwners {
    /// The topic gets the table that has its default name, unless that is another's.
    fn claim(&self, table: &Arc<str>, source: &Arc<str>, topic: &str) -> Result<(), String> {
        let mut owners = self.0.lock();
        let asking = Owner::Topic { source: Arc::clone(source), topic: topic.into() };
        let owner = owners.entry(Arc::clone(table)).or_insert_with(|| asking.clone());
        if *owner == asking {
            return Ok(());
        }
        Err(format!("table \"{table}\" already takes {owner}; declare a [[table]] for topic \"{topic}\""))
    }
}

/// The way from the streams of one source to their tables.
pub struct Router {
    source: Arc<str>,
    tables: Vec<TableDeclaration>,
    undeclared: Undeclared,
    owners: Arc<TableOwners>,
}

impl Router {
    pub fn new(source: Arc<str>, tables: Vec<TableDeclaration>, undeclared: Undeclared) -> Result<Self, String> {
        tables.iter().try_for_each(TableDeclaration::check)?;
        let mut router = Self { source, tables, undeclared, owners: Arc::default() };
        router.share(&Arc::default());
        Ok(router)
    }

    /// Tables are claimed here from now on. What a `[[table]]` names is claimed at once; its author may name it in several sources.
    pub fn share(&mut self, owners: &Arc<TableOwners>) {
        self.owners = Arc::clone(owners);
        let mut taken = owners.0.lock();
        for name in self.tables.iter().filter_map(|table| table.name.as_ref()) {
            taken.insert(format!("silver.{name}").into(), Owner::Declaration);
        }
    }

    /// Topics that were read before a restart keep their tables, whoever asks first now.
    pub fn claim_read<'a>(&self, topics: impl Iterator<Item = &'a str>) {
        let all: Vec<String> = topics.map(String::from).collect();
        for topic in &all {
            // One that is refused here is refused again, with the reason, when its turn comes.
            drop(self.route(topic, 0, connector_prefix(topic, &all)));
        }
    }

    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The stream of a topic's partition.
    pub fn stream_id(&self, topic: &str, partition: i32) -> StreamId {
        StreamId(format!("{}/{topic}/{partition}", self.source).into())
    }

    /// Where the records of a stream go. `Err`: the stream must not be read, and why.
    ///
    /// `prefix`: the connector's `topic.prefix` where it is known ([`connector_prefix`]); it tells Debezium's own topics
    /// from tables.
    pub fn route(&self, topic: &str, partition: i32, prefix: Option<&str>) -> Result<Routed, String> {
        self.route_stream(topic, partition, prefix, self.stream_id(topic, partition))
    }

    /// As [`Self::route`], where the stream is not a partition of the topic.
    pub fn route_stream(
        &self,
        topic: &str,
        partition: i32,
        prefix: Option<&str>,
        stream: StreamId,
    ) -> Result<Routed, String> {
        let declared = self.tables.iter().find(|t| t.topics.iter().any(|p| p.matches(topic)));
        let kind = if declared.is_some() { StreamKind::Table } else { guess_kind(topic, prefix) };
        let undeclared = declared.is_none() && kind == StreamKind::Table && self.undeclared == Undeclared::DeadLetter;
        let named = declared.and_then(|t| t.name.clone());
        let is_named = named.is_some();
        let table = named.unwrap_or_else(|| default_table_name(topic));
        let (bronze, silver): (Arc<str>, Arc<str>) =
            (format!("bronze.{table}").into(), format!("silver.{table}").into());
        if !is_named && kind == StreamKind::Table {
            self.owners.claim(&silver, &self.source, topic)?;
        }
        let keep = matches!(kind, StreamKind::Table | StreamKind::SchemaChanges);
        let route = Route {
            source: Arc::clone(&self.source),
            stream,
            topic: topic.into(),
            partition,
            bronze: keep.then_some(bronze),
            silver: (kind == StreamKind::Table && !undeclared).then_some(silver),
            source_db_in_key: declared.is_some_and(|t| t.source_db_in_key),
            soft_delete: declared.is_some_and(|t| t.soft_delete),
            append_only: declared.is_some_and(|t| t.append_only),
            declared: declared.map_or(vec![], TableDeclaration::columns),
            declared_key: declared.map_or(vec![], |t| t.key.clone()),
            strict_columns: declared.is_some_and(|t| t.strict_columns),
            kind,
        };
        Ok(Routed { route: Arc::new(route), undeclared })
    }

    pub fn tables(&self) -> &[TableDeclaration] {
        &self.tables
    }

    /// The same way, on which no table is claimed for good.
    pub fn again(&self) -> Self {
        let mut again = Self {
            source: Arc::clone(&self.source),
            tables: self.tables.clone(),
            undeclared: self.undeclared,
            owners: Arc::default(),
        };
        again.share(&Arc::default());
        again
    }
}

/// The ways of all sources of a deployment, for records that were read before and are read again out of bronze.
#[derive(Default)]
pub struct Routes(Vec<Router>);

impl Routes {
    pub fn new(routers: Vec<Router>) -> Self {
        Self(routers)
    }

    /// Where everything goes that nobody declares.
    pub fn undeclared() -> Self {
        let router = Router::new("bronze".into(), Vec::new(), Undeclared::Auto);
        Self(router.into_iter().collect())
    }

    /// A decoder of a topic's records for the changes of one silver table alone, as stream number `nth` of topic and
    /// partition; `None`: nobody brings them there.
    pub fn decoder(
        &self,
        topic: &str,
        partition: i32,
        nth: usize,
        silver: &str,
        schemas: &Arc<Schemas>,
    ) -> Option<StreamDecoder> {
        let routes = self.0.iter().filter_map(|router| router.route(topic, partition, None).ok());
        let mut routed = routes.into_iter().find(|routed| routed.route.silver.as_deref() == Some(silver))?;
        let stream = StreamId(format!("{}#{nth}", routed.route.stream).into());
        routed.route = Arc::new(Route { bronze: None, stream, ..Route::clone(&routed.route) });
        Some(routed.decoder(Arc::clone(schemas)))
    }
}

/// Where the records of a stream go.
#[derive(Debug, Clone)]
pub struct Routed {
    pub route: Arc<Route>,
    /// Nobody declared the topic, and the source is told not to guess: every record is a dead letter.
    undeclared: bool,
}

impl Routed {
    /// A decoder of the stream.
    pub fn decoder(&self, schemas: Arc<Schemas>) -> StreamDecoder {
        let dead_topic = self.undeclared.then(|| Arc::clone(&self.route.topic));
        StreamDecoder { decoder: Decoder::new(Arc::clone(&self.route), schemas), dead_topic }
    }
}

/// A [`Decoder`], and what a source adds to it.
pub struct StreamDecoder {
    decoder: Decoder,
    dead_topic: Option<Arc<str>>,
}

impl StreamDecoder {
    pub fn decode(&mut self, records: &[Record<'_>], ingested_at_us: i64) -> Delivery {
        let mut delivery = self.decoder.decode(records, ingested_at_us);
        if let Some(topic) = &self.dead_topic {
            let dead = records.iter().zip(0..).map(|(record, event)| DeadLetter {
                event,
                position: record.position,
                table: None,
                reason: "undeclared-topic",
                message: format!("no [[table]] is declared for topic \"{topic}\""),
            });
            delivery.dead = dead.collect();
        }
        delivery
    }
}

/// The connector's `topic.prefix`, as far as the other topics tell it: the topic itself where others begin with it (DDL
/// goes there), or what stands before `.transaction`.
pub fn connector_prefix<'a>(topic: &'a str, all: &[String]) -> Option<&'a str> {
    let begins_others =
        |prefix: &str| all.iter().any(|t| t != topic && t.strip_prefix(prefix).is_some_and(|r| r.starts_with('.')));
    [Some(topic), topic.strip_suffix(".transaction")].into_iter().flatten().find(|prefix| begins_others(prefix))
}

/// Within what commit LSNs can be compared: one source database. `shori1.ShoriDB_1.dbo.tickets` → `shori1.ShoriDB_1`,
/// `trades.public.stock_trades` → `trades`; a topic with fewer parts stands for itself.
///
/// A Kafka cluster may carry several databases, whose LSNs have nothing to do with each other: whoever waits until all
/// streams have passed an LSN must ask only those of one domain.
pub fn transaction_domain(topic: &str) -> &str {
    topic.rsplitn(3, '.').nth(2).unwrap_or(topic)
}

/// `shori1.ShoriDB_1.dbo.Tickets` → `tickets`: lower case, so that SQL needs no quotes; what an unquoted name cannot
/// hold becomes `_`.
pub fn default_table_name(topic: &str) -> String {
    let last = topic.rsplit('.').find(|part| !part.is_empty()).unwrap_or("unnamed");
    let mut name: String =
        last.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [[table]]
        name = "tickets"
        topics = ['^shori\d\.ShoriDB_\d\.dbo\.tickets$']
        source_db_in_key = true
        columns = ["id integer not null", "title text", "price numeric(12,2) NOT NULL"]

        [[table]]
        topics = ["shop.public.Orders"]
    "#;

    fn router(undeclared: Undeclared) -> Router {
        Router::new("s".into(), TableFile::parse(FILE).unwrap().table, undeclared).unwrap()
    }

    #[test]
    fn types_are_spelt_as_in_sql() {
        let is = |text: &str, oid, typmod| assert_eq!(declared_type(text), Some(PgType { oid, typmod }), "{text}");
        is("integer", oid::INT4, -1);
        is("numeric(12,2)", oid::NUMERIC, PgType::numeric(12, 2).typmod);
        is("numeric (12)", oid::NUMERIC, PgType::numeric(12, 0).typmod);
        is("timestamp(3)", oid::TIMESTAMP, 3);
        is("timestamp(3) with time zone", oid::TIMESTAMPTZ, 3);
        is("timestamp with time zone", oid::TIMESTAMPTZ, -1);
        is("character varying(40)", oid::VARCHAR, 44);
        is("varchar(40)[]", oid::array_of(oid::VARCHAR).unwrap(), 44);
        for wrong in ["timestamp(9)", "integer(4)", "numeric(a)", "numeric(12", "nothing"] {
            assert_eq!(declared_type(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_says_where_a_topic_goes() {
        let router = router(Undeclared::Auto);
        for database in 1..=2 {
            let topic = format!("shori{database}.ShoriDB_{database}.dbo.tickets");
            let route = router.route(&topic, 3, None).unwrap().route;
            assert_eq!(route.silver.as_deref(), Some("silver.tickets"));
            assert_eq!(&*route.stream.0, format!("s/{topic}/3"));
            assert!(route.source_db_in_key);
            let columns: Vec<(&str, bool)> = route.declared.iter().map(|c| (c.name.as_str(), c.nullable)).collect();
            assert_eq!(columns, [("id", false), ("title", true), ("price", false)]);
        }
        let route = router.route("shop.public.Orders", 0, None).unwrap().route;
        assert_eq!(route.silver.as_deref(), Some("silver.orders"));
    }

    #[test]
    fn a_table_that_nobody_named_takes_one_topic() {
        let router = router(Undeclared::Auto);
        let routed = router.route("a.db.items", 0, None).unwrap();
        assert_eq!(routed.route.silver.as_deref(), Some("silver.items"));
        assert!(router.route("a.db.items", 1, None).is_ok());
        let refused = router.route("b.db.items", 0, None).unwrap_err();
        assert!(refused.contains("a.db.items") && refused.contains("b.db.items"), "{refused}");
    }

    #[test]
    fn two_sources_do_not_share_a_table_that_nobody_declared() {
        let owners = Arc::default();
        let of = |source: &str, tables: &str| {
            let tables = TableFile::parse(tables).unwrap().table;
            let mut router = Router::new(source.into(), tables, Undeclared::Auto).unwrap();
            router.share(&owners);
            router
        };
        let declared = "[[table]]\nname = 'shared'\ntopics = ['p.shared']";
        let (one, two) = (of("one", declared), of("two", declared));
        two.claim_read(["b.items"].into_iter());
        let refused = one.route("a.items", 0, None).unwrap_err();
        assert!(refused.contains("topic \"b.items\" of source \"two\""), "{refused}");
        assert!(one.route("b.items", 0, None).is_err(), "the same topic of another cluster is another topic");
        assert!(two.route("b.items", 1, None).is_ok());
        assert!(one.route("p.shared", 0, None).is_ok() && two.route("p.shared", 0, None).is_ok());
        let refused = two.route("q.shared", 0, None).unwrap_err();
        assert!(refused.contains("[[table]]"), "{refused}");
    }

    #[test]
    fn records_of_undeclared_topics_are_kept_and_named_where_that_is_asked_for() {
        let routed = router(Undeclared::DeadLetter).route("a.db.items", 0, None).unwrap();
        assert_eq!((routed.route.silver.as_deref(), routed.route.bronze.as_deref()), (None, Some("bronze.items")));
        let value = Some(&b"{\"op\":\"c\",\"after\":{\"id\":1}}"[..]);
        let position = crate::change::Position(5);
        let record = Record { position, timestamp_ms: None, key: None, value, headers: &[] };
        let delivery = routed.decoder(Arc::new(Schemas::default())).decode(&[record], 0);
        let dead: Vec<_> = delivery.dead.iter().map(|d| (d.position.0, d.reason)).collect();
        assert_eq!(dead, [(5, "undeclared-topic")]);
    }

    #[test]
    fn debeziums_own_topics_are_no_tables() {
        let router = router(Undeclared::Auto);
        let all: Vec<String> = ["shop", "shop.public.t", "shop.transaction"].map(String::from).to_vec();
        let kind = |topic: &str| router.route(topic, 0, connector_prefix(topic, &all)).unwrap().route.kind;
        assert_eq!(kind("shop"), StreamKind::SchemaChanges);
        assert_eq!(kind("shop.transaction"), StreamKind::TransactionTopic);
        assert_eq!(kind("__debezium-heartbeat.shop"), StreamKind::Heartbeat);
        assert_eq!(kind("shop.public.t"), StreamKind::Table);
    }

    #[test]
    fn a_wrong_declaration_is_named() {
        let cases = [
            ("[[table]]\nname = 't'\ntopic = ['x']", "topic"),
            ("[[table]]\nname = 't'\ntopics = ['^(']", "^("),
            ("[[table]]\nname = 't'\ntopics = ['x']\ncolumns = ['id']", "no type"),
            ("[[table]]\nname = 't'\ntopics = ['x']\ncolumns = ['id no_such_type']", "no_such_type"),
        ];
        for (text, named) in cases {
            let error = TableFile::parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let cases = [
            ("[[table]]\nname = 't'", "no topics"),
            ("[[table]]\nname = 't'\ntopics = ['x']\nkey = ['b']\ncolumns = ['a text']", "\"b\""),
            ("[[table]]\nname = 't'\ntopics = ['x']\ncolumns = ['a text', 'a text']", "twice"),
        ];
        for (text, named) in cases {
            let tables = TableFile::parse(text).unwrap().table;
            let error = Router::new("s".into(), tables, Undeclared::Auto).err().unwrap();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn databases_of_one_cluster_have_transactions_of_their_own() {
        for (topic, domain) in [
            ("shori1.ShoriDB_1.dbo.tickets", "shori1.ShoriDB_1"),
            ("trades.public.stock_trades", "trades"),
            ("a.b", "a.b"),
        ] {
            assert_eq!(transaction_domain(topic), domain);
        }
    }

    #[test]
    fn default_names_need_no_quotes() {
        for (topic, name) in
            [("a.dbo.Tickets", "tickets"), ("a.b.my-table", "my_table"), ("x.2024", "_2024"), ("t", "t")]
        {
            assert_eq!(default_table_name(topic), name);
        }
    }
}
