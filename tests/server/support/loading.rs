use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A Redis that reads its data in: it takes connections, and answers every command that it is loading.
pub struct Loading {
    asked: Arc<AtomicU64>,
    _serving: JoinSet<()>,
}

impl Loading {
    pub async fn on(port: u16) -> Loading {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port of before");
        let asked = Arc::new(AtomicU64::new(0));
        let mut serving = JoinSet::new();
        let count = asked.clone();
        serving.spawn(async move {
            // They end with the task that holds them.
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let count = count.clone();
                connections.spawn(async move {
                    let _ = refuse(socket, &count).await;
                });
            }
        });
        Loading { asked, _serving: serving }
    }

    /// Commands so far.
    pub fn asked(&self) -> u64 {
        self.asked.load(Relaxed)
    }
}

/// A command is an array of byte strings, each after its length.
async fn refuse(socket: TcpStream, asked: &AtomicU64) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    loop {
        for _ in 0..length(&mut socket).await? {
            let bytes = length(&mut socket).await?;
            socket.read_exact(&mut vec![0; bytes + 2]).await?;
        }
        asked.fetch_add(1, Relaxed);
        socket.write_all(b"-LOADING Redis is loading the dataset in memory\r\n").await?;
    }
}

async fn length(socket: &mut BufReader<TcpStream>) -> std::io::Result<usize> {
    let mut line = String::new();
    socket.read_line(&mut line).await?;
    line.trim_start_matches(['*', '$']).trim().parse().map_err(std::io::Error::other)
}
