//! The signals that a server hears: stop, and load again.

use std::io;

use super::handle::Handle;

/// Have SIGTERM and SIGINT stop the server, a second one at once, and SIGHUP load its models and keys again.
///
/// # Errors
/// The system does not let signals be heard.
#[cfg(unix)]
pub fn hear(handle: &Handle) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let handle = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => handle.stop(),
                _ = interrupt.recv() => handle.stop(),
                _ = hang_up.recv() => handle.reload(),
            }
        }
    });
    Ok(())
}

/// Have Ctrl-C stop the server, and a second one at once.
///
/// # Errors
/// Never at once.
#[cfg(not(unix))]
pub fn hear(handle: &Handle) -> io::Result<()> {
    let handle = handle.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            handle.stop();
        }
    });
    Ok(())
}
