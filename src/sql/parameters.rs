//! The settings that exist: names, kinds, defaults, and how a value is read and shown.
//!
//! A setting that changes nothing in Sluice is here only where clients set or read it and where leaving it without
//! effect gives no other answer than PostgreSQL's.

use crate::types::{PgError, PgResult, SqlState};

/// Who may change a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Never: it describes the server or the session.
    Internal,
    /// By `SET`, for the session or the transaction.
    User,
}

/// What a setting's value looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Bool,
    /// With the unit of a bare number: "" (none), "ms", "kB".
    Integer {
        min: i64,
        max: i64,
        unit: &'static str,
    },
    Real {
        min: f64,
        max: f64,
    },
    /// Lower-case values; the second list holds spellings that are accepted too, with what they mean.
    Enum(&'static [&'static str], &'static [(&'static str, &'static str)]),
    Text,
    /// A list of identifiers (`search_path`).
    Names,
    DateStyle,
    TimeZone,
    Encoding,
}

/// One setting.
#[derive(Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub changed: Changed,
    /// Told to the client by ParameterStatus whenever it changes.
    pub reported: bool,
    pub category: &'static str,
    pub description: &'static str,
}

const BOOLEAN_WORDS: &[(&str, &str)] =
    &[("true", "on"), ("false", "off"), ("yes", "on"), ("no", "off"), ("1", "on"), ("0", "off")];

const LEVELS: &[&str] = &["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"];

const ISOLATION: Kind = Kind::Enum(&["serializable", "repeatable read", "read committed", "read uncommitted"], &[]);
const MILLISECONDS: Kind = Kind::Integer { min: 0, max: i32::MAX as i64, unit: "ms" };
const KILOBYTES: Kind = Kind::Integer { min: 64, max: i32::MAX as i64, unit: "kB" };
const ON_OFF: Kind = Kind::Bool;

const fn user(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    category: &'static str,
    description: &'static str,
) -> Parameter {
    Parameter { name, kind, default, changed: Changed::User, reported: false, category, description }
}

const fn internal(name: &'static str, kind: Kind, default: &'static str, description: &'static str) -> Parameter {
    let category = "Preset Options";
    Parameter { name, kind, default, changed: Changed::Internal, reported: false, category, description }
}

const fn reported(parameter: Parameter) -> Parameter {
    Parameter { reported: true, ..parameter }
}

const CLIENT: &str = "Client Connection Defaults";
const FORMAT: &str = "Client Connection Defaults / Locale and Formatting";
const RESOURCE: &str = "Resource Usage / Memory";
const COMPAT: &str = "Version and Platform Compatibility";
const PLANNER: &str = "Query Tuning / Planner";
const LOG: &str = "Reporting and Logging";

