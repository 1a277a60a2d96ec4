use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Made for the first test that needs it and ended with the last that holds it. A plain static would never be
/// dropped, and the processes behind it would stay.
pub struct Shared<T>(Mutex<Weak<T>>);

impl<T> Shared<T> {
    pub const fn new() -> Shared<T> {
        Shared(Mutex::new(Weak::new()))
    }

    pub fn get(&self, make: impl FnOnce() -> T) -> Arc<T> {
        // A test that failed while making it leaves nothing behind.
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.upgrade().unwrap_or_else(|| {
            let made = Arc::new(make());
            *slot = Arc::downgrade(&made);
            made
        })
    }
}
