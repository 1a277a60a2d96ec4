//! The dashboard: the Overview's figures, and its quieter panels.

use super::{Carried, Failure, wire::Wire};
#[cfg(feature = "ssr")]
use super::{backend::Answer, failure};
use leptos::{
    prelude::*,
    server_fn::codec::{GetUrl, Post},
};
#[cfg(feature = "ssr")]
use streamgauge_core::{
    metric::range::View,
    page::{board::Overview, panels::Panels},
};

#[cfg(feature = "ssr")]
pub trait Dashboard: Send + Sync + 'static {
    fn overview(&self, view: View) -> Answer<'_, Overview>;
    fn panels(&self, view: View) -> Answer<'_, Panels>;
}

/// The Overview's figures. `view`: [`View::query`].
#[server(name = ReadOverview, prefix = "/api/app", endpoint = "overview", input = GetUrl, output = Post<Wire>)]
pub async fn overview(view: String) -> Result<Carried, Failure> {
    let areas = failure::areas()?;
    let mut board = areas.dashboard.overview(View::parse(&view)).await?;
    // Charts without levels are better than no charts.
    if let Ok(alerts) = areas.alerts.overview().await {
        board.watched = crate::alerts::watched(&alerts, board.as_of);
    }
    Ok(board.into())
}

/// The Overview's quieter panels, which are rendered on the server alone.
#[cfg(feature = "ssr")]
pub fn panels(view: View) -> impl Future<Output = Result<Panels, Failure>> + Send {
    let areas = failure::areas();
    async move { Ok(areas?.dashboard.panels(view).await?) }
}

#[cfg(feature = "ssr")]
pub(super) fn register() {
    leptos::server_fn::axum::register_explicit::<ReadOverview>();
}
