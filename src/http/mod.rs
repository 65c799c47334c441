//! Floor 7: what operations ask over HTTP.
//!
//! `/metrics` (Prometheus text), `/healthz` (the process answers), `/readyz` (queries are answered over a recovered
//! snapshot). Reads published snapshots and source statuses; holds nothing.

mod metrics;

use crate::engine::EngineHandle;
use crate::source::SourceStatus;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the pages read.
#[derive(Clone)]
pub struct Pages {
    pub engine: EngineHandle,
    pub sources: Vec<Arc<SourceStatus>>,
    pub wire: Arc<crate::wire::Counters>,
}

/// Serves until `shutdown`.
pub async fn serve(listener: TcpListener, pages: Pages, shutdown: CancellationToken) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(pages);
    axum::serve(listener, routes).with_graceful_shutdown(async move { shutdown.cancelled().await }).await
}

async fn index() -> &'static str {
    "sluice\n\n/metrics   Prometheus metrics\n/healthz   the process is up\n/readyz    queries are answered\n"
}

async fn ready(State(pages): State<Pages>) -> impl IntoResponse {
    match pages.engine.has_ended() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "the engine has ended\n".to_string()),
        false => (StatusCode::OK, format!("ready at tick {}\n", pages.engine.snapshot().tick)),
    }
}

async fn metrics_text(State(pages): State<Pages>) -> impl IntoResponse {
    match metrics::encode(&pages) {
        Ok(text) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
            text,
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
