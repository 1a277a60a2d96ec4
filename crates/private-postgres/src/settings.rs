//! The configuration that a private PostgreSQL gets, written anew at each start.

use std::path::Path;

/// Small, because it stands beside the server that it serves; everything else is PostgreSQL's default.
pub fn text(socket: &Path, throwaway: bool) -> String {
    let socket = socket.display().to_string().replace('\'', "''");
    // A commit stays synchronous: what the server was told is stored must be there after a power cut,
    // and a dozen small transactions a second do not need the speed.
    let durability = if throwaway {
        "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"
    } else {
        "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\n"
    };
    // Tests run several servers on one.
    let connections = if throwaway { 200 } else { 40 };
    format!(
        "# Written at each start: changes made here are lost.\n\
         listen_addresses = ''\n\
         unix_socket_directories = '{socket}'\n\
         unix_socket_permissions = 0700\n\
         port = 5432 # only the name of the socket\n\
         max_connections = {connections}\n\
         shared_buffers = '32MB'\n\
         max_wal_size = '256MB'\n\
         jit = off\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         log_line_prefix = '%m [%p] '\n\
         log_checkpoints = off\n\
         {durability}"
    )
}
