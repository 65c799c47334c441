//! The settings of one session: values, `SET LOCAL`, and what a rollback takes back.
//!
//! Shared between the session and the functions of a running statement (`set_config`), behind a short lock.

use super::parameters::{self, Changed, PARAMETERS, Parameter};
use crate::types::codec::{ByteaOutput, TextSettings};
use crate::types::datetime::{DateOrder, Zone};
use crate::types::interval::IntervalStyle;
use crate::types::{PgError, PgResult, SqlState};
use std::collections::BTreeMap;
use std::time::Duration;

/// Values that differ from the defaults, by normal name.
type Values = BTreeMap<String, String>;

/// What ROLLBACK (TO SAVEPOINT) goes back to.
#[derive(Debug, Clone)]
pub struct Saved {
    session: Values,
    local: Values,
}

#[derive(Debug)]
pub struct Settings {
    /// As the connection began: what RESET goes back to.
    start: Values,
    session: Values,
    /// `SET LOCAL`: until the end of the transaction.
    local: Values,
    /// The reported settings as the client last heard of them.
    told: Vec<String>,
    /// Something was set since then.
    changed: bool,
    /// Grows with every change; what is derived from settings is cached by it.
    version: u64,
}

impl Settings {
    /// `start`: what the connection's startup packet asked for, in order.
    pub fn new(user: &str, start: &[(String, String)]) -> PgResult<Self> {
        let mut settings = Self {
            start: Values::new(),
            session: Values::new(),
            local: Values::new(),
            told: Vec::new(),
            changed: false,
            version: 0,
        };
        settings.session.insert("session_authorization".into(), user.into());
        for (name, value) in start {
            settings.set(name, value, false)?;
        }
        settings.start = settings.session.clone();
        Ok(settings)
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// The value in its normal form: numbers in their base unit.
    pub fn raw(&self, name: &str) -> Option<&str> {
        let (key, default) = match parameters::find(name) {
            Some(p) => (p.name, Some(p.default)),
            None => (name, None),
        };
        self.local.get(key).or_else(|| self.session.get(key)).map(String::as_str).or(default)
    }

    /// A built-in setting's value.
    fn known(&self, name: &str) -> &str {
        self.raw(name).unwrap_or_default()
    }

    /// The value as SHOW and `current_setting` give it.
    pub fn show(&self, name: &str) -> Option<String> {
        let raw = self.raw(name).or_else(|| self.raw(&name.to_ascii_lowercase()))?;
        Some(match parameters::find(name) {
            Some(p) => p.show(raw),
            None => raw.to_owned(),
        })
    }

    /// Sets and gives the value as it is shown afterwards.
    pub fn set(&mut self, name: &str, value: &str, local: bool) -> PgResult<String> {
        let (key, value) = match parameters::find(name) {
            Some(Parameter { changed: Changed::Internal, name, .. }) => {
                let message = format!("parameter \"{name}\" cannot be changed");
                return Err(PgError::new(SqlState::CANNOT_CHANGE_PARAMETER, message));
            }
            Some(p) => (p.name.to_owned(), p.normalize(value)?),
            None => (custom_name(name)?, value.to_owned()),
        };
        let key_of_show = key.clone();
        match local {
            true => self.local.insert(key, value),
            false => {
                self.local.remove(&key);
                self.session.insert(key, value)
            }
        };
        self.touch();
        Ok(self.show(&key_of_show).unwrap_or_default())
    }

    pub fn reset(&mut self, name: &str) -> PgResult<()> {
        let key = match parameters::find(name) {
            Some(Parameter { changed: Changed::Internal, name, .. }) => {
                let message = format!("parameter \"{name}\" cannot be changed");
                return Err(PgError::new(SqlState::CANNOT_CHANGE_PARAMETER, message));
            }
            Some(p) => p.name.to_owned(),
            None => custom_name(name)?,
        };
        self.local.remove(&key);
        match self.start.get(&key) {
            Some(value) => self.session.insert(key, value.clone()),
            None => self.session.remove(&key),
        };
        self.touch();
        Ok(())
    }

    pub fn reset_all(&mut self) {
        let kept = ["session_authorization", "role", "is_superuser"];
        let kept: Vec<(String, String)> = self
            .session
            .iter()
            .filter(|(n, _)| kept.contains(&n.as_str()))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        self.session = self.start.clone();
        self.session.extend(kept);
        self.local.clear();
        self.touch();
    }

    pub fn save(&self) -> Saved {
        Saved { session: self.session.clone(), local: self.local.clone() }
    }

    pub fn restore(&mut self, saved: Saved) {
        self.session = saved.session;
        self.local = saved.local;
        self.touch();
    }

    /// The transaction is over: `SET LOCAL` with it.
    pub fn end_transaction(&mut self) {
        if !self.local.is_empty() {
            self.local.clear();
            self.touch();
        }
    }

    /// Sets what SET cannot: `role` and `session_authorization`, which their statements have checked.
    pub fn set_identity(&mut self, name: &'static str, value: &str, local: bool) {
        let values = if local { &mut self.local } else { &mut self.session };
        values.insert(name.to_owned(), value.to_owned());
        if !local {
            self.local.remove(name);
        }
        self.touch();
    }

    /// The role that the connection begins with.
    pub fn become_role(&mut self, role: &str) {
        self.set_identity("role", role, false);
        self.start.insert("role".into(), role.into());
    }

    /// Back to who logged in.
    pub fn reset_identity(&mut self) {
        for name in ["session_authorization", "role"] {
            self.local.remove(name);
            match self.start.get(name) {
                Some(value) => self.session.insert(name.into(), value.clone()),
                None => self.session.remove(name),
            };
        }
        self.touch();
    }

    /// Whether the role is a superuser, which the client hears.
    pub fn tell_superuser(&mut self, superuser: bool) {
        let value = if superuser { "on" } else { "off" };
        if self.known("is_superuser") != value {
            self.session.insert("is_superuser".into(), value.into());
            self.touch();
        }
    }

    fn touch(&mut self) {
        self.changed = true;
        self.version += 1;
    }

    /// The reported settings whose values the client does not know yet; the first call gives all of them.
    pub fn take_changes(&mut self) -> Vec<(&'static str, String)> {
        let first = self.told.is_empty();
        if !first && !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        // server_version and its like never change, so they are told once, and not kept.
        let constant = ["server_version", "server_encoding"];
        let mut news: Vec<_> = match first {
            true => constant.iter().map(|name| (*name, self.known(name).to_owned())).collect(),
            false => Vec::new(),
        };
        let reported = PARAMETERS.iter().filter(|p| p.reported);
        let now: Vec<(&'static str, String)> = reported.map(|p| (p.name, self.known(p.name).to_owned())).collect();
        for (i, (name, value)) in now.iter().enumerate() {
            if self.told.get(i) != Some(value) {
                news.push((name, value.clone()));
            }
        }
        self.told = now.into_iter().map(|(_, value)| value).collect();
        news
    }

    /// Every built-in setting and the custom ones that were set: name, value, and what RESET sets it to. This is what
    /// `pg_settings` lists and SHOW ALL shows.
    pub fn all(&self) -> impl Iterator<Item = (&str, Option<&'static Parameter>, &str, &str)> {
        let built_in = PARAMETERS.iter().map(|p| {
            let reset = self.start.get(p.name).map_or(p.default, String::as_str);
            (p.name, Some(p), self.known(p.name), reset)
        });
        let custom = self.session.iter().filter(|(name, _)| parameters::find(name).is_none());
        let reset = |name: &String| self.start.get(name).map_or("", String::as_str);
        built_in.chain(custom.map(move |(name, value)| (name.as_str(), None, value.as_str(), reset(name))))
    }

    /// The schemas named by `search_path`, `$user` resolved. A user who is called like a system schema, as the usual user
    /// `sluice` is, has no schema of their own.
    pub fn search_path(&self) -> Vec<String> {
        let user = match self.known("role") {
            "none" => self.known("session_authorization"),
            role => role,
        };
        let own = !matches!(user, "sluice" | "information_schema") && !user.starts_with("pg_");
        let resolve = |name: String| match name.as_str() {
            "$user" => own.then(|| user.to_owned()),
            _ => Some(name),
        };
        names(self.known("search_path")).into_iter().filter_map(resolve).collect()
    }

    /// A duration in milliseconds; 0 is none.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.known(name).parse() {
            Ok(0) | Err(_) => None,
            Ok(milliseconds) => Some(Duration::from_millis(milliseconds)),
        }
    }

