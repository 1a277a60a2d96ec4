//! What changes on a page, in as few types as can be. Leptos compiles its building, hydrating and rebuilding once for
//! each type of closure; with these three the browser downloads that code once and not ninety times.

use leptos::prelude::*;

/// A text, or an attribute, that follows its signals.
pub fn text(read: impl Fn() -> String + Send + Sync + 'static) -> Signal<String> {
    Signal::derive(read)
}

/// A piece of the page that follows its signals.
pub type Part = Box<dyn FnMut() -> AnyView + Send>;

pub fn part(show: impl FnMut() -> AnyView + Send + 'static) -> Part {
    Box::new(show)
}

/// A piece of the page that stands on something still being read.
pub type Waiting = Box<dyn FnMut() -> Suspend<AnyView> + Send>;

pub fn waiting<F>(mut show: impl FnMut() -> F + Send + 'static) -> Waiting
where
    F: Future<Output = AnyView> + Send + 'static,
{
    Box::new(move || Suspend::new(show()))
}
