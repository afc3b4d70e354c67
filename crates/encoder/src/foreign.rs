//! Other people's decoders, which may panic at data that is damaged or hostile: what they panic at is the data's fault and is told
//! as such.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static UNDER_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside [`guarded`], so that a panic says something of the data and nothing of this program.
pub fn is_under_way() -> bool {
    UNDER_WAY.get()
}

/// What `decode` gives, or what it said when it panicked.
///
/// # Errors
/// It panicked.
pub fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    let before = UNDER_WAY.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    UNDER_WAY.set(before);
    decoded.map_err(|panic| said(panic.as_ref()))
}

/// The first line of what a panic said; empty where it said nothing.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_what_was_said_and_the_thread_goes_on() {
        assert_eq!(guarded(|| 3), Ok(3));
        assert_eq!(guarded::<()>(|| panic!("bad at {}\nand more", 7)), Err("bad at 7".into()));
        assert_eq!(guarded::<()>(|| panic!("bad")), Err("bad".into()));
        assert!(guarded(is_under_way).unwrap() && !is_under_way());
    }
}
