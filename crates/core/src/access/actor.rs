//! Who acts: who made a request or a change, as the log and the audit table name it.

use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, sync::Arc};

/// What an actor may do. A later role may do all that an earlier one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at dashboards.
    Viewer,
    /// Also act on what they show.
    Operator,
    /// Also change settings, and who may do what.
    Admin,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

/// The answer of authentication. Cloning it copies no text, because each request gets one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub identity: Identity,
    /// The client's own address, also behind a trusted proxy. `None`: not by the network.
    pub address: Option<IpAddr>,
    /// `None`: the key opens no dashboard, it only publishes or scrapes.
    pub role: Option<Role>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// While access is open, everybody who reaches the server counts as the user of this machine.
    LocalUser,
    /// An API key, sent with the request or shown when signing in.
    Key(Arc<KeyHolder>),
    /// A command, run by this user of the operating system.
    CommandLine(Arc<str>),
    /// The server by itself: retention, jobs.
    Server,
}

/// What is known of a key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    pub id: String,
    /// As given when the key was made.
    pub name: String,
}

impl Actor {
    pub fn local_user(address: Option<IpAddr>) -> Actor {
        Actor { identity: Identity::LocalUser, address, role: Some(Role::Admin) }
    }

    /// `user`: of the operating system.
    pub fn command_line(user: &str) -> Actor {
        Actor { identity: Identity::CommandLine(user.into()), address: None, role: Some(Role::Admin) }
    }

    pub fn server() -> Actor {
        Actor { identity: Identity::Server, address: None, role: None }
    }

    /// In the audit table.
    pub fn kind(&self) -> &'static str {
        match self.identity {
            Identity::LocalUser => "local_user",
            Identity::Key(_) => "key",
            Identity::CommandLine(_) => "command_line",
            Identity::Server => "server",
        }
    }

    /// In the author column of what was written by hand. Two keys may have the same name.
    pub fn name(&self) -> &str {
        match &self.identity {
            Identity::LocalUser => "local user",
            Identity::Key(key) => &key.name,
            Identity::CommandLine(user) => user,
            Identity::Server => "server",
        }
    }

    pub fn key(&self) -> Option<&str> {
        match &self.identity {
            Identity::Key(key) => Some(&key.id),
            Identity::LocalUser | Identity::CommandLine(_) | Identity::Server => None,
        }
    }

    /// The operating system's name for the user.
    pub fn user(&self) -> Option<&str> {
        match &self.identity {
            Identity::CommandLine(user) => Some(user),
            Identity::LocalUser | Identity::Key(_) | Identity::Server => None,
        }
    }
}

/// As log lines and traces name the actor. The address is a field of its own there.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.identity {
            Identity::Key(key) => write!(f, "key {} ({})", key.id, key.name),
            Identity::CommandLine(user) => write!(f, "command line ({user})"),
            Identity::LocalUser | Identity::Server => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_named_by_what_identifies_it() {
        let key = KeyHolder { id: "0123456789abcdef".into(), name: "ci".into() };
        let by_key = Actor { identity: Identity::Key(key.into()), address: None, role: None };
        let check = |actor: Actor, kind, name, key, user, shown: &str| {
            assert_eq!((actor.kind(), actor.name()), (kind, name));
            assert_eq!((actor.key(), actor.user(), actor.to_string().as_str()), (key, user, shown));
        };
        check(by_key, "key", "ci", Some("0123456789abcdef"), None, "key 0123456789abcdef (ci)");
        check(Actor::local_user(None), "local_user", "local user", None, None, "local user");
        let root = Actor::command_line("root");
        check(root, "command_line", "root", None, Some("root"), "command line (root)");
        check(Actor::server(), "server", "server", None, None, "server");
    }

    #[test]
    fn a_later_role_may_do_more_than_an_earlier_one() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        let names = [Role::Viewer, Role::Operator, Role::Admin]
            .map(|role| serde_json::to_value(role).expect("a name"));
        assert_eq!(names, [Role::Viewer, Role::Operator, Role::Admin].map(|role| role.as_str()));
    }
}
