//! The life of a server: it listens, loads its models, answers, loads them again, and stops.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::app::App;
use super::connection::serve;
use super::error::ServeError;
use super::handle::Handle;
use super::log::{Level, Log};
use super::models::Models;
use super::outside::Source;
use super::routes::router;
use super::settings::ServeSettings;
use super::signals;

/// Seconds that answers have to be written once the time to drain is over, and threads to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A server that listens and does not answer yet.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
    sources: Vec<Box<dyn Source>>,
    handle: Handle,
    stops: watch::Receiver<u32>,
    reloads: Receiver<()>,
}

impl Server {
    /// Listen. From now on connections wait; they are served by [`Server::run`].
    ///
    /// # Errors
    /// A setting is out of its bounds, the keys cannot be read, or the address cannot be listened on.
    pub fn bind(
        settings: ServeSettings,
        sources: Vec<Box<dyn Source>>,
        log: Log,
    ) -> Result<Self, ServeError> {
        let address = settings.address;
        let app = Arc::new(App::new(settings, log)?);
        let listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stops_sender, stops) = watch::channel(0);
        let (reloads_sender, reloads) = channel();
        let handle = Handle::new(stops_sender, reloads_sender);
        Ok(Self { app, listener, address, sources, handle, stops, reloads })
    }

    /// Where it listens; its port is never 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stops it.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Load the models and answer until it is told to stop, by its handle or, where `signals`, by the system.
    ///
    /// # Errors
    /// A model cannot be loaded, or the system has no thread.
    pub fn run(self, signals: bool) -> Result<(), ServeError> {
        let Self { app, listener, address, sources, handle, stops, reloads } = self;
        let system = |action: &'static str| move |source| ServeError::System { action, source };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(app.settings.connection_threads)
            .thread_name("connections")
            .enable_all()
            .build()
            .map_err(system("start the threads for connections"))?;
        let (loaded, failure) = channel();
        let (own_app, own_handle) = (app.clone(), handle.clone());
        std::thread::Builder::new()
            .name("models".into())
            .spawn(move || match load(&own_app, sources) {
                Ok(()) => {
                    // Else it would wait for word from itself for ever.
                    drop(own_handle);
                    watch_models(&own_app, &reloads);
                }
                Err(error) => {
                    let _ = loaded.send(error);
                    // Nobody can be answered, so nobody is waited for.
                    own_handle.stop();
                    own_handle.stop();
                }
            })
            .map_err(system("start a thread for the models"))?;
        app.log.line(Level::Info, "listening", json!({ "address": address.to_string() }));
        let result = runtime.block_on(async {
            if signals {
                signals::hear(&handle).map_err(system("hear signals"))?;
            }
            let listener = tokio::net::TcpListener::from_std(listener).map_err(system("listen"))?;
            let counted = tokio::spawn(tidy(app.clone()));
            let (stop, cut) = (told(stops.clone(), 1), cut(app.clone(), stops));
            serve(&app, listener, router(&app), stop, cut).await;
            counted.abort();
            Ok(())
        });
        if let Ok(models) = app.models() {
            models.iter().for_each(|served| served.close());
        }
        runtime.shutdown_timeout(LAST_WORDS);
        app.log.line(Level::Info, "stopped", json!({}));
        app.log.flush(LAST_WORDS);
        failure.try_recv().map_or(result, Err)
    }
}

fn load(app: &App, sources: Vec<Box<dyn Source>>) -> Result<(), ServeError> {
    let models = Models::load(sources, &app.settings, &app.metrics)?;
    let names = json!({ "models": models.names() });
    app.has_loaded(models);
    app.log.line(Level::Info, "ready", names);
    Ok(())
}

/// Load models again when their files change, or when told, until the server has gone.
fn watch_models(app: &App, reloads: &Receiver<()>) {
    let poll = app.settings.reload_poll_s;
    // A day, where there is nothing to look at.
    let wait = Duration::from_secs_f64(if poll > 0.0 { poll } else { 86_400.0 });
    loop {
        match reloads.recv_timeout(wait) {
            Ok(()) => app.reload(true),
            Err(RecvTimeoutError::Timeout) if poll > 0.0 => app.reload(false),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Returns once the server has been told `times` to stop.
async fn told(mut stops: watch::Receiver<u32>, times: u32) {
    // Without a handle there is nobody who could.
    if stops.wait_for(|told| *told >= times).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Returns when connections are not waited for any more: the time to drain is over, or the server was told twice. What waits in a
/// queue is told so first.
async fn cut(app: Arc<App>, stops: watch::Receiver<u32>) {
    told(stops.clone(), 1).await;
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs_f64(app.settings.drain_s)) => {}
        () = told(stops, 2) => {}
    }
    if let Ok(models) = app.models() {
        models.iter().for_each(|served| served.close());
        tokio::time::sleep(LAST_WORDS).await;
    }
}

/// Keep the histograms small between readers of `/metrics`.
async fn tidy(app: Arc<App>) {
    const EVERY: Duration = Duration::from_secs(5);
    loop {
        tokio::time::sleep(EVERY).await;
        app.metrics.tidy();
    }
}
