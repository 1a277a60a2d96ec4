//! What a request's address says, or the problem with it. axum's own extractors refuse in plain text.

use super::problem::Problem;
use axum::extract::{FromRequestParts, Path, Query};
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;
use streamgauge_core::{
    session::ids::{BadSessionId, SessionId},
    text::said::plainly,
};

/// The session that the path names.
pub struct Named(pub SessionId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // Not even text, or no id: the same mistake to the client.
        let id = Path::<SessionId>::from_request_parts(parts, state).await.map_err(|_| BadSessionId)?;
        Ok(Named(id.0))
    }
}

/// The query's parameters.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(asked) = query.map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, format!("{}.", plainly(error.body_text())))
        })?;
        Ok(Asked(asked))
    }
}
