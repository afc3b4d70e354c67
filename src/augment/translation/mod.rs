//! Texts there and back through another language (back-translation, Sennrich, Haddow & Birch 2016).
//!
//! Who translates is a program of the user's (by default Apertium) or a server; neither is part of this one.

mod command;
mod direction;
mod error;
mod kept;
mod round_trip;
mod server;

pub use error::TranslationError;
pub use round_trip::RoundTrips;
