//! Who may connect, and how: passwords and TLS.

use super::channel::{Channel, End};
use super::message;
use super::reply;
use super::scram::{self, Exchange, Malformed};
use crate::catalog::Verifier;
use crate::types::{PgError, SqlState};
use bytes::Buf;
use ring::digest;
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
const INVALID_AUTHORIZATION: SqlState = SqlState(*b"28000");

/// See the module. The default asks nobody for anything.
#[derive(Debug, Default)]
pub struct Security {
    /// Users of the configuration and what is kept of their passwords. Without any, roles without a password, and names that
    /// are no role's, are taken for who they say they are.
    users: HashMap<String, Verifier>,
    decoy: [u8; 32],
    tls: Option<Tls>,
}

struct Tls {
    acceptor: TlsAcceptor,
    required: bool,
    /// `tls-server-end-point`: the hash of the server's certificate; `None` where its signature has none.
    end_point: Option<Vec<u8>>,
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
    Plain(Vec<u8>),
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
        let end_point = chain.first().and_then(|certificate| end_point(certificate));
        let config = config.with_single_cert(chain, key).map_err(|e| format!("{}: {e}", certificate.display()))?;
        // A client that must show its certificate cannot do so without TLS.
        let required = required || client_ca.is_some();
        self.tls = Some(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), required, end_point });
        Ok(self)
    }

    /// The users of the configuration.
    pub fn user_names(&self) -> Vec<String> {
        self.users.keys().cloned().collect()
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
            // Both requests have eight bytes; a packet of another length may have fewer.
            socket.read_exact(&mut head[..4]).await?;
            if head[..4] != [0, 0, 0, 8] {
                return Ok(Opening::Plain(head[..4].to_vec()));
            }
            socket.read_exact(&mut head[4..]).await?;
            match (message::asks_for(&head), &self.tls) {
                (Some(message::Startup::Ssl), Some(tls)) => {
                    socket.write_all(b"S").await?;
                    return Ok(Opening::Tls(tls.acceptor.clone()));
                }
                (Some(message::Startup::Gss), Some(_)) => socket.write_all(b"N").await?,
                _ => return Ok(Opening::Plain(head.to_vec())),
            }
        }
    }

    /// Looks whether this user may log in, and asks for the password where there is one, or where everybody must have one.
    /// The configuration's passwords count before those of roles.
    pub(super) async fn authenticate<S>(&self, channel: &mut Channel<S>, user: &str, secure: bool) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let snapshot = channel.shared.database.snapshot();
        let role = snapshot.catalog().roles().named(user).cloned();
        drop(snapshot);
        let of_role = role.as_ref().and_then(|role| role.verifier.as_deref()).and_then(Verifier::parse);
        let verifier = self.users.get(user).or(of_role.as_ref());
        if verifier.is_some() || self.asks_for_passwords() {
            self.ask(channel, user, verifier, secure).await?;
        }
        let Some(role) = role else { return Ok(()) };
        if !role.login {
            let message = format!("role \"{user}\" is not permitted to log in");
            return Err(End::Fatal(PgError::new(INVALID_AUTHORIZATION, message)));
        }
        let expired = role.valid_until_us.is_some_and(|until| until < now_us());
        if expired && verifier.is_some() && !self.users.contains_key(user) {
            return Err(wrong_password(user));
        }
        let limit = usize::try_from(role.connection_limit).ok().filter(|_| !role.superuser);
        if limit.is_some_and(|limit| channel.shared.database.sessions_of(user) >= limit) {
            let message = format!("too many connections for role \"{user}\"");
            return Err(End::Fatal(PgError::new(SqlState::TOO_MANY_CONNECTIONS, message)));
        }
        Ok(())
    }

    /// The SASL exchange.
    async fn ask<S>(
        &self,
        channel: &mut Channel<S>,
        user: &str,
        verifier: Option<&Verifier>,
        secure: bool,
    ) -> Result<(), End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let end_point = self.tls.as_ref().filter(|_| secure).and_then(|tls| tls.end_point.as_deref());
        let mechanisms: &[&str] = match end_point {
            Some(_) => &[scram::MECHANISM_PLUS, scram::MECHANISM],
            None => &[scram::MECHANISM],
        };
        reply::authentication_sasl(&mut channel.output, mechanisms);
        channel.flush().await?;
        let mut first = password_message(channel).await?;
        let end = first.iter().position(|byte| *byte == 0).ok_or_else(|| malformed("no mechanism"))?;
        let plus = &first[..end] == scram::MECHANISM_PLUS.as_bytes();
        if !mechanisms.iter().any(|mechanism| mechanism.as_bytes() == &first[..end]) {
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
        let begun = Exchange::begin(&text(&first)?, plus, end_point, verifier, user, &self.decoy);
        let (exchange, answer) = begun.map_err(|Malformed(why)| malformed(why))?;
        reply::authentication_sasl_continue(&mut channel.output, &answer);
        channel.flush().await?;
        let last = password_message(channel).await?;
        match exchange.finish(&text(&last)?).map_err(|Malformed(why)| malformed(why))? {
            Some(proof) => {
                reply::authentication_sasl_final(&mut channel.output, &proof);
                Ok(())
            }
            None => Err(wrong_password(user)),
        }
    }
}

