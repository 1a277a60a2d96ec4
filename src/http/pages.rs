//! The Leptos app: each request with what its page finds in the context.

use super::timing;
use crate::{
    backend::{self, Figures},
    node::Node,
};
use axum::{
    Extension,
    extract::Request,
    response::{IntoResponse, Response},
};
use leptos::prelude::provide_context;
use std::sync::Arc;
use streamgauge_app::{
    api::backend::{Areas, Assets, ServedBy},
    shell,
};

/// Everything a page's request needs.
pub struct Pages {
    node: Arc<Node>,
    areas: Areas,
    assets: Assets,
}

impl Pages {
    pub fn new(node: Arc<Node>, figures: Arc<Figures>, assets: Assets) -> Pages {
        // What leptos_axum's own router would do first: tell Leptos which runtime spawns its tasks.
        timing::init_executor();
        streamgauge_app::api::register();
        let areas = backend::areas(&node, figures);
        Pages { node, areas, assets }
    }

    fn contexts(&self) -> impl Fn() + Clone + Send + Sync + 'static {
        let (node, areas, assets) = (self.node.clone(), self.areas.clone(), self.assets.clone());
        move || {
            provide_context(ServedBy {
                node: node.settings.node.clone(),
                version: env!("CARGO_PKG_VERSION"),
                is_closed: node.access.is_closed(),
            });
            provide_context(areas.clone());
            provide_context(assets.clone());
        }
    }
}

/// Any page; the app's own router decides which, and that an unknown one is a 404.
pub async fn page(Extension(pages): Extension<Arc<Pages>>, request: Request) -> Response {
    leptos_axum::render_app_async_with_context(pages.contexts(), shell)(request).await
}

/// `/api/app/{function}`.
pub async fn function(Extension(pages): Extension<Arc<Pages>>, request: Request) -> Response {
    leptos_axum::handle_server_fns_with_context(pages.contexts(), request).await.into_response()
}
