//! How libtorch is called: on one thread, and with its failures as this project's errors.

use pipeline::heads::HeadError;
use tch::TchError;

/// Make libtorch run each operation on the calling thread. It keeps this for each thread, so whoever may be a new one says
/// it again.
///
/// Parallelism comes from one model a worker thread: for these matrix sizes that is faster than splitting one
/// multiplication over cores, and it makes every result independent of the core count.
pub fn single_threaded() {
    tch::set_num_threads(1);
}

/// What libtorch said, as the error of a head.
pub fn failed(error: TchError) -> HeadError {
    HeadError::Torch(error.to_string())
}
