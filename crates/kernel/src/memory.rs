//! Memory that the allocator keeps. mimalloc gives freed pages back after a second, but it only looks when a thread needs
//! new ones: a server that is idle after a crowd would keep what the crowd took.

/// Gives the pages back that have been free for a second, those of all threads. It returns at once if there are none.
pub fn give_back() {
    // SAFETY: mimalloc collects what the calling thread freed and what has expired; no memory in use moves.
    unsafe { libmimalloc_sys::mi_collect(false) };
}
