//! How much is passed at once, so that it has room in memory.

use pipeline::fine_tuning::TuningError;
use pipeline::foreign::guarded;
use tch::Device;

use crate::device::recorded;
use crate::libtorch::without_frames;

/// What libtorch says where memory is too short: on a GPU, and on the processor.
const SAID: [&str; 2] = ["out of memory", "can't allocate memory"];

/// The room of a device.
pub struct Room {
    device: Device,
    /// Things that have had room at once, at most.
    most: usize,
}

impl Room {
    /// All that `device` has.
    pub fn of(device: Device) -> Self {
        Self { device, most: usize::MAX }
    }

    /// What `attempt` gives, which passes so many of `things` at once as it is told: all of them, or half as many as long as they have no
    /// room, and never again more than had. An attempt without room leaves what it has done until then.
    ///
    /// # Errors
    /// One has no room, or what else `attempt` fails with; libtorch's panics are errors.
    pub fn halving<T>(
        &mut self,
        things: usize,
        attempt: &mut dyn FnMut(usize) -> Result<T, TuningError>,
    ) -> Result<T, TuningError> {
        loop {
            let at_once = self.most.min(things).max(1);
            match self.hold(|| attempt(at_once)) {
                Err(TuningError::OutOfMemory { .. }) if at_once > 1 => self.most = at_once / 2,
                Err(TuningError::OutOfMemory { device, said, .. }) => {
                    return Err(TuningError::OutOfMemory { things: at_once, device, said });
                }
                done => return done,
            }
        }
    }

    /// What `work` gives, which cannot be done in pieces.
    ///
    /// # Errors
    /// It has no room, or what else `work` fails with; libtorch's panics are errors.
    pub fn hold<T>(&self, work: impl FnOnce() -> Result<T, TuningError>) -> Result<T, TuningError> {
        let said = match guarded(work) {
            Ok(Err(TuningError::Torch(said))) => said,
            Ok(done) => return done,
            Err(said) => without_frames(&said).to_owned(),
        };
        Err(match SAID.iter().any(|of| said.contains(of)) {
            true => TuningError::OutOfMemory { things: 1, device: recorded(self.device), said },
            false => TuningError::Torch(said),
        })
    }

    /// Things that have had room at once, where it was not all.
    pub fn most(&self) -> Option<usize> {
        (self.most < usize::MAX).then_some(self.most)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::device::CPU;

    /// As tch 0.17 panics where a GPU has no room.
    pub fn no_room() -> ! {
        told_by_tch().unwrap();
        unreachable!()
    }

    fn told_by_tch() -> Result<(), tch::TchError> {
        let said = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.79 GiB of which 17.44 MiB \
                    is free.\nException raised from malloc at ../c10/cuda/CUDACachingAllocator.cpp:1000";
        Err(tch::TchError::Torch(said.into()))
    }

    #[test]
    fn what_has_no_room_is_halved_down_to_one_and_stays_so() {
        let mut room = Room::of(CPU);
        let mut tried = Vec::new();
        let mut attempt = |at_once: usize| {
            tried.push(at_once);
            if at_once > 3 {
                no_room()
            }
            Ok(at_once)
        };
        assert_eq!(room.most(), None);
        assert_eq!(room.halving(16, &mut attempt).unwrap(), 2);
        assert_eq!(room.halving(16, &mut attempt).unwrap(), 2);
        assert_eq!(room.halving(1, &mut attempt).unwrap(), 1);
        assert_eq!((tried, room.most()), (vec![16, 8, 4, 2, 2, 1], Some(2)));
    }

    #[test]
    fn what_has_room_for_not_even_one_says_what_to_lower() {
        let error = Room::of(CPU).halving::<()>(5, &mut |_| no_room()).unwrap_err();
        let TuningError::OutOfMemory { things: 1, said, .. } = &error else { panic!("{error}") };
        assert!(said.contains("Tried to allocate 20.00 MiB") && !said.contains("Exception"), "{said}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("encoder.max_tokens") && hint.contains("train.encoder"), "{hint}");
        // The processor's own words, and an error that is no panic.
        let said = "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.";
        let torch = || Err::<(), _>(TuningError::Torch(said.into()));
        assert!(matches!(Room::of(CPU).hold(torch), Err(TuningError::OutOfMemory { .. })));
    }

    #[test]
    fn other_failures_are_told_as_they_are() {
        let mut tried = 0;
        let mut attempt = |_| {
            tried += 1;
            panic!("index out of range")
        };
        let error = Room::of(CPU).halving::<()>(8, &mut attempt).unwrap_err();
        assert!(matches!(&error, TuningError::Torch(said) if said == "index out of range") && tried == 1);
    }
}
