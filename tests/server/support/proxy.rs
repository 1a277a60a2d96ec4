use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::SeqCst},
    },
    thread,
};

/// Passes connections on to a server and counts their bytes. It stays until the process ends: a thread that waits
/// for a connection costs nothing.
#[derive(Clone)]
pub struct Proxy {
    pub port: u16,
    server: Arc<AtomicU16>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// To the server.
    there: AtomicU64,
    /// From the server.
    back: AtomicU64,
    /// Directions that are being passed on.
    open: AtomicU64,
    /// What comes is not passed on any more.
    silent: AtomicBool,
}

impl Proxy {
    pub fn to(server: u16) -> Proxy {
        let server: Arc<AtomicU16> = Arc::new(server.into());
        let there = server.clone();
        Proxy::with(server, move || TcpStream::connect(("127.0.0.1", there.load(SeqCst))))
    }

    /// To a server that listens on a Unix socket.
    pub fn to_socket(path: PathBuf) -> Proxy {
        Proxy::with(Arc::default(), move || UnixStream::connect(&path))
    }

    fn with<S: Socket>(
        server: Arc<AtomicU16>,
        connect: impl Fn() -> io::Result<S> + Send + 'static,
    ) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let proxy = Proxy { port, server, counts: Arc::default() };
        let counts = proxy.counts.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = connect() else { continue };
                let pair = (client.twin().expect("a socket"), server.twin().expect("a socket"));
                counts.open.fetch_add(2, SeqCst);
                let (there, back) = (counts.clone(), counts.clone());
                thread::spawn(move || pass(client, server, &there.there, &there));
                thread::spawn(move || pass(pair.1, pair.0, &back.back, &back));
            }
        });
        proxy
    }

    /// Connections from now on go there; those that are stay.
    pub fn leads_to(&self, server: u16) {
        self.server.store(server, SeqCst);
    }

    /// Takes no byte and passes none on, and no socket closes.
    pub fn falls_silent(&self) {
        self.counts.silent.store(true, SeqCst);
    }

    /// Bytes to the server, and from it.
    pub fn counted(&self) -> (u64, u64) {
        (self.counts.there.load(SeqCst), self.counts.back.load(SeqCst))
    }

    /// All connections have ended.
    pub fn is_idle(&self) -> bool {
        self.counts.open.load(SeqCst) == 0
    }
}

trait Socket: Read + Write + Send + Sized + 'static {
    fn twin(&self) -> io::Result<Self>;
    fn end(&self) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn twin(&self) -> io::Result<TcpStream> {
        self.try_clone()
    }

    fn end(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Socket for UnixStream {
    fn twin(&self) -> io::Result<UnixStream> {
        self.try_clone()
    }

    fn end(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

fn pass(mut from: impl Socket, mut to: impl Socket, counted: &AtomicU64, counts: &Counts) {
    let mut buffer = [0; 16 * 1024];
    let _ = (|| -> io::Result<()> {
        loop {
            let read = from.read(&mut buffer)?;
            while counts.silent.load(SeqCst) {
                thread::park();
            }
            if read == 0 {
                return to.end();
            }
            counted.fetch_add(read as u64, SeqCst);
            to.write_all(&buffer[..read])?;
        }
    })();
    counts.open.fetch_sub(1, SeqCst);
}