    pub fn is_on(&self, name: &str) -> bool {
        self.known(name) == "on"
    }
}

/// `sluice.x`, `myapp.y`: anyone's own setting; without a dot a name must be known.
fn custom_name(name: &str) -> PgResult<String> {
    let word = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
    };
    match name.contains('.') && name.split('.').all(word) {
        true => Ok(name.to_ascii_lowercase()),
        false => Err(parameters::unrecognized(name)),
    }
}

/// A list of identifiers as in `search_path`: quoted ones keep their case.
pub fn names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = list.trim();
    while !rest.is_empty() {
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut chars = quoted.char_indices().peekable();
            let mut end = quoted.len();
            while let Some((i, c)) = chars.next() {
                match c {
                    '"' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                        text.push('"');
                        chars.next();
                    }
                    '"' => {
                        end = i + 1;
                        break;
                    }
                    c => text.push(c),
                }
            }
            name = text;
            rest = &quoted[end..];
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            name = rest[..end].trim().to_lowercase();
            rest = &rest[end..];
        }
        if !name.is_empty() {
            names.push(name);
        }
        rest = rest.trim_start().trim_start_matches(',').trim_start();
    }
    names
}

/// One element of such a list as it is written.
pub fn quote_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match name.chars().all(plain) && name.starts_with(|c: char| !c.is_ascii_digit()) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// How values are written and read as text under these settings.
pub fn text_settings(settings: &Settings) -> TextSettings {
    let date_order = match settings.known("DateStyle").rsplit(' ').next() {
        Some("DMY") => DateOrder::Dmy,
        Some("YMD") => DateOrder::Ymd,
        _ => DateOrder::Mdy,
    };
    TextSettings {
        timezone: Zone::parse(settings.known("TimeZone")).unwrap_or(Zone::Utc),
        date_order,
        interval_style: match settings.known("IntervalStyle") {
            "iso_8601" => IntervalStyle::Iso8601,
            "postgres_verbose" => IntervalStyle::Verbose,
            _ => IntervalStyle::Postgres,
        },
        bytea_output: match settings.known("bytea_output") {
            "escape" => ByteaOutput::Escape,
            _ => ByteaOutput::Hex,
        },
        extra_float_digits: settings.known("extra_float_digits").parse().unwrap_or(1),
    }
}

