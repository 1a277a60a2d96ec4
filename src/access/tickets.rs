//! Signed claims: tickets of followers, and the cookie of admins.
//!
//! A ticket is a JSON Web Token with HMAC-SHA-256, and nothing else of that wide standard: one algorithm, so that no
//! header can choose another, and no more claims than are read.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;
use streamgauge_core::access::{BadTicket, Claims};

/// `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// Long enough for a cookie of ours.
const SHORT: usize = 256;

#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// What an admin's cookie says. No ticket says so: a ticket has sessions, and this has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The id of the key that was shown: with it the cookie loses its worth.
    pub admin: String,
    /// By which signing out ends this one alone.
    pub id: String,
    /// Unix seconds.
    pub exp: i64,
}

impl Signer {
    pub fn new(secret: &[u8]) -> Signer {
        // HMAC takes keys of any length.
        let mac = Hmac::<Sha256>::new_from_slice(secret);
        Signer(mac.unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default())))
    }

    pub fn sign(&self, claims: &Claims) -> String {
        self.signed(claims)
    }

    /// The claims of a ticket whose signature is ours. Who they admit, and until when, is for [`Claims::admits`].
    pub fn claims(&self, ticket: &str) -> Result<Claims, BadTicket> {
        let claims: Claims = self.read(ticket, Claims::LENGTH).ok_or(BadTicket::Forged)?;
        if claims.is_sane() { Ok(claims) } else { Err(BadTicket::Forged) }
    }

    pub fn sign_admin(&self, sign_in: &SignIn) -> String {
        self.signed(sign_in)
    }

    /// What a cookie of this server stands for. Whether that still opens anything is for [`Access`](super::Access).
    pub fn sign_in(&self, cookie: &str) -> Option<SignIn> {
        self.read(cookie, SHORT)
    }

    fn signed(&self, claims: &impl Serialize) -> String {
        // Numbers, strings and lists: serde_json cannot refuse them.
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default());
        let said = format!("{HEADER}.{payload}");
        let signature = self.0.clone().chain_update(said.as_bytes()).finalize().into_bytes();
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The signature is checked before anything in the token is believed, and compared in constant time.
    fn read<T: DeserializeOwned>(&self, token: &str, longest: usize) -> Option<T> {
        if token.len() > longest {
            return None;
        }
        let (said, signature) = token.rsplit_once('.')?;
        let (header, payload) = said.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.0.clone().chain_update(said.as_bytes()).verify_slice(&signature).ok()?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.alg != "HS256" {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_and_no_byte_of_it_can_be_changed() {
        let signer = Signer::new(&[7; 32]);
        let claims = Claims {
            sub: Some("ann".into()),
            sessions: vec!["job-1".parse().expect("an id")],
            exp: 1_800_000_000,
        };
        let ticket = signer.sign(&claims);
        assert_eq!(signer.claims(&ticket), Ok(claims.clone()));
        for index in 0..ticket.len() {
            let mut bytes = ticket.clone().into_bytes();
            // The last character of a part may hold unused bits, so the change is to another letter's value.
            bytes[index] = if bytes[index] == b'A' { b'Z' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(signer.claims(&changed), Err(BadTicket::Forged), "{index}");
        }
        assert_eq!(Signer::new(&[8; 32]).claims(&ticket), Err(BadTicket::Forged));
        for foreign in ["", ".", "..", "a.b.c", &ticket[..ticket.len() - 1], &"a".repeat(5_000)] {
            assert_eq!(signer.claims(foreign), Err(BadTicket::Forged));
        }
        assert_eq!(signer.sign_in(&ticket), None, "a follower is no admin");
        let sign_in = SignIn { admin: "0123456789abcdef".into(), id: "A-_z".repeat(5) + "ab", exp: i64::MAX };
        let cookie = signer.sign_admin(&sign_in);
        assert_eq!(signer.sign_in(&cookie), Some(sign_in));
        assert_eq!(signer.claims(&cookie), Err(BadTicket::Forged));
    }

    #[test]
    fn only_one_algorithm_is_taken() {
        let signer = Signer::new(&[7; 32]);
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sessions":["a"],"exp":1}"#);
        let said = format!("{none}.{payload}");
        let signature = signer.0.clone().chain_update(said.as_bytes()).finalize().into_bytes();
        let token = format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(signer.claims(&token), Err(BadTicket::Forged));
    }
}
