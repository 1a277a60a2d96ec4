//! What the server asks of the Linux kernel, and of its allocator, that no safe interface offers. All `unsafe` code of the workspace is here.

pub mod memory; // free memory goes back to the system
pub mod send_many; // the same bytes to many sockets by one system call
pub mod socket_bytes; // what the kernel says that a TCP socket carried
pub mod time_slice; // how soon a thread gets its turn on a processor that others want too
