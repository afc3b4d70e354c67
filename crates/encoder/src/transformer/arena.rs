//! One piece of memory for all packed weights, of pages as large as the system gives: weights are read from end to end in
//! every pass, and at start each small page would be a call of the kernel.

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