/// Sorted by name.
pub static PARAMETERS: &[Parameter] = &[
    reported(user("application_name", Kind::Text, "", LOG, "Name of the application, as the client gives it.")),
    user("array_nulls", ON_OFF, "on", COMPAT, "Reads NULL in array text as a null element."),
    user(
        "backslash_quote",
        Kind::Enum(&["safe_encoding", "on", "off"], BOOLEAN_WORDS),
        "safe_encoding",
        COMPAT,
        "Whether \\' is a quote in a string.",
    ),
    internal("block_size", Kind::Integer { min: 8192, max: 8192, unit: "" }, "8192", "Bytes in a disk block."),
    user("bytea_output", Kind::Enum(&["escape", "hex"], &[]), "hex", CLIENT, "How bytea is written as text."),
    user("check_function_bodies", ON_OFF, "on", CLIENT, "Whether function bodies are checked when they are created."),
    reported(user("client_encoding", Kind::Encoding, "UTF8", FORMAT, "Character encoding of the client.")),
    user(
        "client_min_messages",
        Kind::Enum(LEVELS, &[("debug", "debug2"), ("info", "info")]),
        "notice",
        CLIENT,
        "Least severe messages that are sent to the client.",
    ),
    reported(user("DateStyle", Kind::DateStyle, "ISO, MDY", FORMAT, "How dates and times are written and read.")),
    user("default_table_access_method", Kind::Text, "heap", CLIENT, "Access method of new tables."),
    user("default_tablespace", Kind::Text, "", CLIENT, "Tablespace of new tables."),
    user("default_text_search_config", Kind::Text, "pg_catalog.english", FORMAT, "Text search configuration."),
    user("default_transaction_deferrable", ON_OFF, "off", CLIENT, "Whether transactions are deferrable by default."),
    user(
        "default_transaction_isolation",
        ISOLATION,
        "repeatable read",
        CLIENT,
        "Isolation of new transactions; every transaction reads one tick.",
    ),
    reported(user(
        "default_transaction_read_only",
        ON_OFF,
        "off",
        CLIENT,
        "Whether transactions are read-only by default.",
    )),
    user(
        "effective_cache_size",
        Kind::Integer { min: 1, max: i32::MAX as i64, unit: "kB" },
        "4194304",
        PLANNER,
        "Accepted, without effect.",
    ),
    user("enable_bitmapscan", ON_OFF, "on", PLANNER, "Accepted, without effect."),
    user("enable_hashagg", ON_OFF, "on", PLANNER, "Accepted, without effect."),
    user("enable_hashjoin", ON_OFF, "on", PLANNER, "Accepted, without effect."),
    user("enable_indexscan", ON_OFF, "on", PLANNER, "Accepted, without effect."),
    user("enable_mergejoin", ON_OFF, "on", PLANNER, "Accepted, without effect."),
    user("enable_nestloop", ON_OFF, "on", PLANNER, "Accepted, without effect."),
    user("enable_seqscan", ON_OFF, "on", PLANNER, "Accepted, without effect."),
    user("enable_sort", ON_OFF, "on", PLANNER, "Accepted, without effect."),
    user("escape_string_warning", ON_OFF, "on", COMPAT, "Accepted, without effect."),
    user(
        "extra_float_digits",
        Kind::Integer { min: -15, max: 3, unit: "" },
        "1",
        FORMAT,
        "Digits of floating-point numbers as text.",
    ),
    user("geqo", ON_OFF, "on", PLANNER, "Accepted, without effect."),
    user(
        "idle_in_transaction_session_timeout",
        MILLISECONDS,
        "0",
        CLIENT,
        "Longest idle time within a transaction; 0 is no limit.",
    ),
    user("idle_session_timeout", MILLISECONDS, "0", CLIENT, "Longest idle time outside a transaction; 0 is no limit."),
    reported(internal("in_hot_standby", ON_OFF, "off", "Whether the server is a standby.")),
    reported(internal("integer_datetimes", ON_OFF, "on", "Whether times are integers in binary format.")),
    reported(user(
        "IntervalStyle",
        Kind::Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"], &[]),
        "postgres",
        FORMAT,
        "How intervals are written as text.",
    )),
    reported(internal("is_superuser", ON_OFF, "on", "Whether the current user is a superuser.")),
    user("jit", ON_OFF, "off", PLANNER, "Accepted, without effect."),
    internal("lc_collate", Kind::Text, "C", "Collation order."),
    internal("lc_ctype", Kind::Text, "C.UTF-8", "Character classes."),
    user("lc_messages", Kind::Text, "C", FORMAT, "Language of messages."),
    user("lc_monetary", Kind::Text, "C", FORMAT, "Format of money."),
    user("lc_numeric", Kind::Text, "C", FORMAT, "Format of numbers in to_char."),
    user("lc_time", Kind::Text, "C", FORMAT, "Names of days and months."),
    user(
        "lock_timeout",
        MILLISECONDS,
        "0",
        CLIENT,
        "Longest wait for an advisory lock; there are no others to wait for.",
    ),
    user(
        "maintenance_work_mem",
        Kind::Integer { min: 1024, max: i32::MAX as i64, unit: "kB" },
        "65536",
        RESOURCE,
        "Accepted, without effect.",
    ),
    internal("max_connections", Kind::Integer { min: 1, max: 262143, unit: "" }, "100", "Most connections at once."),
    internal("max_identifier_length", Kind::Integer { min: 63, max: 63, unit: "" }, "63", "Bytes in a name."),
    internal("max_index_keys", Kind::Integer { min: 32, max: 32, unit: "" }, "32", "Columns of an index."),
    user(
        "max_parallel_workers_per_gather",
        Kind::Integer { min: 0, max: 1024, unit: "" },
        "2",
        PLANNER,
        "Accepted, without effect.",
    ),
    user("quote_all_identifiers", ON_OFF, "off", COMPAT, "Accepted, without effect."),
    user("random_page_cost", Kind::Real { min: 0.0, max: f64::MAX }, "4", PLANNER, "Accepted, without effect."),
    internal("role", Kind::Text, "none", "Role that the session acts as; see SET ROLE."),
    user("row_security", ON_OFF, "on", CLIENT, "Accepted, without effect."),
    user(
        "search_path",
        Kind::Names,
        "\"$user\", public",
        CLIENT,
        "Schemas in which names without a schema are looked up.",
    ),
    internal("server_encoding", Kind::Encoding, "UTF8", "Character encoding of the server."),
    internal("server_version", Kind::Text, super::SERVER_VERSION, "Version of PostgreSQL whose behaviour is given."),
    internal(
        "server_version_num",
        Kind::Integer { min: 150018, max: 150018, unit: "" },
        super::SERVER_VERSION_NUM,
        "The same as a number.",
    ),
    reported(internal("session_authorization", Kind::Text, "", "User of the session.")),
    user(
        "session_replication_role",
        Kind::Enum(&["origin", "replica", "local"], &[]),
        "origin",
        CLIENT,
        "Accepted, without effect.",
    ),
    user(
        "sluice.as_of",
        Kind::Text,
        "",
        CLIENT,
        "Tick or time of the lake's history that is read; empty reads the present.",
    ),
    reported(user(
        "standard_conforming_strings",
        ON_OFF,
        "on",
        COMPAT,
        "Takes backslashes in '...' literally; only on is supported.",
    )),
    user("statement_timeout", MILLISECONDS, "0", CLIENT, "Longest run of a statement; 0 is no limit."),
    user("synchronize_seqscans", ON_OFF, "on", COMPAT, "Accepted, without effect."),
    user(
        "synchronous_commit",
        Kind::Enum(&["local", "remote_write", "remote_apply", "on", "off"], BOOLEAN_WORDS),
        "on",
        CLIENT,
        "Accepted; a commit is always durable.",
    ),
    user(
        "tcp_keepalives_idle",
        Kind::Integer { min: 0, max: i32::MAX as i64, unit: "" },
        "0",
        CLIENT,
        "Accepted, without effect.",
    ),
    user("temp_buffers", KILOBYTES, "8192", RESOURCE, "Accepted, without effect."),
    reported(user("TimeZone", Kind::TimeZone, "Etc/UTC", FORMAT, "Time zone of timestamps with time zone as text.")),
    user("timezone_abbreviations", Kind::Text, "Default", FORMAT, "Time zone abbreviations that are understood."),
    user("transaction_deferrable", ON_OFF, "off", CLIENT, "Whether the transaction is deferrable."),
    user(
        "transaction_isolation",
        ISOLATION,
        "repeatable read",
        CLIENT,
        "Isolation of the transaction; it reads one tick.",
    ),
    user("transaction_read_only", ON_OFF, "off", CLIENT, "Whether the transaction is read-only."),
    user("work_mem", KILOBYTES, "4096", RESOURCE, "Accepted; the memory limit is the server's."),
    user("xmlbinary", Kind::Enum(&["base64", "hex"], &[]), "base64", CLIENT, "How binary values are written in XML."),
    user(
        "xmloption",
        Kind::Enum(&["content", "document"], &[]),
        "content",
        CLIENT,
        "Whether XML is read as a document.",
    ),
];

