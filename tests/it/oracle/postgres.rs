//! PostgreSQL as a second judge: the same tables, changes and views in a server that the environment names.
//!
//! Its views are plain ones, so that reading one runs its query.

use super::compare::difference;
use super::grammar::View;
use super::rig::{Rig, Row};
use super::tables::Table;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// `host=… port=… user=… dbname=…` of a server where the schemas `silver` and `gold` may be dropped and made.
const VARIABLE: &str = "SLUICE_ORACLE_POSTGRES";

pub struct Postgres {
    client: Client,
}

impl Postgres {
    /// The server with the tables, where one is named.
    pub async fn named(tables: &[Table]) -> Option<Self> {
        let (client, connection) = tokio_postgres::connect(&std::env::var(VARIABLE).ok()?, NoTls)
            .await
            .unwrap_or_else(|error| panic!("{VARIABLE} names no server: {error}"));
        tokio::spawn(connection);
        let mut sql =
            "DROP SCHEMA IF EXISTS silver, bronze, managed, gold CASCADE; CREATE SCHEMA silver; CREATE SCHEMA bronze; \
             CREATE SCHEMA managed; CREATE SCHEMA gold;"
                .to_string();
        sql.extend(tables.iter().map(Table::create));
        client.batch_execute(&sql).await.expect("PostgreSQL makes the oracle's tables");
        Some(Self { client })
    }

    /// Runs statements; `Err` says why not.
    pub async fn run(&self, sql: &str) -> Result<(), String> {
        let done = self.client.batch_execute(sql).await;
        done.map_err(|error| format!("PostgreSQL: {}\n  {sql}", said(&error)))
    }

    /// Makes a view that Sluice has. `Err` where PostgreSQL does not know such a query.
    pub async fn create(&self, view: &View) -> Result<(), String> {
        let done = self.client.batch_execute(&format!("CREATE VIEW {} AS {}", view.qualified(), view.sql)).await;
        done.map_err(|error| format!("PostgreSQL refuses what Sluice takes: {}\n  {}", view.create(), said(&error)))
    }

    async fn ask(&self, sql: &str) -> Result<Vec<Row>, String> {
        let messages = self.client.simple_query(sql).await.map_err(|error| said(&error))?;
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_string)).collect()),
            _ => None,
        };
        Ok(messages.into_iter().filter_map(row).collect())
    }

    /// Whether Sluice's view shows what PostgreSQL's does.
    pub async fn compare(&self, rig: &mut Rig, view: &View) -> Result<(), String> {
        let sql = format!("SELECT * FROM {}", view.qualified());
        match (rig.run(&sql).await, self.ask(&sql).await) {
            (Ok(ours), Ok(theirs)) => match difference(ours, theirs, view.loose) {
                Some(difference) => Err(format!("{} is not PostgreSQL's (+):\n{difference}", view.qualified())),
                None => Ok(()),
            },
            (Err(_), Err(_)) => Ok(()),
            (Ok(_), Err(error)) => Err(format!("{} works, and in PostgreSQL: {error}", view.qualified())),
            (Err(error), Ok(_)) => {
                let error = super::compare::shown(&error);
                Err(format!("{} fails, and in PostgreSQL it works: {error}", view.qualified()))
            }
        }
    }
}

fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("SQLSTATE {}: {}", error.code().code(), error.message()),
        None => error.to_string(),
    }
}
