//! Texts there and back through another language (back-translation, Sennrich, Haddow & Birch 2016).
//!
//! Who translates is a program of the user's (by default Apertium), a server, or a Marian model that libtorch runs.

mod command;
mod direction;
mod error;
mod kept;
mod model;
mod round_trip;
mod server;

pub use error::TranslationError;
pub use model::{LoadTranslator, Translate, Translator};
pub use round_trip::RoundTrips;
