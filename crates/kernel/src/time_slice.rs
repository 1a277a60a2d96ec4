//! How soon a thread gets its turn on a processor that others want too. Linux shares processors fairly, and lets who asks
//! for short slices go first: a thread that wakes takes the place of one with a longer slice at once, and waits for the
//! end of the slice of any other (EEVDF, since 6.12; before, this changes nothing). Over time each gets as much as
//! before, which a nice value would change: a thread that is in no hurry and holds a lock is not starved.

use std::{io, mem, time::Duration};

/// The slice of the calling thread, and of the threads and processes that it starts from now on. The kernel takes
/// 0.1 to 100 ms, and the nearest of these for anything else.
pub fn set(slice: Duration) -> io::Result<()> {
    put(u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX))
}

/// The kernel's usual one again, for the calling thread.
pub fn reset() -> io::Result<()> {
    put(0)
}

/// The nice value of the calling thread, and of the threads that it starts from now on: with 5 it gets a third of what a
/// thread with 0 gets while both want the same processor.
pub fn set_nice(nice: i32) -> io::Result<()> {
    let mut attributes = get(0)?;
    attributes.sched_nice = nice;
    apply(&attributes)
}

/// The nice value of a thread by its number, 0 for the calling one.
pub fn nice_of(thread: libc::pid_t) -> io::Result<i32> {
    Ok(get(thread)?.sched_nice)
}

/// The slice of a thread by its number, 0 for the calling one. Zero where the kernel has none to tell.
pub fn of(thread: libc::pid_t) -> io::Result<Duration> {
    Ok(Duration::from_nanos(get(thread)?.sched_runtime))
}

fn get(thread: libc::pid_t) -> io::Result<libc::sched_attr> {
    // SAFETY: sched_attr holds integers alone, for which all zeros is a value.
    let mut attributes: libc::sched_attr = unsafe { mem::zeroed() };
    let size = mem::size_of::<libc::sched_attr>();
    // SAFETY: the kernel writes at most `size` bytes, which `attributes` has.
    let status = unsafe { libc::syscall(libc::SYS_sched_getattr, thread, &raw mut attributes, size, 0) };
    if status == 0 { Ok(attributes) } else { Err(io::Error::last_os_error()) }
}

fn put(nanoseconds: u64) -> io::Result<()> {
    let mut attributes = get(0)?;
    attributes.sched_runtime = nanoseconds;
    apply(&attributes)
}

fn apply(attributes: &libc::sched_attr) -> io::Result<()> {
    // SAFETY: the kernel reads the `size` bytes that `attributes` says it has.
    let status =
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, attributes as *const libc::sched_attr, 0) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn who_is_started_inherits_a_slice_until_he_takes_the_usual_one() -> io::Result<()> {
        let usual = of(0)?;
        let long = Duration::from_millis(20);
        set(long)?;
        // Kernels before 6.12 know of no slices, and must take it all the same.
        if usual.is_zero() {
            return reset();
        }
        assert_eq!(of(0)?, long);
        thread::spawn(move || {
            assert_eq!(of(0)?, long);
            reset()?;
            assert_eq!(of(0)?, usual);
            io::Result::Ok(())
        })
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("a thread failed")))?;
        assert_eq!(of(0)?, long);
        reset()
    }
}
