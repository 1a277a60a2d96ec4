//! A connection to PostgreSQL breaks at the COMMIT of rows that would count twice if they were written twice.

use crate::support::{Database, Launch, eventually, fresh};
use sqlx::Row;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use streamgauge::testing::{Recorder, Store, Telemetry};
use streamgauge_core::page::annotation::{Annotation, AnnotationKind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};

/// Where a connection breaks.
#[derive(Clone, Copy)]
enum Cut {
    /// The COMMIT does not arrive.
    Before,
    /// It arrives, and its answer does not.
    After,
    /// It does not arrive, and PostgreSQL is not there again.
    ForGood,
}

/// Passes connections on to PostgreSQL, and breaks the first that gets to the COMMIT after `statement`.
struct Cutting {
    statement: &'static str,
    cut: Cut,
    done: AtomicBool,
}

impl Cutting {
    /// It, and the address of the database behind it.
    async fn before(database: &Database, statement: &'static str, cut: Cut) -> (Arc<Cutting>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let cutting = Arc::new(Cutting { statement, cut, done: AtomicBool::new(false) });
        let (shared, socket) = (cutting.clone(), database.socket());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if matches!(shared.cut, Cut::ForGood) && shared.done.load(SeqCst) {
                    continue;
                }
                let server = UnixStream::connect(&socket).await.expect("PostgreSQL");
                let shared = shared.clone();
                tokio::spawn(async move { shared.pass(client, server).await });
            }
        });
        (cutting, database.url_at(port))
    }

    async fn pass(&self, mut client: TcpStream, mut server: UnixStream) -> io::Result<()> {
        let (mut asked, mut answered) = ([0; 16 * 1024], [0; 16 * 1024]);
        let mut is_next = false;
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let said = &asked[..read?];
                    is_next |= holds(said, self.statement);
                    if is_next && holds(said, "COMMIT") && !self.done.swap(true, SeqCst) {
                        if matches!(self.cut, Cut::After) {
                            server.write_all(said).await?;
                            // Answered, so it is done.
                            assert!(server.read(&mut answered).await? > 0, "PostgreSQL answers");
                        }
                        return Ok(());
                    }
                    if said.is_empty() {
                        return Ok(());
                    }
                    server.write_all(said).await?;
                }
                read = server.read(&mut answered) => {
                    let said = &answered[..read?];
                    if said.is_empty() {
                        return Ok(());
                    }
                    client.write_all(said).await?;
                }
            }
        }
    }

    async fn breaks(&self) {
        eventually("the connection broke", 20, async || self.done.load(SeqCst).then_some(())).await;
    }
}

fn holds(said: &[u8], words: &str) -> bool {
    said.windows(words.len()).any(|part| part == words.as_bytes())
}

async fn count(database: &Database, asked: &'static str) -> i64 {
    sqlx::query(asked).fetch_one(&mut database.connect().await).await.expect("a count").get(0)
}

/// The flag of the server's start is written by its first round.
async fn a_flag_is_stored_once(cut: Cut) {
    let database = Database::new().await;
    let (cutting, url) = Cutting::before(&database, "INSERT INTO annotations", cut).await;
    let server = Launch::new().flag("listen", "127.0.0.1:0").flag("database-url", url).start();
    cutting.breaks().await;
    marks_are_written(&database, &server).await;
    assert_eq!(count(&database, "SELECT count(*) FROM annotations WHERE kind = 'restart'").await, 1);
}

/// Marks come after flags in each round.
async fn marks_are_written(database: &Database, server: &crate::support::Server) {
    let client = server.client();
    let session = fresh("marked");
    client.publish(&session, 1).await;
    let mut follower = client.follow(&session).await;
    assert_eq!(follower.numbers(1).await, [1]);
    eventually("marks are stored", 30, async || {
        (count(database, "SELECT count(*) FROM session_marks").await > 0).then_some(())
    })
    .await;
}

async fn marks_are_stored_once(cut: Cut) {
    let database = Database::new().await;
    let (cutting, url) = Cutting::before(&database, "INSERT INTO session_marks", cut).await;
    let server = Launch::new().flag("listen", "127.0.0.1:0").flag("database-url", url).start();
    marks_are_written(&database, &server).await;
    cutting.breaks().await;
    // What is written next comes after what was in doubt.
    marks_are_written(&database, &server).await;
    let stored = "SELECT count(DISTINCT session) FROM session_marks";
    eventually("those of both sessions", 30, async || (count(&database, stored).await == 2).then_some(()))
        .await;
    let twice = "SELECT count(*) FROM (SELECT FROM session_marks GROUP BY session, at, kind, detail HAVING count(*) > 1)
                 AS doubled";
    assert_eq!(count(&database, twice).await, 0);
}

/// A server that stops writes once more, and nobody comes after that to look.
async fn the_last_flag_is_stored(cut: Cut, times: i64) {
    let database = Database::new().await;
    let (cutting, url) = Cutting::before(&database, "INSERT INTO annotations", cut).await;
    let store = Store::new(&url, "last", 1).expect("an address");
    let (at, kind, text) = (1_700_000_000, AnnotationKind::Note, "the last word".to_owned());
    let (node, author) = (String::new(), String::new());
    store.write_behind().annotate(Annotation { id: 0, at, kind, node, text, author });
    store.run(&Recorder::new(1), &Telemetry::default(), watch::channel(true).1).await;
    cutting.breaks().await;
    assert_eq!(count(&database, "SELECT count(*) FROM annotations").await, times);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_doubt_at_the_end_is_asked_for() {
    the_last_flag_is_stored(Cut::After, 1).await;
    the_last_flag_is_stored(Cut::Before, 1).await;
}

/// It gives up in the time that a database which hangs is given, and writes nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_asked_at_the_end_is_not_waited_for() {
    let since = Instant::now();
    the_last_flag_is_stored(Cut::ForGood, 0).await;
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flag_whose_commit_is_not_answered_is_not_written_again() {
    a_flag_is_stored_once(Cut::After).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flag_whose_commit_did_not_arrive_is_written_again() {
    a_flag_is_stored_once(Cut::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_whose_commit_is_not_answered_are_not_written_again() {
    marks_are_stored_once(Cut::After).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_whose_commit_did_not_arrive_are_written_again() {
    marks_are_stored_once(Cut::Before).await;
}