/// A time zone in its normal spelling: a name of the IANA list, whatever its case, or a fixed offset.
pub fn time_zone(value: &str) -> Option<String> {
    let value = value.trim();
    let value = value.strip_prefix("INTERVAL '").and_then(|v| v.strip_suffix('\'')).unwrap_or(value);
    if matches!(value.to_ascii_lowercase().as_str(), "default" | "local") {
        return Some("Etc/UTC".into());
    }
    let known = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(value));
    match known {
        Some(zone) => Some(zone.name().to_owned()),
        None => Zone::parse(value).ok().map(|_| value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("me", &[("application_name".into(), "psql".into())]).unwrap()
    }

    #[test]
    fn a_value_set_locally_ends_with_the_transaction() {
        let mut s = settings();
        s.set("statement_timeout", "5s", true).unwrap();
        assert_eq!(s.show("statement_timeout").as_deref(), Some("5s"));
        s.end_transaction();
        assert_eq!(s.show("statement_timeout").as_deref(), Some("0"));
    }

    #[test]
    fn reset_goes_back_to_the_startup_packet() {
        let mut s = settings();
        s.set("application_name", "other", false).unwrap();
        s.reset("application_name").unwrap();
        assert_eq!(s.show("application_name").as_deref(), Some("psql"));
    }

    #[test]
    fn the_client_hears_all_once_and_then_only_news() {
        let mut s = settings();
        let first = s.take_changes();
        assert!(first.contains(&("server_version", "15.18".into())), "{first:?}");
        assert!(first.contains(&("session_authorization", "me".into())));
        s.set("datestyle", "iso, dmy", false).unwrap();
        s.set("statement_timeout", "1s", false).unwrap();
        assert_eq!(s.take_changes(), [("DateStyle", "ISO, DMY".into())]);
        assert_eq!(s.take_changes(), []);
    }

    #[test]
    fn unknown_settings_need_a_dot() {
        let mut s = settings();
        assert_eq!(s.set("nonsense", "1", false).unwrap_err().state, SqlState::UNDEFINED_OBJECT);
        s.set("sluice.batch", "1", false).unwrap();
        assert_eq!(s.show("Sluice.Batch").as_deref(), Some("1"));
        assert_eq!(s.set("server_version", "16", false).unwrap_err().state, SqlState::CANNOT_CHANGE_PARAMETER);
    }

    #[test]
    fn a_search_path_is_split_at_commas_outside_quotes() {
        assert_eq!(names(r#""$user", Public, "My, ""Schema""""#), ["$user", "public", "My, \"Schema\""]);
        assert_eq!(settings().search_path(), ["me", "public"]);
        assert_eq!(names(""), Vec::<String>::new());
        assert_eq!(Settings::new("sluice", &[]).unwrap().search_path(), ["public"]);
    }
}