/// By name, whatever its case.
pub fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|p| p.name.eq_ignore_ascii_case(name))
}

pub fn unrecognized(name: &str) -> PgError {
    let message = format!("unrecognized configuration parameter \"{name}\"");
    PgError::new(SqlState::UNDEFINED_OBJECT, message)
}

impl Parameter {
    fn invalid(&self, value: &str) -> PgError {
        let message = format!("invalid value for parameter \"{}\": \"{value}\"", self.name);
        PgError::new(SqlState::INVALID_PARAMETER, message)
    }

    /// The value as it is kept and shown: read, checked and brought to its normal form.
    pub fn normalize(&self, value: &str) -> PgResult<String> {
        let normal = match self.kind {
            Kind::Bool => match boolean(value) {
                Some(true) => "on".into(),
                Some(false) => "off".into(),
                None => {
                    let message = format!("parameter \"{}\" requires a Boolean value", self.name);
                    return Err(PgError::new(SqlState::INVALID_PARAMETER, message));
                }
            },
            Kind::Integer { min, max, unit } => {
                let number = integer(value, unit).ok_or_else(|| self.invalid(value))?;
                if !(min..=max).contains(&number) {
                    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
                    let message = format!(
                        "{number}{unit} is outside the valid range for parameter \"{}\" ({min}{unit} .. {max}{unit})",
                        self.name
                    );
                    return Err(PgError::new(SqlState::INVALID_PARAMETER, message));
                }
                number.to_string()
            }
            Kind::Real { min, max } => {
                let number: f64 = value.trim().parse().map_err(|_| self.invalid(value))?;
                if !(min..=max).contains(&number) {
                    return Err(self.invalid(value));
                }
                number.to_string()
            }
            Kind::Enum(values, others) => {
                let lower = value.to_ascii_lowercase();
                let other = || others.iter().find(|(from, _)| *from == lower).map(|(_, to)| *to);
                let found = values.iter().find(|v| **v == lower).copied().or_else(other);
                let hint = || format!("Available values: {}.", values.join(", "));
                found.ok_or_else(|| self.invalid(value).hint(hint()))?.into()
            }
            Kind::Text | Kind::Names => value.into(),
            Kind::DateStyle => date_style(value).ok_or_else(|| self.invalid(value))?,
            Kind::TimeZone => super::settings::time_zone(value).ok_or_else(|| self.invalid(value))?,
            Kind::Encoding => encoding(value).ok_or_else(|| {
                self.invalid(value).detail("Only UTF8 is supported, and SQL_ASCII, which converts nothing.")
            })?,
        };
        // Accepting what is not done would be another value than PostgreSQL's.
        let done = match self.kind {
            Kind::DateStyle => normal.starts_with("ISO"),
            _ if self.name == "IntervalStyle" => {
                matches!(normal.as_str(), "postgres" | "postgres_verbose" | "iso_8601")
            }
            _ => true,
        };
        if !done {
            return Err(PgError::unsupported(format!("{} = {normal}", self.name)));
        }
        // A string could not be understood with both meanings of the backslash.
        if self.name == "standard_conforming_strings" && normal == "off" {
            return Err(PgError::unsupported("standard_conforming_strings = off"));
        }
        Ok(normal)
    }

