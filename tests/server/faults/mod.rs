//! What goes wrong with thousands of clients, or between them and the server. After each: counts exact, nothing lost
//! but what `gap` names, memory back where it was.

mod crowd; // twice as many as may come
mod drain; // SIGTERM with 5,000 streams
mod half_open; // peers that vanish, or that take and never read
mod held; // thousands that stay
mod nginx; // a proxy that buffers and compresses
