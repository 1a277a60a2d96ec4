//! The one cursor over all charts: what the pointer is on in one of them is marked and read out in all.

use leptos::{ev::PointerEvent, prelude::*, wasm_bindgen::JsCast};
use web_sys::Element;

/// The moment that is pointed at, Unix seconds.
#[derive(Clone, Copy)]
pub struct Cursor(pub RwSignal<Option<i64>>);

impl Cursor {
    pub fn provide() {
        provide_context(Cursor(RwSignal::new(None)));
    }

    pub fn of_page() -> Cursor {
        use_context().unwrap_or_else(|| Cursor(RwSignal::new(None)))
    }

    /// Follows the pointer over a plot that shows `from` to `to` in steps of `step`.
    pub fn follow(self, event: &PointerEvent, from: i64, to: i64, step: i64) {
        let Some(plot) = event.current_target().and_then(|target| target.dyn_into::<Element>().ok()) else {
            return;
        };
        let shape = plot.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - shape.left()) / shape.width().max(1.0);
        let steps = (share.clamp(0.0, 1.0) * (to - from) as f64 / step.max(1) as f64).round() as i64;
        let at = Some(from + steps * step);
        if self.0.get_untracked() != at {
            self.0.set(at);
        }
    }

    pub fn leave(self) {
        self.0.set(None);
    }
}
