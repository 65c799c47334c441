//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, as PostgreSQL speaks it: without channel binding.
//!
//! A password is kept as PostgreSQL keeps it: salt, StoredKey and ServerKey, from which it cannot be read back.
//! Passwords outside ASCII are taken as they are, without SASLprep.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

pub const MECHANISM: &str = "SCRAM-SHA-256";

/// PostgreSQL's number of iterations.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
const KEY: usize = 32;

/// What the server keeps of a password.
#[derive(Clone)]
pub struct Verifier {
    salt: [u8; 16],
    stored_key: [u8; KEY],
    server_key: [u8; KEY],
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

fn mac(key: &[u8], text: &[u8]) -> [u8; KEY] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    tag.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

fn hash(bytes: &[u8]) -> [u8; KEY] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

impl Verifier {
    pub fn new(password: &str) -> Self {
        Self::salted(password, rand::random())
    }

    fn salted(password: &str, salt: [u8; 16]) -> Self {
        let mut salted = [0; KEY];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut salted);
        let stored_key = hash(&mac(&salted, b"Client Key"));
        Self { salt, stored_key, server_key: mac(&salted, b"Server Key") }
    }
}

/// An exchange between its two steps.
pub struct Exchange<'a> {
    /// `None`: nobody is called so, which the client must not find out.
    verifier: Option<&'a Verifier>,
    /// The part of the first message after its header, then the answer: what both sides sign.
    signed: String,
    nonce: String,
    header: String,
}

/// The messages do not follow the protocol, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl<'a> Exchange<'a> {
    /// Takes the client's first message; gives the exchange and the server's answer.
    ///
    /// `decoy`: bytes that are secret and always the same, from which somebody unknown gets a salt that is always the same.
    pub fn begin(
        first: &str,
        verifier: Option<&'a Verifier>,
        user: &str,
        decoy: &[u8],
    ) -> Result<(Self, String), Malformed> {
        let mut parts = first.splitn(3, ',');
        let (binding, identity, bare) = (parts.next(), parts.next(), parts.next());
        let (Some(binding), Some(identity), Some(bare)) = (binding, identity, bare) else {
            return Err(Malformed("the first message has no header"));
        };
        if !matches!(binding, "n" | "y") || !identity.is_empty() {
            return Err(Malformed("channel binding and authorization identities are not supported"));
        }
        let nonce = bare.split(',').find_map(|part| part.strip_prefix("r=")).filter(|nonce| !nonce.is_empty());
        let nonce = nonce.ok_or(Malformed("the first message has no nonce"))?;
        let own: [u8; 18] = rand::random();
        let nonce = format!("{nonce}{}", STANDARD.encode(own));
        let salt = match verifier {
            Some(verifier) => verifier.salt.to_vec(),
            None => mac(decoy, user.as_bytes())[..16].to_vec(),
        };
        let answer = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(salt));
        let signed = format!("{bare},{answer}");
        Ok((Self { verifier, signed, nonce, header: format!("{binding},,") }, answer))
    }

    /// Takes the client's last message: the server's own proof, or `None` where the password is wrong.
    pub fn finish(self, last: &str) -> Result<Option<String>, Malformed> {
        let (without_proof, proof) = last.rsplit_once(",p=").ok_or(Malformed("the last message has no proof"))?;
        let mut parts = without_proof.split(',');
        let binding = parts.next().and_then(|part| part.strip_prefix("c="));
        if binding != Some(STANDARD.encode(&self.header).as_str()) {
            return Err(Malformed("the last message has another channel binding"));
        }
        if parts.next().and_then(|part| part.strip_prefix("r=")) != Some(self.nonce.as_str()) {
            return Err(Malformed("the last message has another nonce"));
        }
        let proof = STANDARD.decode(proof).map_err(|_| Malformed("the proof is not base64"))?;
        let proof: [u8; KEY] = proof.try_into().map_err(|_| Malformed("the proof has another length"))?;
        let Some(verifier) = self.verifier else { return Ok(None) };
        let signed = format!("{},{without_proof}", self.signed);
        let signature = mac(&verifier.stored_key, signed.as_bytes());
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(byte, other)| *byte ^= other);
        let mut differs = 0;
        for (ours, theirs) in verifier.stored_key.iter().zip(hash(&client_key)) {
            differs |= ours ^ theirs;
        }
        let own = || format!("v={}", STANDARD.encode(mac(&verifier.server_key, signed.as_bytes())));
        Ok((differs == 0).then(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client's side of RFC 7677, with the numbers of its example where the server's nonce allows.
    fn client(password: &str, user: &str, verifier: Option<&Verifier>) -> Result<Option<String>, Malformed> {
        let bare = format!("n={user},r=rOprNGfwEbeRWgbNEkqO");
        let (exchange, answer) = Exchange::begin(&format!("n,,{bare}"), verifier, user, b"decoy")?;
        let field = |name: &str| answer.split(',').find_map(|part| part.strip_prefix(name)).expect("a field");
        let salt = STANDARD.decode(field("s=")).expect("base64");
        let mut salted = [0; KEY];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut salted);
        let without_proof = format!("c=biws,r={}", field("r="));
        let signed = format!("{bare},{answer},{without_proof}");
        let key = mac(&salted, b"Client Key");
        let signature = mac(&hash(&key), signed.as_bytes());
        let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        exchange.finish(&format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    #[test]
    fn keys_are_those_of_rfc_7677() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::salted("pencil", salt.try_into().unwrap());
        let signed = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                      s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let own = STANDARD.encode(mac(&verifier.server_key, signed.as_bytes()));
        assert_eq!(own, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn only_the_right_password_of_a_known_user_is_taken() {
        let verifier = Verifier::new("pencil");
        assert!(client("pencil", "user", Some(&verifier)).unwrap().is_some());
        assert_eq!(client("pencils", "user", Some(&verifier)), Ok(None));
        assert_eq!(client("pencil", "nobody", None), Ok(None));
    }

    #[test]
    fn messages_of_another_shape_are_refused() {
        let verifier = Verifier::new("pencil");
        for first in ["", "n,,", "n,,n=user", "p=tls-server-end-point,,n=user,r=x", "n,a=other,n=user,r=x", "n,,n=,r="]
        {
            assert!(Exchange::begin(first, Some(&verifier), "user", b"").is_err(), "{first:?}");
        }
        for last in ["", "c=biws,r=x,p=AAAA", "c=eSws,r=x,p=AAAA", "c=biws,p=%%%"] {
            let (exchange, _) = Exchange::begin("n,,n=user,r=x", Some(&verifier), "user", b"").unwrap();
            assert!(exchange.finish(last).is_err(), "{last:?}");
        }
    }
}
