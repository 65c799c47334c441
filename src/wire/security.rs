//! Who may connect, and how: passwords and TLS.

use super::channel::{Channel, End};
use super::message;
use super::reply;
use super::scram::{self, Exchange, Malformed, Verifier};
use crate::types::{PgError, SqlState};
use bytes::Buf;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

const INVALID_PASSWORD: SqlState = SqlState(*b"28P01");

/// See the module. The default asks nobody for anything.
#[derive(Debug, Default)]
pub struct Security {
    /// Users and what is kept of their passwords; empty: anybody is taken for who they say they are.
    users: HashMap<String, Verifier>,
    decoy: [u8; 32],
    tls: Option<Tls>,
}

struct Tls {
    acceptor: TlsAcceptor,
    required: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("required", &self.required).finish_non_exhaustive()
    }
}

/// How a connection begins.
pub(super) enum Opening {
    /// The client asked for TLS and was told yes.
    Tls(TlsAcceptor),
    /// These bytes of its first packet are read.
    Plain([u8; 8]),
}

impl Security {
    /// `users`: names and passwords.
    pub fn new<'a>(users: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let users = users.map(|(name, password)| (name.to_owned(), Verifier::new(password))).collect();
        Self { users, decoy: rand::random(), tls: None }
    }

    /// Offers TLS with a chain of certificates and a key (PEM files). `client_ca`: clients must show a certificate that one of
    /// these has signed. Errors: in words, with the file.
    pub fn with_tls(
        mut self,
        certificate: &Path,
        key: &Path,
        client_ca: Option<&Path>,
        required: bool,
    ) -> Result<Self, String> {
        let certificates = |path: &Path| -> Result<Vec<CertificateDer<'static>>, String> {
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let found = read.map_err(|error| format!("{}: {error}", path.display()))?;
            match found.is_empty() {
                true => Err(format!("{}: no certificate in it", path.display())),
                false => Ok(found),
            }
        };
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let config = match client_ca {
            None => config.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                config.with_client_cert_verifier(verifier.map_err(|error| format!("{}: {error}", path.display()))?)
            }
        };
        let config = config.with_single_cert(chain, key).map_err(|e| format!("{}: {e}", certificate.display()))?;
        // A client that must show its certificate cannot do so without TLS.
        let required = required || client_ca.is_some();
        self.tls = Some(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), required });
        Ok(self)
    }

    /// Whether it is known who connects.
    pub fn asks_for_passwords(&self) -> bool {
        !self.users.is_empty()
    }

    /// Whether connections without TLS are turned away.
    pub fn requires_tls(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.required)
    }

    /// Reads the first packet's first bytes, and says yes where they ask for TLS. Nothing after them is read, so that
    /// nothing that came before the encryption can be taken for something within it.
    pub(super) async fn open<S: AsyncRead + AsyncWrite + Unpin>(&self, socket: &mut S) -> std::io::Result<Opening> {
        let mut head = [0; 8];
        loop {
            socket.read_exact(&mut head).await?;
            match (message::asks_for(&head), &self.tls) {
                (Some(message::Startup::Ssl), Some(tls)) => {
                    socket.write_all(b"S").await?;
                    return Ok(Opening::Tls(tls.acceptor.clone()));
                }
                (Some(message::Startup::Gss), Some(_)) => socket.write_all(b"N").await?,
                _ => return Ok(Opening::Plain(head)),
            }
        }
    }

    /// Asks for the user's password, where there are passwords.
    pub(super) async fn authenticate<S>(&self, channel: &mut Channel<S>, user: &str) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if !self.asks_for_passwords() {
            return Ok(());
        }
        reply::authentication_sasl(&mut channel.output, &[scram::MECHANISM]);
        channel.flush().await?;
        let mut first = password_message(channel).await?;
        let end = first.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("no mechanism"))?;
        if &first[..end] != scram::MECHANISM.as_bytes() {
            return Err(malformed("client selected an invalid SASL authentication mechanism"));
        }
        first.advance(end + 1);
        if first.len() < 4 {
            return Err(malformed("no initial response"));
        }
        let length = first.get_i32();
        if usize::try_from(length) != Ok(first.len()) {
            return Err(malformed("initial response of another length"));
        }
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| malformed("not UTF-8"));
        let verifier = self.users.get(user);
        let (exchange, answer) =
            Exchange::begin(&text(&first)?, verifier, user, &self.decoy).map_err(|Malformed(why)| malformed(why))?;
        reply::authentication_sasl_continue(&mut channel.output, &answer);
        channel.flush().await?;
        let last = password_message(channel).await?;
        match exchange.finish(&text(&last)?).map_err(|Malformed(why)| malformed(why))? {
            Some(proof) => {
                reply::authentication_sasl_final(&mut channel.output, &proof);
                Ok(())
            }
            None => {
                let message = format!("password authentication failed for user \"{user}\"");
                Err(End::Fatal(PgError::new(INVALID_PASSWORD, message)))
            }
        }
    }
}

fn malformed(why: &str) -> End {
    End::Fatal(message::violation(format!("malformed SCRAM message: {why}")))
}

/// The next message, which must carry an answer to an authentication request.
async fn password_message<S: AsyncRead + AsyncWrite + Unpin>(channel: &mut Channel<S>) -> Result<bytes::Bytes, End> {
    /// Longer than any honest answer.
    const LONGEST: usize = 4096;
    let frame = channel.read_until(|input| message::take_frame(input, LONGEST)).await?;
    match frame.tag {
        b'p' => Ok(frame.body),
        b'X' => Err(End::Closed),
        other => {
            let message =
                format!("expected password response, got message type {}", char::from(other).escape_default());
            Err(End::Fatal(message::violation(message)))
        }
    }
}
