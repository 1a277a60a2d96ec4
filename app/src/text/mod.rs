//! Numbers and times in words, the same on the server and in the browser: no clock, no locale.

pub mod html; // small pieces of HTML put together as text
pub mod number; // thousands separated, units, the true minus
pub mod time; // clock times and dates out of Unix seconds
pub mod zone; // UTC in the first render, the reader's own time afterwards
