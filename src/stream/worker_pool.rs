//! Threads that each serve connections of their own, one a core. What comes on a connection is read, decided, written
//! to the few who follow and answered by one thread: no other has to be woken in between. Whatever takes its time
//! (pages, figures, the database) is done by the runtime around them; see `http::aside`.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};
use tokio::{
    runtime::{self, Handle},
    sync::mpsc,
};

/// One connection, from its first byte to its last. Begun on the worker, since its socket belongs to the runtime there.
type Work = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// New connections that a worker has not looked at yet. Further ones wait in the kernel's queue.
const WAITING: usize = 256;

/// They run until this is dropped, and then cut off what they are still at. The code that accepts connections holds a
/// share in it until it stops.
pub struct WorkerPool {
    ways: Vec<mpsc::Sender<Work>>,
    next: AtomicUsize,
    first: Handle,
}

impl WorkerPool {
    pub fn start(count: usize) -> io::Result<WorkerPool> {
        let first = runtime()?;
        let handle = first.handle().clone();
        let mut ways = vec![start(0, first)?];
        for index in 1..count {
            ways.push(start(index, runtime()?)?);
        }
        Ok(WorkerPool { ways, next: AtomicUsize::new(0), first: handle })
    }

    /// Of the first of them: there new connections are taken in, by a thread that the kernel does not let wait.
    pub fn first(&self) -> &Handle {
        &self.first
    }

    /// Each in turn: publishers keep their connections for long, and are alike.
    pub async fn give<F: Future<Output = ()> + Send + 'static>(
        &self,
        work: impl FnOnce() -> F + Send + 'static,
    ) {
        let way = &self.ways[self.next.fetch_add(1, Relaxed) % self.ways.len()];
        if way.send(Box::new(|| Box::pin(work()))).await.is_err() {
            tracing::error!("a thread that serves connections is gone: one is dropped");
        }
    }
}

fn runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

fn start(index: usize, runtime: runtime::Runtime) -> io::Result<mpsc::Sender<Work>> {
    let (way, mut come): (mpsc::Sender<Work>, _) = mpsc::channel(WAITING);
    thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        let _ = kernel::time_slice::reset();
        runtime.block_on(async {
            while let Some(work) = come.recv().await {
                tokio::spawn(work());
            }
        });
    })?;
    Ok(way)
}
