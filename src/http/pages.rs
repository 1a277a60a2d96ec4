//! The Leptos app, and what it asks the server.

use super::{
    figures::{Figures, unavailable},
    load_tests::LISTED as LISTED_LOAD_TESTS,
    timing,
};
use crate::{clock, node::Node};
use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use leptos::prelude::provide_context;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use streamgauge_app::{
    api::backend::{Answer, Assets, Backend, ServedBy, SharedBackend, Unavailable},
    shell,
};
use streamgauge_core::{
    load_test::{Kept, KeptList},
    metric::range::View,
    page::{
        board::Overview,
        panels::Panels,
        view::{Found, PublicSession, Search, SessionList},
    },
    session::{ids::SessionId, timeline::Story},
    settings::limits::Limit,
    text::is_label,
};

/// Everything a page's request needs.
#[derive(Clone)]
pub struct Pages {
    node: Arc<Node>,
    backend: SharedBackend,
    assets: Assets,
}

impl Pages {
    pub fn new(node: Arc<Node>, figures: Arc<Figures>, assets: Assets) -> Pages {
        // What leptos_axum's own router would do first: tell Leptos which runtime spawns its tasks.
        timing::init_executor();
        streamgauge_app::api::register();
        let backend = Arc::new(Reader { node: node.clone(), figures, list: Mutex::default() });
        Pages { node, backend, assets }
    }

    fn contexts(&self) -> impl Fn() + Clone + Send + Sync + 'static {
        let Pages { node, backend, assets } = self.clone();
        move || {
            provide_context(ServedBy {
                node: node.settings.node.clone(),
                version: env!("CARGO_PKG_VERSION"),
                is_closed: node.access.is_closed(),
            });
            provide_context(backend.clone());
            provide_context(assets.clone());
        }
    }

    /// Any page; the app's own router decides which, and that an unknown one is a 404.
    pub async fn page(self, request: Request<Body>) -> Response {
        leptos_axum::render_app_async_with_context(self.contexts(), shell)(request).await
    }

    /// `/api/app/{function}`.
    pub async fn function(self, request: Request<Body>) -> Response {
        leptos_axum::handle_server_fns_with_context(self.contexts(), request).await.into_response()
    }
}

/// The pages' door to the server.
struct Reader {
    node: Arc<Node>,
    figures: Arc<Figures>,
    list: Mutex<SessionList>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    async fn session(&self, id: SessionId) -> Result<Option<PublicSession>, Unavailable> {
        let node = &self.node;
        let current = node.door.broker.current(&id).await;
        let event = match current {
            Ok(Some(current)) => current.event.map(Arc::unwrap_or_clone),
            // The broker dropped it or is unreachable: the row in PostgreSQL still tells how it ended.
            gone => match (node.store.sessions().find(&id).await, gone) {
                (Ok(Some(event)), _) => event,
                (Ok(None), Ok(_)) => return Ok(None),
                _ => {
                    return Err(Unavailable(
                        "This session cannot be read now. Try again in a moment.".into(),
                    ));
                }
            },
        };
        Ok(Some(PublicSession {
            cohort: node.cohort(&id),
            current: event,
            poll_url: super::follow::poll_url(&id),
            heartbeat_ms: node.door.hub.limits().get(Limit::HeartbeatMs).into(),
            id,
        }))
    }
}

fn no_load_tests(error: &dyn std::fmt::Display) -> Unavailable {
    tracing::debug!(%error, "load tests could not be read");
    Unavailable("Load tests are in PostgreSQL, which cannot be reached.".into())
}

impl Backend for Reader {
    fn overview(&self, view: View) -> Answer<'_, Overview> {
        Box::pin(self.figures.overview(view))
    }

    fn panels(&self, view: View) -> Answer<'_, Panels> {
        Box::pin(self.figures.panels(view))
    }

    fn find_sessions(&self, search: Search) -> Answer<'_, Found> {
        Box::pin(async move {
            let found = self.node.store.sessions().search(&search, clock::now_ms()).await;
            found.map_err(|error| unavailable("Sessions", &error))
        })
    }

    fn story(&self, id: SessionId) -> Answer<'_, Option<Story>> {
        Box::pin(async move {
            let read = self.node.store.sessions().timeline(&id).await;
            read.map_err(|error| unavailable("Timelines", &error))
        })
    }

    fn sessions(&self) -> Answer<'_, SessionList> {
        Box::pin(async move {
            let node = &self.node;
            match node.store.sessions().list(|id| node.door.hub.followers(id)).await {
                Ok(list) => {
                    *lock(&self.list) = list.clone();
                    Ok(list)
                }
                Err(_) => Ok(SessionList { complete: false, ..lock(&self.list).clone() }),
            }
        })
    }

    fn session(&self, id: SessionId) -> Answer<'_, Option<PublicSession>> {
        Box::pin(self.session(id))
    }

    fn load_tests(&self, scenario: Option<String>) -> Answer<'_, KeptList> {
        Box::pin(async move {
            // What no scenario can be called has no runs, and is no text to PostgreSQL either.
            if scenario.as_deref().is_some_and(|name| !is_label(name, 64)) {
                return Ok(KeptList::default());
            }
            let list = self.node.store.load_tests().list(scenario.as_deref(), LISTED_LOAD_TESTS).await;
            list.map_err(|error| no_load_tests(&error))
        })
    }

    fn load_test(&self, id: i64) -> Answer<'_, Option<Kept>> {
        Box::pin(
            async move { self.node.store.load_tests().find(id).await.map_err(|error| no_load_tests(&error)) },
        )
    }
}
