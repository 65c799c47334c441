//! What is kept of a password: a SCRAM-SHA-256 verifier (RFC 5802, RFC 7677), in PostgreSQL's form.
//!
//! Salt, StoredKey and ServerKey, from which the password cannot be read back. Passwords outside ASCII are taken as they
//! are, without SASLprep.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use std::fmt;
use std::num::NonZeroU32;

/// PostgreSQL's number of iterations.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
pub const KEY: usize = 32;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub salt: Vec<u8>,
    pub iterations: NonZeroU32,
    pub stored_key: [u8; KEY],
    pub server_key: [u8; KEY],
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// As `pg_authid.rolpassword` has it: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(|bytes| STANDARD.encode(bytes));
        write!(f, "SCRAM-SHA-256${}:{salt}${stored}:{server}", self.iterations)
    }
}

/// HMAC-SHA-256.
pub fn mac(key: &[u8], text: &[u8]) -> [u8; KEY] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    tag.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// SHA-256.
pub fn hash(bytes: &[u8]) -> [u8; KEY] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

impl Verifier {
    pub fn new(password: &str) -> Self {
        Self::salted(password, rand::random::<[u8; 16]>().to_vec(), ITERATIONS)
    }

    pub fn salted(password: &str, salt: Vec<u8>, iterations: NonZeroU32) -> Self {
        let mut salted = [0; KEY];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut salted);
        let stored_key = hash(&mac(&salted, b"Client Key"));
        Self { salt, iterations, stored_key, server_key: mac(&salted, b"Server Key") }
    }

    /// Reads what `Display` writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("SCRAM-SHA-256$")?.split('$');
        let (head, keys) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (iterations, salt) = head.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let key = |text: &str| <[u8; KEY]>::try_from(STANDARD.decode(text).ok()?).ok();
        Some(Self {
            salt: STANDARD.decode(salt).ok()?,
            iterations: iterations.parse().ok()?,
            stored_key: key(stored)?,
            server_key: key(server)?,
        })
    }

    /// Whether it was made of this password.
    pub fn fits(&self, password: &str) -> bool {
        *self == Self::salted(password, self.salt.clone(), self.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_written_as_postgresql_writes_it() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::salted("pencil", salt, ITERATIONS);
        let text = verifier.to_string();
        // As PostgreSQL 15 and RFC 7677 compute it.
        let known = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                     wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert_eq!(text, known);
        assert_eq!(Verifier::parse(&text), Some(verifier.clone()));
        assert!(verifier.fits("pencil") && !verifier.fits("pencils"));
        for wrong in ["", "md5abc", "SCRAM-SHA-256$0:AAAA$AAAA:AAAA", &text[..80], &format!("{text}$")] {
            assert_eq!(Verifier::parse(wrong), None, "{wrong}");
        }
    }
}
