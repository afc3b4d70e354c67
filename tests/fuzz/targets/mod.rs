//! The readers of bytes that come from outside, by room.

pub mod config;
pub mod encoder;
pub mod head;
pub mod http;
pub mod model;
pub mod table;
