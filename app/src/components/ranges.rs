//! Whose figures, over which range: it lives in the address.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// What the address asks for, behind its question mark. The server alone reads it ([`View::parse`]): figures come with
/// the view that they are of.
///
/// [`View::parse`]: streamgauge_core::metric::range::View::parse
pub fn asked() -> Memo<String> {
    use_location().search
}
