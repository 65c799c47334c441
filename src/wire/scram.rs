//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), the server's side, as PostgreSQL speaks it.
//!
//! Over TLS both are offered: the second binds the exchange to the connection (`tls-server-end-point`, RFC 5929), so that
//! nobody who sits in between with another certificate can pass it on.

use crate::catalog::Verifier;
use crate::catalog::password::{ITERATIONS, KEY, hash, mac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub const MECHANISM: &str = "SCRAM-SHA-256";
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// An exchange between its two steps.
pub struct Exchange<'a> {
    /// `None`: nobody is called so, which the client must not find out.
    verifier: Option<&'a Verifier>,
    /// The part of the first message after its header, then the answer: what both sides sign.
    signed: String,
    nonce: String,
    /// What the last message must repeat: the first one's header, and with PLUS the binding's data.
    binding: Vec<u8>,
}

/// The messages do not follow the protocol, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl<'a> Exchange<'a> {
    /// Takes the client's first message; gives the exchange and the server's answer.
    ///
    /// `plus`: the client chose the mechanism with channel binding. `end_point`: the data of `tls-server-end-point`, where the
    /// connection has it.
    ///
    /// `decoy`: bytes that are secret and always the same, from which somebody unknown gets a salt that is always the same.
    pub fn begin(
        first: &str,
        plus: bool,
        end_point: Option<&[u8]>,
        verifier: Option<&'a Verifier>,
        user: &str,
        decoy: &[u8],
    ) -> Result<(Self, String), Malformed> {
        let mut parts = first.splitn(3, ',');
        let (binding, identity, bare) = (parts.next(), parts.next(), parts.next());
        let (Some(binding), Some(identity), Some(bare)) = (binding, identity, bare) else {
            return Err(Malformed("the first message has no header"));
        };
        if !identity.is_empty() {
            return Err(Malformed("authorization identities are not supported"));
        }
        let mut bound = format!("{binding},,").into_bytes();
        match (binding, plus, end_point) {
            ("n", false, _) | ("y", false, None) => {}
            // It could have bound, and was told that the server cannot: somebody sits in between.
            ("y", false, Some(_)) => return Err(Malformed("the client was not told of channel binding")),
            ("p=tls-server-end-point", true, Some(data)) => bound.extend_from_slice(data),
            _ => return Err(Malformed("unsupported channel binding")),
        }
        let nonce = bare.split(',').find_map(|part| part.strip_prefix("r=")).filter(|nonce| !nonce.is_empty());
        let nonce = nonce.ok_or(Malformed("the first message has no nonce"))?;
        let own: [u8; 18] = rand::random();
        let nonce = format!("{nonce}{}", STANDARD.encode(own));
        let salt = match verifier {
            Some(verifier) => verifier.salt.clone(),
            None => mac(decoy, user.as_bytes())[..16].to_vec(),
        };
        let iterations = verifier.map_or(ITERATIONS, |verifier| verifier.iterations);
        let answer = format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt));
        let signed = format!("{bare},{answer}");
        Ok((Self { verifier, signed, nonce, binding: bound }, answer))
    }

    /// Takes the client's last message: the server's own proof, or `None` where the password is wrong.
    pub fn finish(self, last: &str) -> Result<Option<String>, Malformed> {
        let (without_proof, proof) = last.rsplit_once(",p=").ok_or(Malformed("the last message has no proof"))?;
        let mut parts = without_proof.split(',');
        let binding = parts.next().and_then(|part| part.strip_prefix("c="));
        if binding != Some(STANDARD.encode(&self.binding).as_str()) {
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
    use ring::pbkdf2;

    /// The client's side of RFC 7677, with the numbers of its example where the server's nonce allows.
    fn client(password: &str, user: &str, verifier: Option<&Verifier>) -> Result<Option<String>, Malformed> {
        let bare = format!("n={user},r=rOprNGfwEbeRWgbNEkqO");
        bound_client(password, &bare, "n,,", None, b"n,,", verifier, user)
    }

    /// The same with a header, what the server knows of the channel, and what the client does.
    fn bound_client(
        password: &str,
        bare: &str,
        header: &str,
        end_point: Option<&[u8]>,
        binding: &[u8],
        verifier: Option<&Verifier>,
        user: &str,
    ) -> Result<Option<String>, Malformed> {
        let plus = header.starts_with('p');
        let (exchange, answer) =
            Exchange::begin(&format!("{header}{bare}"), plus, end_point, verifier, user, b"decoy")?;
        let field = |name: &str| answer.split(',').find_map(|part| part.strip_prefix(name)).expect("a field");
        let salt = STANDARD.decode(field("s=")).expect("base64");
        let mut salted = [0; KEY];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut salted);
        let without_proof = format!("c={},r={}", STANDARD.encode(binding), field("r="));
        let signed = format!("{bare},{answer},{without_proof}");
        let key = mac(&salted, b"Client Key");
        let signature = mac(&hash(&key), signed.as_bytes());
        let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        exchange.finish(&format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    #[test]
    fn only_the_right_password_of_a_known_user_is_taken() {
        let verifier = Verifier::new("pencil");
        assert!(client("pencil", "user", Some(&verifier)).unwrap().is_some());
        assert_eq!(client("pencils", "user", Some(&verifier)), Ok(None));
        assert_eq!(client("pencil", "nobody", None), Ok(None));
    }

    #[test]
    fn a_bound_exchange_is_of_one_channel() {
        let verifier = Verifier::new("pencil");
        let (bare, header) = ("n=,r=rOprNGfwEbeRWgbNEkqO", "p=tls-server-end-point,,");
        let run = |header: &str, end_point: Option<&[u8]>, known: &[u8]| {
            let binding = [header.as_bytes(), known].concat();
            bound_client("pencil", bare, header, end_point, &binding, Some(&verifier), "user")
        };
        assert!(run(header, Some(b"hash"), b"hash").unwrap().is_some());
        assert!(run(header, Some(b"hash"), b"another").is_err());
        assert!(run(header, None, b"hash").is_err());
        assert!(run("p=tls-unique,,", Some(b"hash"), b"hash").is_err());
        assert!(run("y,,", Some(b"hash"), b"").is_err(), "a downgrade");
        assert!(run("y,,", None, b"").unwrap().is_some());
    }

    #[test]
    fn messages_of_another_shape_are_refused() {
        let verifier = Verifier::new("pencil");
        for first in ["", "n,,", "n,,n=user", "p=tls-server-end-point,,n=user,r=x", "n,a=other,n=user,r=x", "n,,n=,r="]
        {
            assert!(Exchange::begin(first, false, None, Some(&verifier), "user", b"").is_err(), "{first:?}");
        }
        for last in ["", "c=biws,r=x,p=AAAA", "c=eSws,r=x,p=AAAA", "c=biws,p=%%%"] {
            let (exchange, _) = Exchange::begin("n,,n=user,r=x", false, None, Some(&verifier), "user", b"").unwrap();
            assert!(exchange.finish(last).is_err(), "{last:?}");
        }
    }
}
