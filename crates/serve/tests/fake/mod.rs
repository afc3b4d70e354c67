//! What the tests of the server share.

pub mod model;
pub mod running;
