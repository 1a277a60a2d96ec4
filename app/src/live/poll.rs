//! One GET of a session's current status: the way of the control group, and of a stream that has ended.

use streamgauge_core::status::StatusEvent;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::XmlHttpRequest;

/// Why a poll brought nothing.
pub enum Missed {
    /// 404, or 204: nothing was published yet.
    Nothing,
    Unreachable,
}

/// Asks once and calls `then`. XMLHttpRequest, because one callback is all there is to it.
pub fn once(url: &str, then: impl FnOnce(Result<StatusEvent, Missed>) + 'static) {
    let Ok(request) = XmlHttpRequest::new() else { return };
    if request.open("GET", url).is_err() {
        return;
    }
    let answer = request.clone();
    let done = Closure::once_into_js(move || {
        then(match answer.status() {
            Ok(200) => answer
                .response_text()
                .ok()
                .flatten()
                .and_then(|text| serde_json::from_str(&text).ok())
                .ok_or(Missed::Unreachable),
            Ok(204 | 404) => Err(Missed::Nothing),
            _ => Err(Missed::Unreachable),
        });
    });
    // `loadend` comes after success, failure and abort alike.
    request.set_onloadend(Some(done.unchecked_ref()));
    // A request that cannot be sent still ends with `loadend`.
    let _ = request.send();
}
