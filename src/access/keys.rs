//! API keys against their digests.

use crate::chance::random;
use crate::store::StoredKey;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, io, net::IpAddr, sync::Arc};
use streamgauge_core::access::{Actor, ApiKey, Identity, KeyHolder, Role, Scope};

/// All keys that let in, by id.
pub struct Keys(HashMap<String, Key>);

pub struct Key {
    digest: [u8; 32],
    scopes: Vec<Scope>,
    holder: Arc<KeyHolder>,
}

impl Key {
    pub fn opens(&self, wanted: Scope) -> bool {
        self.scopes.iter().any(|has| has.opens(wanted))
    }

    /// Who acts with this key, from that address.
    pub fn actor(&self, address: Option<IpAddr>) -> Actor {
        let role = self.opens(Scope::Admin).then_some(Role::Admin);
        Actor { identity: Identity::Key(self.holder.clone()), address, role }
    }
}

impl Keys {
    /// A key whose digest or scopes cannot be read opens nothing.
    pub fn of(stored: Vec<StoredKey>) -> Keys {
        let read = |key: StoredKey| {
            let scopes = key.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
            let holder = KeyHolder { id: key.id.clone(), name: key.name }.into();
            Some((key.id, Key { digest: key.digest.try_into().ok()?, scopes, holder }))
        };
        Keys(stored.into_iter().filter(|key| !key.revoked).filter_map(read).collect())
    }

    /// `None`: the key is unknown or revoked.
    pub fn find(&self, token: &str) -> Option<&Key> {
        let key = ApiKey::parse(token)?;
        let known = self.0.get(&key.id)?;
        same(&digest(&key.secret), &known.digest).then_some(known)
    }

    /// The key of that id, for a client that has shown its secret before. `None`: it was revoked.
    pub fn of_id(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }
}

/// What is kept of a secret.
pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Takes as long wherever the first difference is.
pub fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    std::hint::black_box(one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b))) == 0
}

pub fn fresh_key() -> io::Result<ApiKey> {
    let id = random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(ApiKey { id, secret: URL_SAFE_NO_PAD.encode(random::<32>()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_what_it_was_made_for() {
        let key = fresh_key().expect("chance");
        let stored = |scopes: &[&str], digest: Vec<u8>| {
            let scopes = scopes.iter().map(|scope| scope.to_string()).collect();
            let (id, name) = (key.id.clone(), "ci".into());
            Keys::of(vec![StoredKey { id, name, digest, scopes, revoked: false }])
        };
        let scopes = |keys: &Keys, token: &str| keys.find(token).map(|key| key.scopes.clone());
        let kept = digest(&key.secret).to_vec();
        let keys = stored(&["publish"], kept.clone());
        assert_eq!(scopes(&keys, &key.reveal()), Some(vec![Scope::Publish]));
        let other = ApiKey { secret: fresh_key().expect("chance").secret, ..key.clone() };
        assert_eq!(scopes(&keys, &other.reveal()), None);
        assert_eq!(scopes(&keys, "sgk_"), None);
        assert!(keys.of_id(&key.id).is_some_and(|key| key.opens(Scope::Publish) && !key.opens(Scope::Admin)));
        assert!(keys.of_id(&other.secret).is_none());
        assert_eq!(scopes(&stored(&["root"], kept.clone()), &key.reveal()), Some(vec![]));
        assert_eq!(scopes(&stored(&["publish"], vec![0; 3]), &key.reveal()), None);
        for (scope, role) in [("publish", None), ("metrics", None), ("admin", Some(Role::Admin))] {
            let keys = stored(&[scope], kept.clone());
            let actor = keys.find(&key.reveal()).expect("a key").actor(None);
            assert_eq!((actor.key(), actor.name(), actor.role), (Some(&*key.id), "ci", role), "{scope}");
        }
    }
}
