//! Being told to stop.

use tokio::sync::watch;

/// Answers once `stop` is true, or nobody is left who could say so.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
