//! Why a page could not read, in a sentence fit for the page.

use super::wire::Wire;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The server answered that it cannot read now, and what goes on meanwhile.
    Unavailable(String),
    /// The server could not be asked, or its answer could not be read.
    Unreachable(String),
}

impl Failure {
    pub fn title(&self) -> &'static str {
        match self {
            Failure::Unavailable(_) => "These figures cannot be read now.",
            Failure::Unreachable(_) => "The server did not answer.",
        }
    }

    pub fn detail(&self) -> &str {
        match self {
            Failure::Unavailable(text) | Failure::Unreachable(text) => text,
        }
    }
}

impl FromServerFnError for Failure {
    type Encoder = Wire;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Failure {
        Failure::Unreachable(error.to_string())
    }
}

#[cfg(feature = "ssr")]
impl From<super::backend::Unavailable> for Failure {
    fn from(error: super::backend::Unavailable) -> Failure {
        Failure::Unavailable(error.0)
    }
}

/// The server's side, which every request brings in its context.
#[cfg(feature = "ssr")]
pub(super) fn areas() -> Result<super::backend::Areas, Failure> {
    let missing = || Failure::Unavailable("This page was rendered without a server behind it.".into());
    use_context().ok_or_else(missing)
}
