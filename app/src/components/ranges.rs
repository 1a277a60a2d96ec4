//! Whose figures, over which range: it lives in the address.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use streamgauge_core::range::View;

/// What the address asks for; what makes no sense is the default.
pub fn asked() -> Memo<View> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| View::of(|name| query.get(name))))
}
