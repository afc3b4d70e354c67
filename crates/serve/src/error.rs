//! Why a server cannot begin.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What keeps the server from serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A setting is out of its bounds.
    #[error("serve.{name} = {value} cannot be; it must be {bounds}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        bounds: String,
    },
    /// Nothing to serve.
    #[error("there is no model to serve")]
    NoModel,
    /// Two models have one name.
    #[error("two models have the name `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
    /// A model cannot be loaded, or failed on its first row.
    #[error("cannot load the model `{name}`: {reason}")]
    Model {
        /// Its name.
        name: String,
        /// What it said.
        reason: String,
    },
    /// The file of API keys cannot be read.
    #[error("cannot read the API keys of {}: {source}", path.display())]
    KeysUnread {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of the file of API keys is none.
    #[error("line {line} of {} is no API key: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; its text is secret.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file of API keys has none.
    #[error("{} has no API key", path.display())]
    NoKeys {
        /// The file.
        path: PathBuf,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Threads or signals are not to be had.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl ServeError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoModel => "name a model or an encoder".to_owned(),
            Self::SameName { .. } => "give one of them another name".to_owned(),
            Self::Key { .. } | Self::NoKeys { .. } => {
                "write one key a line, at least 16 letters and digits; lines that begin with # are remarks"
                    .to_owned()
            }
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "another program listens there; take another port, or 0 for a free one".to_owned()
            }
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "ports below 1024 need rights; take a higher one".to_owned()
            }
            Self::Setting { .. }
            | Self::Model { .. }
            | Self::KeysUnread { .. }
            | Self::Listen { .. }
            | Self::System { .. } => return None,
        })
    }
}