fn wrong_password(user: &str) -> End {
    let message = format!("password authentication failed for user \"{user}\"");
    End::Fatal(PgError::new(INVALID_PASSWORD, message))
}

/// µs since 1970.
fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The data of `tls-server-end-point` (RFC 5929): the hash of a certificate by the hash function of its signature, SHA-256 in
/// place of MD5 and SHA-1. `None` where the signature's algorithm has no hash of its own (Ed25519) or is not known.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm =
        match signature_algorithm(certificate)? {
            // md5WithRSA, sha1WithRSA, sha256WithRSA, ecdsa-with-SHA1, ecdsa-with-SHA256
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04 | 0x05 | 0x0b]
            | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]
            | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02] => &digest::SHA256,
            // … with SHA-384
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c]
            | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03] => &digest::SHA384,
            // … with SHA-512
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d]
            | [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04] => &digest::SHA512,
            _ => return None,
        };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

/// The object identifier of a certificate's signature algorithm (X.509 in DER: the second part's first part).
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (0x30, certificate, _) = der(certificate)? else { return None };
    let (0x30, _, rest) = der(certificate)? else { return None };
    let (0x30, algorithm, _) = der(rest)? else { return None };
    let (0x06, identifier, _) = der(algorithm)? else { return None };
    Some(identifier)
}

/// Tag and content of the first value, and what follows it.
fn der(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(*short), rest),
        long => {
            let count = usize::from(long & 0x7f);
            let (length, rest) = rest.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
            (length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_broken_certificate_has_no_end_point(bytes in proptest::collection::vec(
            prop_oneof![Just(0x30u8), Just(0x06), Just(0x82), Just(0xff), 0u8..8], 0..64)) {
            let _ = end_point(&bytes);
        }

        #[test]
        fn garbage_is_no_scram_exchange(first in "[np=tls,a-z-]{0,30}(,,)?(n=,r=)?[a-z,=]{0,20}", last in "(c=)?[a-zA-Z0-9=,]{0,40}(,p=)?[A-Za-z0-9=]{0,50}") {
            if let Ok((exchange, _)) = Exchange::begin(&first, false, None, None, "user", b"decoy") {
                prop_assert!(exchange.finish(&last).is_err());
            }
        }
    }

    #[test]
    fn the_end_point_is_the_certificates_hash() {
        // SEQUENCE { SEQUENCE {}, SEQUENCE { OID ecdsa-with-SHA384 } }
        let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
        let mut certificate = vec![0x30, 14, 0x30, 0, 0x30, 10, 0x06, 8];
        certificate.extend(oid);
        assert_eq!(end_point(&certificate), Some(digest::digest(&digest::SHA384, &certificate).as_ref().to_vec()));
        *certificate.last_mut().expect("bytes") = 0x7f;
        assert_eq!(end_point(&certificate), None);
    }
}