    /// The value as SHOW gives it: integers in the largest unit that is whole.
    pub fn show(&self, value: &str) -> String {
        let Kind::Integer { unit, .. } = self.kind else { return value.to_owned() };
        let number: i64 = value.parse().unwrap_or(0);
        let units = units(unit);
        let whole = |(_, size): &&(&str, i64)| number != 0 && number % size == 0;
        match units.iter().rev().find(whole) {
            Some((unit, size)) => format!("{}{unit}", number / size),
            None => value.to_owned(),
        }
    }

    /// `pg_settings.vartype`.
    pub fn vartype(&self) -> &'static str {
        match self.kind {
            Kind::Bool => "bool",
            Kind::Integer { .. } => "integer",
            Kind::Real { .. } => "real",
            Kind::Enum(..) => "enum",
            _ => "string",
        }
    }
}

/// Units above the one of a bare number, ascending, with their sizes in it.
fn units(base: &str) -> &'static [(&'static str, i64)] {
    match base {
        "ms" => &[("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)],
        "kB" => &[("kB", 1), ("MB", 1 << 10), ("GB", 1 << 20), ("TB", 1 << 30)],
        _ => &[],
    }
}

fn integer(value: &str, unit: &'static str) -> Option<i64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.')).unwrap_or(value.len());
    let (number, suffix) = (&value[..digits], value[digits..].trim());
    let size = match suffix {
        "" => 1,
        _ => units(unit).iter().find(|(name, _)| *name == suffix).map(|(_, size)| *size)?,
    };
    match number.parse::<i64>() {
        Ok(number) => number.checked_mul(size),
        // `0.5s`: fractions round to the base unit.
        Err(_) => {
            let number = (number.parse::<f64>().ok()? * size as f64).round();
            (number.abs() < 9e15).then_some(number as i64)
        }
    }
}

