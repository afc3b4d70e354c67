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
    HeadError::Torch(without_frames(&error.to_string()).to_owned())
}

/// What libtorch says, without the addresses that it was at when it said it, whether lines are lines or `\n`.
pub fn without_frames(said: &str) -> &str {
    const MARKS: [&str; 2] = ["Exception raised from", "frame #0"];
    let end = MARKS.iter().filter_map(|mark| said.find(mark)).min().unwrap_or(said.len());
    let text = said[..end].trim_end();
    text.strip_suffix("\\n").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_off() {
        let said = "index out of range in self\nException raised from operator() at ../a.cpp:1 (most recent call first):\nframe #0: x";
        assert_eq!(without_frames(said), "index out of range in self");
        let escaped = format!("called unwrap() on {said:?}");
        assert_eq!(without_frames(&escaped), "called unwrap() on \"index out of range in self");
        assert_eq!(without_frames("no frames"), "no frames");
    }
}
