//! One text on several threads: each takes some of its tokens through all layers, and gives the others their keys and values.
//!
//! A token's numbers do not depend on which thread has it: only attention looks at other tokens, and that at the same words.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// Looks at what the others have done before a thread lets others run: about ten microseconds.
const LOOKS: usize = 4000;

/// Threads with one text.
pub struct Team {
    /// The tokens of each.
    parts: Vec<Range<usize>>,
    /// What each has written for the others, in this layer and in the one before, which some may still read.
    written: Vec<[RwLock<Vec<u32>>; 2]>,
    /// Times that a thread came to the end of what it writes.
    arrived: AtomicUsize,
    /// Whether a thread will not come.
    broken: AtomicBool,
}

/// One of them.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    team: &'a Team,
    place: usize,
}

impl Team {
    /// `count` threads for a text of so many `tokens`.
    pub fn new(tokens: usize, count: usize) -> Self {
        let part = |place: usize| tokens * place / count..tokens * (place + 1) / count;
        Self {
            parts: (0..count).map(part).collect(),
            written: (0..count).map(|_| Default::default()).collect(),
            arrived: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    pub fn member(&self, place: usize) -> Member<'_> {
        Member { team: self, place }
    }
}

impl Member<'_> {
    /// Its tokens.
    pub fn tokens(self) -> Range<usize> {
        self.team.parts[self.place].clone()
    }

    /// Where its part of so many things begins.
    pub fn share_of(self, count: usize) -> usize {
        count * self.place / self.team.parts.len()
    }

    /// Give the others the own rows of `rows`, each of `stride` words, and take theirs. `layer` counts how often that was done.
    ///
    /// # Panics
    /// Another thread of the team did.
    pub fn exchange(self, rows: &mut [u32], stride: usize, layer: usize) {
        let Self { team, place } = self;
        let words = |of: &Range<usize>| of.start * stride..of.end * stride;
        let slot = |member: usize| &team.written[member][layer % 2];
        {
            let mut own = slot(place).write().unwrap_or_else(PoisonError::into_inner);
            own.clear();
            own.extend_from_slice(&rows[words(&team.parts[place])]);
        }
        team.arrived.fetch_add(1, Ordering::Release);
        let (all, mut looks) = ((layer + 1) * team.parts.len(), 0);
        while team.arrived.load(Ordering::Acquire) < all {
            assert!(!team.broken.load(Ordering::Relaxed), "another thread of the text has failed");
            looks += 1;
            if looks < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        for (member, part) in team.parts.iter().enumerate().filter(|(member, _)| *member != place) {
            let written = slot(member).read().unwrap_or_else(PoisonError::into_inner);
            rows[words(part)].copy_from_slice(&written);
        }
    }
}

/// Tells the others where a thread that panics leaves them.
pub struct Present<'a>(pub &'a Team);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
    }
}
