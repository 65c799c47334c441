//! From accept to the first ReadyForQuery.

use super::channel::{Channel, End, shutting_down};
use super::connection::Connection;
use super::message::{self, Startup};
use super::reply::{self, Severity};
use super::security::Opening;
use super::{Shared, add};
use crate::sql;
use crate::types::{PgError, SqlState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

const INVALID_AUTHORIZATION: SqlState = SqlState(*b"28000");

/// Serves one connection to its end, within TLS where the client asks for it.
pub async fn serve_connection<S>(mut socket: S, peer: SocketAddr, local: Option<SocketAddr>, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let limit = shared.limits.startup;
    let opened = tokio::select! {
        opened = tokio::time::timeout(limit, shared.limits.security.open(&mut socket)) => opened,
        () = shared.shutdown.cancelled() => return,
    };
    match opened {
        Ok(Ok(Opening::Plain(head))) => {
            let mut channel = Channel::new(socket, Arc::clone(&shared));
            channel.input.extend_from_slice(&head);
            serve_channel(channel, false, peer, local, &shared).await;
        }
        Ok(Ok(Opening::Tls(acceptor))) => {
            let accepted = tokio::select! {
                accepted = tokio::time::timeout(limit, acceptor.accept(socket)) => accepted,
                () = shared.shutdown.cancelled() => return,
            };
            match accepted {
                Ok(Ok(socket)) => {
                    serve_channel(Channel::new(socket, Arc::clone(&shared)), true, peer, local, &shared).await
                }
                Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
                Err(_) => {}
            }
        }
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a connection broke"),
        Err(_) => {}
    }
}

/// Tells the client why its connection ends, where it can still be told.
async fn serve_channel<S>(
    mut channel: Channel<S>,
    secure: bool,
    peer: SocketAddr,
    local: Option<SocketAddr>,
    shared: &Arc<Shared>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let hello = tokio::select! {
        hello = tokio::time::timeout(shared.limits.startup, greet(&mut channel, secure)) => hello,
        () = shared.shutdown.cancelled() => Ok(Err(End::Fatal(shutting_down()))),
    };
    let end = match hello {
        // PostgreSQL, too, says nothing to a client that took too long.
        Err(_) => End::Closed,
        Ok(Err(end)) => end,
        Ok(Ok(None)) => End::Closed,
        Ok(Ok(Some(options))) => run_session(&mut channel, options, peer, local, shared).await,
    };
    match end {
        End::Closed => {}
        End::Io(error) => tracing::debug!(%error, %peer, "a connection broke"),
        End::Fatal(error) => {
            add(&shared.counters.errors, 1);
            reply::error(&mut channel.output, Severity::Fatal, &error, None);
            // During a shutdown `flush` gives up, and this message is the one thing still to be said.
            let farewell = channel.socket.write_all(&channel.output[channel.sent..]);
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), farewell).await;
        }
    }
    let _ = channel.socket.shutdown().await;
}

/// [`negotiate`], then the password.
async fn greet<S>(channel: &mut Channel<S>, secure: bool) -> Result<Option<Vec<(String, String)>>, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(options) = negotiate(channel).await? else { return Ok(None) };
    let shared = Arc::clone(&channel.shared);
    if shared.limits.security.requires_tls() && !secure {
        let error = PgError::new(INVALID_AUTHORIZATION, "this server takes connections over TLS only");
        return Err(End::Fatal(error.hint("Connect with sslmode=require or stricter.")));
    }
    let user = options.iter().find(|(name, _)| name == "user").map_or("", |(_, user)| user.as_str());
    shared.limits.security.authenticate(channel, user, secure).await?;
    Ok(Some(options))
}

