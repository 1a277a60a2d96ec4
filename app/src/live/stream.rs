//! An EventSource that never gives up: browsers end theirs for good after an answer that is no stream.

use super::backoff;
use leptos::prelude::{TimeoutHandle, set_timeout_with_handle};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, EventSource, MessageEvent, js_sys};

/// What became known of the stream.
pub enum Heard {
    Opened,
    /// Cut; the browser tries again by itself.
    Retrying,
    /// Ended for good as the browser sees it: a 204 or an error. It is opened again after a pause, unless
    /// the listener stops the stream.
    Closed,
    Event {
        name: &'static str,
        data: String,
    },
}

/// Open as long as it lives.
#[derive(Clone)]
pub struct Stream(Rc<Inner>);

/// An event's name, and what is called for it.
type Listener = (&'static str, Closure<dyn Fn(Event)>);

struct Inner {
    url: String,
    source: RefCell<Option<EventSource>>,
    listeners: RefCell<Vec<Listener>>,
    attempt: Cell<u32>,
    timer: Cell<Option<TimeoutHandle>>,
    stopped: Cell<bool>,
}

impl Stream {
    /// Listens for the named events (`message`: those without a name).
    pub fn open(url: String, names: &[&'static str], hear: impl Fn(&Stream, Heard) + 'static) -> Stream {
        let stream = Stream(Rc::new(Inner {
            url,
            source: RefCell::default(),
            listeners: RefCell::default(),
            attempt: Cell::new(0),
            timer: Cell::new(None),
            stopped: Cell::new(false),
        }));
        let hear = Rc::new(hear);
        let mut listeners = Vec::new();
        for name in ["open", "error"].into_iter().chain(names.iter().copied()) {
            // Weak: the stream owns its listeners, which must not own the stream.
            let (weak, hear) = (Rc::downgrade(&stream.0), Rc::clone(&hear));
            let listener = Closure::<dyn Fn(Event)>::new(move |event: Event| {
                let Some(stream) = weak.upgrade().map(Stream) else { return };
                if let Some(heard) = stream.understand(name, &event) {
                    let closed = matches!(heard, Heard::Closed);
                    hear(&stream, heard);
                    if closed {
                        stream.open_later();
                    }
                }
            });
            listeners.push((name, listener));
        }
        stream.0.listeners.replace(listeners);
        stream.connect();
        stream
    }

    pub fn stop(&self) {
        self.0.stopped.set(true);
        if let Some(timer) = self.0.timer.take() {
            timer.clear();
        }
        if let Some(source) = self.0.source.take() {
            source.close();
        }
    }

    fn understand(&self, name: &'static str, event: &Event) -> Option<Heard> {
        if self.0.stopped.get() {
            return None;
        }
        match name {
            "open" => {
                self.0.attempt.set(0);
                Some(Heard::Opened)
            }
            "error" => {
                let closed = |source: &EventSource| source.ready_state() == EventSource::CLOSED;
                let closed = self.0.source.borrow().as_ref().is_none_or(closed);
                Some(if closed { Heard::Closed } else { Heard::Retrying })
            }
            name => {
                let data = event.dyn_ref::<MessageEvent>()?.data().as_string()?;
                Some(Heard::Event { name, data })
            }
        }
    }

    fn connect(&self) {
        let Ok(source) = EventSource::new(&self.0.url) else { return };
        for (name, listener) in self.0.listeners.borrow().iter() {
            // Fails for no name that we use.
            let _ = source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
        }
        if let Some(old) = self.0.source.replace(Some(source)) {
            old.close();
        }
    }

    fn open_later(&self) {
        if self.0.stopped.get() {
            return;
        }
        let attempt = self.0.attempt.get();
        self.0.attempt.set(attempt + 1);
        let weak = Rc::downgrade(&self.0);
        let again = move || {
            if let Some(inner) = weak.upgrade().filter(|inner| !inner.stopped.get()) {
                Stream(inner).connect();
            }
        };
        let wait = Duration::from_millis(backoff::wait_ms(attempt, js_sys::Math::random()));
        self.0.timer.set(set_timeout_with_handle(again, wait).ok());
    }
}

/// Held by a component: its end closes the stream.
pub struct Held(pub Stream);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.stop();
    }
}