/// PostgreSQL's words for true and false, with their unique prefixes.
pub fn boolean(value: &str) -> Option<bool> {
    let value = value.trim().to_ascii_lowercase();
    let prefix = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    match () {
        () if prefix("true", 1) || prefix("yes", 1) || prefix("on", 2) || value == "1" => Some(true),
        () if prefix("false", 1) || prefix("no", 1) || prefix("off", 2) || value == "0" => Some(false),
        () => None,
    }
}

/// `ISO, MDY` and its parts, in any order.
fn date_style(value: &str) -> Option<String> {
    let (mut style, mut order) = (None, None);
    for word in value.split(',').map(|w| w.trim().to_ascii_lowercase()) {
        match word.as_str() {
            "iso" => style = Some("ISO"),
            "sql" => style = Some("SQL"),
            "postgres" => style = Some("Postgres"),
            "german" => {
                style = Some("German");
                order = order.or(Some("DMY"));
            }
            "mdy" | "us" | "noneuro" | "noneuropean" => order = Some("MDY"),
            "dmy" | "euro" | "european" => order = Some("DMY"),
            "ymd" => order = Some("YMD"),
            "default" => (style, order) = (Some("ISO"), Some("MDY")),
            _ => return None,
        }
    }
    Some(format!("{}, {}", style.unwrap_or("ISO"), order.unwrap_or("MDY")))
}

fn encoding(value: &str) -> Option<String> {
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.to_ascii_lowercase().as_str() {
        "utf8" | "unicode" => Some("UTF8".into()),
        "sqlascii" => Some("SQL_ASCII".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_valid_value_in_its_normal_form() {
        for p in PARAMETERS {
            assert_eq!(p.normalize(p.default).as_deref(), Ok(p.default), "{}", p.name);
        }
    }

    #[test]
    fn the_settings_are_sorted_by_name() {
        let names: Vec<String> = PARAMETERS.iter().map(|p| p.name.to_ascii_lowercase()).collect();
        assert!(names.is_sorted(), "{names:?}");
    }

    #[test]
    fn durations_are_read_with_units_and_shown_in_the_largest() {
        let timeout = find("STATEMENT_timeout").unwrap();
        for (given, kept, shown) in
            [("5s", "5000", "5s"), ("90000", "90000", "90s"), ("2min", "120000", "2min"), ("0", "0", "0")]
        {
            assert_eq!(timeout.normalize(given).unwrap(), kept);
            assert_eq!(timeout.show(kept), shown);
        }
        assert_eq!(timeout.normalize("-1").unwrap_err().state, SqlState::INVALID_PARAMETER);
        assert_eq!(timeout.normalize("5 parsecs").unwrap_err().state, SqlState::INVALID_PARAMETER);
    }

    #[test]
    fn date_styles_come_to_one_form() {
        for (given, kept) in
            [("iso", "ISO, MDY"), ("ISO,DMY", "ISO, DMY"), ("german", "German, DMY"), ("ymd", "ISO, YMD")]
        {
            assert_eq!(date_style(given).as_deref(), Some(kept));
        }
        assert_eq!(date_style("lunar"), None);
    }
}
