//! Threads that each serve connections of their own, one a core. One thread reads a request, decides, writes to the
//! few followers and answers, so that no other thread has to be woken in between. Slow work (pages, figures, the database)
//! runs on the runtime around them; see `http::offload`.

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

/// Most new connections that wait for a worker. Further ones wait in the kernel's queue.
const WAITING: usize = 256;

/// The threads run until this is dropped, and then abort what they still do. The accept loop holds a share in it until it
/// stops.
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
