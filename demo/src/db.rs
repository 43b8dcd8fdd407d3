//! A service's embedded database: SQLite in a file, every query a client span.

use crate::fault::FaultState;
use crate::telemetry::in_span;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use rusqlite::{Connection, ErrorCode, Params, Row};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often opening is tried again while another process opens the same file.
const OPEN_TRIES: usize = 50;

/// One database file, shared by a service's handlers.
#[derive(Clone)]
pub(crate) struct Database {
    name: &'static str,
    connection: Arc<Mutex<Connection>>,
    faults: FaultState,
}

fn prepare(path: &Path, schema: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.execute_batch(schema)?;
    Ok(connection)
}

impl Database {
    /// Opens `DIR/NAME.db` and runs `schema`, which must be safe to run again.
    pub(crate) fn open(
        dir: &Path,
        name: &'static str,
        schema: &str,
        faults: FaultState,
    ) -> rusqlite::Result<Self> {
        let path = dir.join(format!("{name}.db"));
        let mut opened = prepare(&path, schema);
        // Two services open the queue at once, and switching to WAL does not wait for the other's lock.
        for _ in 0..OPEN_TRIES {
            match &opened {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    std::thread::sleep(Duration::from_millis(20));
                    opened = prepare(&path, schema);
                }
                _ => break,
            }
        }
        Ok(Self { name, connection: Arc::new(Mutex::new(opened?)), faults })
    }

    /// Runs a query and maps its rows.
    pub(crate) async fn query<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        in_span(self.span_name(sql), SpanKind::Client, self.attributes(sql), async |_| {
            self.wait().await;
            let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params, map)?;
            rows.collect()
        })
        .await
    }

    /// Runs a statement and returns how many rows it changed.
    pub(crate) async fn execute(&self, sql: &'static str, params: impl Params) -> rusqlite::Result<usize> {
        in_span(self.span_name(sql), SpanKind::Client, self.attributes(sql), async |_| {
            self.wait().await;
            let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            connection.prepare_cached(sql)?.execute(params)
        })
        .await
    }

    async fn wait(&self) {
        let slow = self.faults.now().slow_database_ms;
        if slow > 0 {
            tokio::time::sleep(Duration::from_millis(slow)).await;
        }
    }

    fn span_name(&self, sql: &str) -> String {
        let verb = sql.split_whitespace().next().unwrap_or("SQL");
        format!("{verb} {}", self.name)
    }

    fn attributes(&self, sql: &'static str) -> Vec<KeyValue> {
        vec![
            KeyValue::new("db.system.name", "sqlite"),
            KeyValue::new("db.namespace", format!("{}-db", self.name)),
            KeyValue::new("db.query.text", sql),
        ]
    }
}
