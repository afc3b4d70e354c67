//! Intel's Advanced Matrix Extensions: whether this process may use them, and their instructions.

use std::arch::asm;
use std::sync::OnceLock;

use super::tiles::{TILE, Tiles};

/// The unit of this thread, set up; it is let go of when dropped, so that the system has no tiles to save.
pub struct Amx(());

impl Amx {
    /// Set the unit up: all eight tiles have 16 rows of 64 bytes.
    ///
    /// # Safety
    /// [`may_use`] said yes.
    pub unsafe fn start() -> Self {
        /// What `LDTILECFG` reads: the palette, the row to start at, 14 bytes of nothing, bytes in a row of each tile, rows of each.
        #[repr(C, align(64))]
        struct Config {
            palette: u8,
            start: u8,
            nothing: [u8; 14],
            bytes: [u16; 16],
            rows: [u8; 16],
        }
        let each = |n: usize, value: u16| if n < 8 { value } else { 0 };
        let config = Config {
            palette: 1,
            start: 0,
            nothing: [0; 14],
            bytes: std::array::from_fn(|n| each(n, 4 * TILE as u16)),
            rows: std::array::from_fn(|n| each(n, TILE as u16) as u8),
        };
        // SAFETY: the caller answers for the unit; the configuration is one that palette 1 has.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const config, options(readonly, nostack, preserves_flags))
        };
        Self(())
    }
}

impl Drop for Amx {
    fn drop(&mut self) {
        // SAFETY: the unit was set up.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}

// SAFETY: each function only wraps the instruction that it names. The compiler itself never uses tiles, so that what one of these
// blocks leaves in them is what the next one finds.
unsafe impl Tiles for Amx {
    #[inline(always)]
    unsafe fn zero<const T: usize>(&mut self) {
        unsafe { asm!("tilezero tmm{}", const T, options(nomem, nostack, preserves_flags)) };
    }
    #[inline(always)]
    unsafe fn load<const T: usize>(&mut self, from: *const u32, stride: usize) {
        unsafe {
            asm!("tileloadd tmm{}, [{} + {}]", const T, in(reg) from, in(reg) 4 * stride,
                options(readonly, nostack, preserves_flags));
        }
    }
    #[inline(always)]
    unsafe fn store<const T: usize>(&mut self, to: *mut f32, stride: usize) {
        unsafe {
            asm!("tilestored [{} + {}], tmm{}", in(reg) to, in(reg) 4 * stride, const T, options(nostack, preserves_flags));
        }
    }
    #[inline(always)]
    unsafe fn dot<const SUMS: usize, const LEFT: usize, const RIGHT: usize>(&mut self) {
        unsafe {
            asm!("tdpbf16ps tmm{}, tmm{}, tmm{}", const SUMS, const LEFT, const RIGHT,
                options(nomem, nostack, preserves_flags));
        }
    }
}

/// Why a process cannot use the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The processor has none.
    #[error("the processor has no matrix unit AMX")]
    Missing,
    /// An old kernel, a filter on system calls, or signal stacks that are too small.
    #[error("the system does not let this process use the processor's matrix unit AMX")]
    NotPermitted,
}

/// Whether this process may use the unit for bfloat16; asks the system the first time.
///
/// # Errors
/// Why not.
pub fn may_use() -> Result<(), Refused> {
    static ANSWER: OnceLock<Result<(), Refused>> = OnceLock::new();
    *ANSWER.get_or_init(|| match is_listed() {
        false => Err(Refused::Missing),
        true if permitted() => Ok(()),
        true => Err(Refused::NotPermitted),
    })
}

/// Whether the processor has tiles of bfloat16, and the conversion that goes with them on every processor so far.
fn is_listed() -> bool {
    let listed = raw_cpuid::CpuId::new().get_extended_feature_info();
    listed.is_some_and(|listed| listed.has_amx_bf16() && listed.has_amx_tile())
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bf16")
}

/// Ask Linux for tiles (Documentation/arch/x86/xstate.rst); the permission is the process's, for all of its threads.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_int = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_ulong = 18;
    // SAFETY: changes nothing but what it is asked for.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Refuses this thread the system call that asks for tiles, as a container's filter may (seccomp).
    fn refuse() {
        let load = |offset: u32| libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: offset };
        let skip_unless = |value: u32, skip: u8| libc::sock_filter { code: 0x15, jt: 0, jf: skip, k: value };
        let answer = |value: u32| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: value };
        let mut rules = [
            load(0), // the call's number
            skip_unless(libc::SYS_arch_prctl as u32, 1),
            answer(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
            answer(libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: rules.len() as u16, filter: rules.as_mut_ptr() };
        // SAFETY: the rules outlive the call, and bind this thread alone.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
        }
    }

    #[test]
    fn what_the_system_refuses_is_not_used() {
        let refused = std::thread::spawn(|| {
            refuse();
            permitted()
        });
        assert!(!refused.join().unwrap());
        assert_eq!(may_use().is_ok(), is_listed() && permitted());
    }
}
