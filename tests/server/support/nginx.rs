use super::{Folder, Process};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// An nginx of one's own, in front of a server.
pub struct Nginx {
    pub port: u16,
    _process: Process,
    _folder: Folder,
}

impl Nginx {
    /// With these directives for all that it passes on.
    pub fn to(server: u16, directives: &str) -> Nginx {
        Nginx::start(server, directives, false)
    }

    /// It keeps every answer that it may keep, and says in `x-cache` whether it was kept.
    pub fn that_caches(server: u16) -> Nginx {
        let directives =
            "proxy_cache z; proxy_cache_valid any 10s; add_header x-cache $upstream_cache_status always;";
        Nginx::start(server, directives, true)
    }

    fn start(server: u16, directives: &str, caches: bool) -> Nginx {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let folder = Folder::new("nginx");
        let below = folder.path().display();
        // Its own folders for all that it would otherwise keep below /var.
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {below}/{name}; "))
            .concat();
        let cache =
            if caches { format!("proxy_cache_path {below}/cache keys_zone=z:1m;") } else { String::new() };
        let settings = format!(
            "daemon off; master_process off; pid {below}/nginx.pid; error_log {below}/error.log;
             events {{ worker_connections 256; }}
             http {{
                 access_log off; {temporary} {cache}
                 server {{
                     listen 127.0.0.1:{port};
                     location / {{ proxy_pass http://127.0.0.1:{server}; {directives} }}
                 }}
             }}"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, settings).expect("its settings");
        // Debian keeps it where only root looks.
        let program =
            ["/usr/sbin/nginx"].into_iter().find(|path| Path::new(path).exists()).unwrap_or("nginx");
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).arg("-e").arg(folder.path().join("start.log"));
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.expect("these tests need nginx: install the Debian package `nginx`");
        let process = Process::new(child);
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not start");
            sleep(Duration::from_millis(5));
        }
        Nginx { port, _process: process, _folder: folder }
    }
}
