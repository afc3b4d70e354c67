//! What tells a running server to stop or to load its models again.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use tokio::sync::watch;

/// Tells a running server to stop or to load its models again. Copies tell the same one.
#[derive(Clone)]
pub struct Handle {
    stops: Arc<watch::Sender<u32>>,
    reloads: Sender<()>,
}

impl Handle {
    /// What is told arrives at the other ends.
    pub(crate) fn new(stops: watch::Sender<u32>, reloads: Sender<()>) -> Self {
        Self { stops: Arc::new(stops), reloads }
    }

    /// Take no more connections, answer what is here, and end; told a second time, end at once.
    pub fn stop(&self) {
        self.stops.send_modify(|times| *times = times.saturating_add(1));
    }

    /// Load all models and the keys again.
    pub fn reload(&self) {
        let _ = self.reloads.send(());
    }
}
