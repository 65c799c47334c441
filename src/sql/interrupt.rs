//! Stopping what runs: CancelRequest, `statement_timeout`, shutdown.
//!
//! Each statement is an [`Operation`]: a token and a deadline. Whoever awaits something on its behalf does so through
//! [`Operation::guard`], which gives up at once when either fires; dropping the guarded future is what stops the work.

use crate::types::{PgError, PgResult, SqlState};
use parking_lot::Mutex;
use std::future::Future;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Reaches the statement that a session runs, from another connection.
#[derive(Debug, Clone, Default)]
pub struct CancelHandle {
    running: Arc<Mutex<Running>>,
}

#[derive(Debug, Default)]
struct Running {
    /// The newest statement's; one that was not cancelled serves the next statement, too.
    token: Arc<CancellationToken>,
    runs: bool,
}

impl CancelHandle {
    /// Stops the running statement; without one nothing happens, and the next one is not touched.
    pub fn cancel(&self) {
        let running = self.running.lock();
        if running.runs {
            running.token.cancel();
        }
    }

    pub(super) fn begin(&self, deadline: Option<Instant>) -> Operation {
        let mut running = self.running.lock();
        if running.token.is_cancelled() {
            running.token = Arc::default();
        }
        running.runs = true;
        Operation { token: Arc::clone(&running.token), deadline }
    }

    pub(super) fn end(&self) {
        self.running.lock().runs = false;
    }
}

/// One statement's right to run.
#[derive(Debug, Clone)]
pub struct Operation {
    pub token: Arc<CancellationToken>,
    pub deadline: Option<Instant>,
}

impl Operation {
    /// What `work` gives, or `57014` as soon as the statement was cancelled or its time is up.
    pub async fn guard<T>(&self, work: impl Future<Output = T>) -> PgResult<T> {
        let timeout = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(canceled("canceling statement due to user request")),
            result = work => Ok(result),
            () = timeout => Err(canceled("canceling statement due to statement timeout")),
        }
    }
}

fn canceled(message: &str) -> PgError {
    PgError::new(SqlState::QUERY_CANCELED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cancel_stops_what_runs_and_not_what_comes_next() {
        let handle = CancelHandle::default();
        handle.cancel();
        let operation = handle.begin(None);
        assert_eq!(operation.guard(async { 1 }).await, Ok(1));
        handle.cancel();
        let stopped = operation.guard(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(stopped.state, SqlState::QUERY_CANCELED);
        assert_eq!(handle.begin(None).guard(async { 2 }).await, Ok(2));
    }
}
