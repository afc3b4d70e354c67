//! Connections: how many, how long their headers may take and be, how long one may take nothing of its answer.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::app::App;
use super::guard::Peer;

/// Headers of one request.
const MOST_HEADERS: usize = 64;

/// What a connection is told that finds all places taken.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
connection: close\r\n\r\n\
{\"error\":{\"message\":\"as many connections are open as may be; ask again in a moment, or raise serve.connections\",\
\"type\":\"server_error\",\"code\":\"unavailable\"}}";

/// Serve all connections until `stop`; then those that are open until they have what they asked for, or until `cut`.
pub async fn serve(
    app: &Arc<App>,
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    cut: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let open = Arc::new(AtomicUsize::new(0));
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(_) => {
                // Too many open files, most likely: it passes when others go.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(place) = Place::take(app, &open) else {
            let _ = stream.try_write(FULL);
            continue;
        };
        let served = one(app.clone(), stream, Peer(peer.ip()), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            served.await;
            drop(place);
        });
    }
    drop(listener);
    app.begin_stop();
    tokio::select! {
        () = graceful.shutdown() => {}
        () = cut => {}
    }
}

/// One of the connections that may be open at once.
struct Place {
    app: Arc<App>,
    open: Arc<AtomicUsize>,
}

impl Place {
    fn take(app: &Arc<App>, open: &Arc<AtomicUsize>) -> Option<Self> {
        let most = app.settings.connections;
        let more = |now: usize| (now < most).then_some(now + 1);
        let before = open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        app.metrics.connections(before + 1);
        Some(Self { app: app.clone(), open: open.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let before = self.open.fetch_sub(1, Ordering::Relaxed);
        self.app.metrics.connections(before.saturating_sub(1));
    }
}

async fn one(app: Arc<App>, stream: TcpStream, peer: Peer, router: Router, watcher: Watcher) {
    let _ = stream.set_nodelay(true);
    let settings = &app.settings;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(Duration::from_secs_f64(settings.write_timeout_s)));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let answer = router.clone().oneshot(request);
        async move {
            let Ok(response) = answer.await;
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs_f64(settings.header_timeout_s))
        .max_buf_size(settings.header_bytes)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    // Garbage, a timeout or a client that went: it concerns nobody else.
    let _ = watcher.watch(connection).await;
}