/// The startup packet's options, or nothing where the connection only carried a cancel request.
async fn negotiate<S>(channel: &mut Channel<S>) -> Result<Option<Vec<(String, String)>>, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut ssl_asked, mut gss_asked) = (false, false);
    loop {
        match channel.read_until(message::take_startup).await? {
            Startup::Ssl if !ssl_asked => {
                ssl_asked = true;
                channel.socket.write_all(b"N").await?;
            }
            Startup::Gss if !gss_asked => {
                gss_asked = true;
                channel.socket.write_all(b"N").await?;
            }
            Startup::Ssl | Startup::Gss => {
                return Err(End::Fatal(message::violation("unsupported repeated encryption request")));
            }
            Startup::Cancel { pid, secret } => {
                add(&channel.shared.counters.cancel_requests, 1);
                channel.shared.cancels.cancel(pid, &secret);
                return Ok(None);
            }
            Startup::Start { major: 3, minor, options } => {
                let unknown: Vec<&str> =
                    options.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("_pq_.")).collect();
                if minor > 0 || !unknown.is_empty() {
                    reply::negotiate_version(&mut channel.output, &unknown);
                }
                return Ok(Some(options));
            }
            Startup::Start { major, minor, .. } => {
                let message = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0");
                return Err(End::Fatal(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message)));
            }
        }
    }
}

/// Takes one of the places of `max_connections`, until it is dropped.
struct Place<'a>(&'a Shared);

impl<'a> Place<'a> {
    fn take(shared: &'a Shared) -> Result<Self, End> {
        let taken = shared.sessions.fetch_add(1, Ordering::AcqRel);
        let place = Self(shared);
        if taken >= shared.limits.connections {
            add(&shared.counters.refused, 1);
            let error = PgError::new(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already");
            return Err(End::Fatal(error));
        }
        Ok(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn run_session<S>(
    channel: &mut Channel<S>,
    options: Vec<(String, String)>,
    peer: SocketAddr,
    local: Option<SocketAddr>,
    shared: &Arc<Shared>,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let place = match Place::take(shared) {
        Ok(place) => place,
        Err(end) => return end,
    };
    let pid = shared.cancels.new_pid();
    let session = match session(options, pid, peer, local, shared) {
        Ok(session) => session,
        Err(error) => return End::Fatal(error),
    };
    let secret: i32 = rand::random();
    let registered = shared.cancels.register(pid, secret, session.cancel_handle());
    let mut connection = Connection::new(channel, session);
    let end = connection.run(pid, secret).await;
    drop(connection);
    drop(registered);
    drop(place);
    end
}

fn session(
    options: Vec<(String, String)>,
    pid: i32,
    peer: SocketAddr,
    local: Option<SocketAddr>,
    shared: &Arc<Shared>,
) -> Result<sql::Session, PgError> {
    let (mut user, mut database, mut settings) = (String::new(), String::new(), Vec::new());
    for (name, value) in options {
        match name.as_str() {
            "user" => user = value,
            "database" => database = value,
            "options" => command_line(&value, &mut settings)?,
            "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
            "replication" => return Err(PgError::unsupported("a replication connection")),
            name if name.starts_with("_pq_.") => {}
            _ => settings.push((name, value)),
        }
    }
    if user.is_empty() {
        return Err(PgError::new(INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet"));
    }
    if database.is_empty() {
        database.clone_from(&user);
    }
    shared.database.session(sql::Startup {
        user,
        database,
        settings,
        backend_pid: pid,
        client: Some(peer),
        server: local,
    })
}

/// The `options` of a startup packet: `-c name=value`, `-cname=value`, `--name=value`, backslash escapes.
fn command_line(options: &str, settings: &mut Vec<(String, String)>) -> Result<(), PgError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = options.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") => words.next(),
            Some(setting) => Some(setting.to_owned()),
            None => None,
        };
        let Some((name, value)) = setting.as_deref().and_then(|s| s.split_once('=')) else {
            let message = format!("invalid command-line argument for server process: {word}");
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_startup_packet_are_settings() {
        let mut settings = Vec::new();
        command_line(r"-c search_path=a,\ b --statement-timeout=5s -cDateStyle=iso", &mut settings).unwrap();
        let expected = [("search_path", "a, b"), ("statement_timeout", "5s"), ("DateStyle", "iso")];
        assert_eq!(settings, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert!(command_line("-x", &mut settings).is_err());
    }
}
