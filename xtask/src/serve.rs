//! The built server in front of a person: `serve`, and `demo` with traffic.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;

use crate::process::{Running, cargo, check_interrupted, run, spawn};
use crate::services::stop_services;
use crate::steps::{Outcome, fail, step};
use crate::workspace::Workspace;
use crate::{site, tools};

/// The first start makes a database; recovery after a crash may take longer.
const READY_WITHIN: Duration = Duration::from_secs(180);

const DRAIN_WINDOW: &str = "STREAMGAUGE_DRAIN_WINDOW_MS";

#[derive(Args)]
pub struct Options {
    /// Where the server listens
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where its database lives
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Anything else for `streamgauge serve`
    #[arg(last = true)]
    rest: Vec<OsString>,
}

pub fn serve(workspace: &Workspace, options: &Options, demo: bool) -> Outcome {
    let task = if demo { "demo" } else { "serve" };
    check_free(options.listen, task)?;
    tools::postgres()?;
    site::build(workspace)?;
    build_server(workspace, false)?;
    check_free(options.listen, task)?;

    let data = match &options.data_dir {
        Some(folder) => std::path::absolute(folder)?,
        None => workspace.service_folder("streamgauge-data")?,
    };
    let program = workspace.target.join("debug/streamgauge");
    let mut command = Command::new(&program);
    command.arg("serve").arg("--listen").arg(options.listen.to_string());
    command.arg("--data-dir").arg(&data).args(demo.then_some("--demo")).args(&options.rest);
    if std::env::var_os(DRAIN_WINDOW).is_none() {
        // A server that stops by Ctrl-C here has no crowd of followers to spread.
        command.env(DRAIN_WINDOW, "1000");
    }
    let _database = StopAtEnd(data.clone());
    let mut server = spawn(&mut command)?;
    step("the server's start", || wait_until_ready(&mut server, options.listen))?;
    println!("Streamgauge is ready: open http://{}", options.listen);
    if demo {
        let (program, data) = (program.display(), data.display());
        println!(
            "90 days of its history are made up. To delete them: {program} demo remove --data-dir {data}"
        );
    }
    let status = server.wait()?;
    check_interrupted()?;
    if status.success() {
        Ok(())
    } else {
        fail(format!("The server ended by itself ({status}); what it said stands above."))
    }
}

pub fn build_server(workspace: &Workspace, release: bool) -> Outcome {
    let name = if release { "server, for release" } else { "server" };
    step(name, || {
        let mut build = cargo("build");
        build.args(["--package", "streamgauge", "--bin", "streamgauge"]).args(release.then_some("--release"));
        run(build.current_dir(&workspace.root))
    })
}

/// The server stops its database itself; when it was killed, this does.
struct StopAtEnd(PathBuf);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        stop_services(&self.0);
    }
}

fn check_free(listen: SocketAddr, task: &str) -> Outcome {
    match TcpListener::bind(listen) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let other = SocketAddr::new(listen.ip(), listen.port().wrapping_add(1).max(1024));
            fail(format!(
                "Port {} is taken by another program: end that one, or choose another port with `cargo xtask {task} --listen {other}`.",
                listen.port()
            ))
        }
        Err(error) => fail(format!("Nothing can listen on {listen}: {error}.")),
    }
}

fn wait_until_ready(server: &mut Running, listen: SocketAddr) -> Outcome {
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        check_interrupted()?;
        if let Some(status) = server.ended()? {
            return fail(format!(
                "The server ended before it was ready ({status}); what it said stands above."
            ));
        }
        if answers_ready(listen).unwrap_or(false) {
            return Ok(());
        }
        sleep(Duration::from_millis(100));
    }
    fail(format!("The server was not ready within {} s.", READY_WITHIN.as_secs()))
}

/// `GET /readyz` answers 200. Listening on all addresses means on loopback too.
fn answers_ready(listen: SocketAddr) -> std::io::Result<bool> {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(&head[9..] == b"200")
}
