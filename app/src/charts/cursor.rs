//! The one cursor over all charts: what is pointed at in one of them, by pointer or by arrow keys, is marked and read out
//! in all. What is drawn over, or marked twice with Enter, is zoomed into.

use super::figure::Window;
use leptos::{
    ev::{KeyboardEvent, PointerEvent},
    prelude::*,
    wasm_bindgen::JsCast,
};
use web_sys::{Element, HtmlElement};

#[derive(Clone, Copy)]
pub struct Cursor {
    /// The moment that is pointed at, Unix seconds.
    pub at: RwSignal<Option<i64>>,
    /// Where drawing began.
    pub from: RwSignal<Option<i64>>,
}

impl Cursor {
    fn new() -> Cursor {
        Cursor { at: RwSignal::new(None), from: RwSignal::new(None) }
    }

    pub fn provide() {
        provide_context(Cursor::new());
    }

    pub fn of_page() -> Cursor {
        use_context().unwrap_or_else(Cursor::new)
    }

    pub fn follow(self, event: &PointerEvent, window: &Window) {
        let Some(plot) = event.current_target().and_then(|target| target.dyn_into::<Element>().ok()) else {
            return;
        };
        let shape = plot.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - shape.left()) / shape.width().max(1.0);
        let (span, step) = ((window.to - window.from) as f64, window.step);
        let steps = (share.clamp(0.0, 1.0) * span / step as f64).round() as i64;
        self.point(window.from + steps * step);
    }

    /// A pointer goes down: what it is drawn over will be zoomed into. Fingers scroll instead.
    pub fn grasp(self, event: &PointerEvent, window: &Window) {
        if event.button() == 0 && event.pointer_type() != "touch" {
            // Otherwise the words beside would be selected.
            event.prevent_default();
            self.follow(event, window);
            self.from.set(self.at.get_untracked());
        }
    }

    pub fn release(self, window: &Window) {
        if let (Some(from), Some(at)) = (self.from.get_untracked(), self.at.get_untracked()) {
            self.from.set(None);
            // A click is no zoom.
            if (at - from).abs() >= 2 * window.step {
                zoom(window, from, at);
            }
        }
    }

    pub fn press(self, event: &KeyboardEvent, window: &Window) {
        let step = window.step;
        let at = self.at.get_untracked().unwrap_or(window.to);
        let stride = if event.shift_key() { 10 * step } else { step };
        match event.key().as_str() {
            "ArrowLeft" => self.point((at - stride).max(window.from)),
            "ArrowRight" => self.point((at + stride).min(window.to)),
            "Home" => self.point(window.from),
            "End" => self.point(window.to),
            "Escape" => self.leave(),
            "Enter" => match self.from.get_untracked() {
                Some(from) if from != at => {
                    self.leave();
                    zoom(window, from, at);
                }
                _ => self.from.set(Some(at)),
            },
            _ => return,
        }
        event.prevent_default();
    }

    pub fn leave(self) {
        self.at.set(None);
        self.from.set(None);
    }

    fn point(self, at: i64) {
        if self.at.get_untracked() != Some(at) {
            self.at.set(Some(at));
        }
    }
}

/// By a link, which the router follows without a new page: an address to share, and a way back.
fn zoom(shown: &Window, one: i64, other: i64) {
    let Ok(link) = document().create_element("a") else { return };
    let (link, Some(body)) = (link.unchecked_into::<HtmlElement>(), document().body()) else { return };
    if link.set_attribute("href", &shown.zoomed(one, other)).is_ok() && body.append_child(&link).is_ok() {
        link.click();
        link.remove();
    }
}
