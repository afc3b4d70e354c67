//! One text on several threads: each makes some columns of every product, and gives them to the others.
//!
//! So each fetches its part of the weights alone, which is what takes the time with one text. How a column's sums are added up
//! does not depend on which thread makes it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use super::arena::Buffer;

/// Looks at what the others have done before a thread lets others run: some ten to a hundred microseconds.
const LOOKS: usize = 4000;

/// What a thread has written for the others, this time and the time before, which some may still read.
pub type Written = [RwLock<Buffer>; 2];

/// Threads with one text.
pub struct Team<'a> {
    written: Vec<&'a Written>,
    /// Times that a thread came to the end of what it writes.
    arrived: AtomicUsize,
    /// Whether a thread will not come.
    broken: AtomicBool,
}

/// One of them.
pub struct Member<'a> {
    team: &'a Team<'a>,
    place: usize,
    /// Times that it has given the others its part.
    given: usize,
}

/// How rows lie in memory whose columns are shared out.
#[derive(Clone, Copy)]
pub struct Shared {
    /// Words of the shares' unit, which is a multiple of what lies together in a row.
    pub unit: usize,
    /// Units in a row.
    pub count: usize,
    pub rows: usize,
    /// Rows whose like columns lie one behind the other.
    pub height: usize,
}

impl<'a> Team<'a> {
    /// As many threads as can write.
    pub fn new(written: Vec<&'a Written>) -> Self {
        Self { written, arrived: AtomicUsize::new(0), broken: AtomicBool::new(false) }
    }

    pub fn member(&self, place: usize) -> Member<'_> {
        Member { team: self, place, given: 0 }
    }

    /// The part that the thread `place` has of so many things.
    fn share(&self, place: usize, count: usize) -> Range<usize> {
        let begin = |place: usize| count * place / self.written.len();
        begin(place)..begin(place + 1)
    }
}

impl Member<'_> {
    /// The own part of so many things.
    pub fn share(&self, count: usize) -> Range<usize> {
        self.team.share(self.place, count)
    }

    /// Give the others the own columns of `words`, and take theirs.
    ///
    /// # Panics
    /// Another thread of the team did.
    pub fn exchange(&mut self, words: &mut [u32], shared: Shared) {
        let Self { team, place, given } = *self;
        let Shared { unit, count, rows, height } = shared;
        let blocks = rows.div_ceil(height);
        // Where a block's columns are in all of the words and in those of the thread that has them.
        let parts = |share: Range<usize>| {
            let width = share.len() * unit * height;
            let from = move |block: usize| (block * count + share.start) * unit * height;
            (0..blocks)
                .map(move |block| (from(block)..from(block) + width, block * width..(block + 1) * width))
        };
        let own = team.share(place, count);
        {
            let mut written = team.written[place][given % 2].write().unwrap_or_else(PoisonError::into_inner);
            let written = written.words(blocks * own.len() * unit * height);
            for (all, part) in parts(own) {
                written[part].copy_from_slice(&words[all]);
            }
        }
        self.given += 1;
        team.arrived.fetch_add(1, Ordering::Release);
        let (all, mut looks) = (self.given * team.written.len(), 0);
        while team.arrived.load(Ordering::Acquire) < all {
            assert!(!team.broken.load(Ordering::Relaxed), "another thread of the text has failed");
            looks += 1;
            if looks < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        for member in (0..team.written.len()).filter(|member| *member != place) {
            let written = team.written[member][given % 2].read().unwrap_or_else(PoisonError::into_inner);
            for (all, part) in parts(team.share(member, count)) {
                words[all].copy_from_slice(&written.as_words()[part]);
            }
        }
    }
}

/// Tells the others where a thread that panics leaves them.
pub struct Present<'a>(pub &'a Team<'a>);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
    }
}
