//! Memory by the page, as large ones as the system gives: packed weights are read from end to end in every pass, and at start
//! each small page would be a call of the kernel. Rows in it begin where the processor's cache lines do, if their lengths allow:
//! a vector that lies across two lines takes twice as long.

use std::io;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Words, zero at first.
pub struct Arena(MmapMut);

impl Arena {
    /// Memory for `words`.
    ///
    /// # Errors
    /// There is not so much.
    pub fn new(words: usize) -> io::Result<Self> {
        let bytes = words.checked_mul(size_of::<u32>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let map = MmapMut::map_anon(bytes.max(1))?;
        // Only faster where the system heeds it.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Self(map))
    }
}

impl Deref for Arena {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        // A map begins at a page, so its words are whole.
        bytemuck::cast_slice(&self.0[..self.0.len() / size_of::<u32>() * size_of::<u32>()])
    }
}

impl DerefMut for Arena {
    fn deref_mut(&mut self) -> &mut [u32] {
        let whole = self.0.len() / size_of::<u32>() * size_of::<u32>();
        bytemuck::cast_slice_mut(&mut self.0[..whole])
    }
}

/// A thread's memory for one kind of numbers, kept from one pass to the next.
#[derive(Default)]
pub struct Buffer(Option<Arena>);

impl Buffer {
    /// The first `count` words, whatever they hold.
    ///
    /// # Panics
    /// There is not so much memory.
    pub fn words(&mut self, count: usize) -> &mut [u32] {
        if self.0.as_ref().is_none_or(|arena| arena.len() < count) {
            // Freed before more is asked for.
            self.0 = None;
        }
        &mut self.0.get_or_insert_with(|| Arena::new(count).expect("memory for a batch"))[..count]
    }

    /// All words that it has had.
    pub fn as_words(&self) -> &[u32] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The first `count` numbers, whatever they are.
    ///
    /// # Panics
    /// As [`Buffer::words`].
    pub fn numbers(&mut self, count: usize) -> &mut [f32] {
        bytemuck::cast_slice_mut(self.words(count))
    }
}
