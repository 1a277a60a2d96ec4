use super::{Folder, Proxy, Shared, fresh};
use private_postgres::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// One PostgreSQL for all tests that do not stop it.
static SHARED: Shared<Running> = Shared::new();

struct Running {
    postgres: Postgres,
    folder: Folder,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.postgres.stop().expect("PostgreSQL stops");
    }
}

fn running() -> Running {
    let folder = Folder::new("postgres");
    let postgres = Postgres::at(&folder.path().join("postgres")).expect("PostgreSQL").throwaway();
    postgres.start().expect("PostgreSQL starts");
    Running { postgres, folder }
}

/// A database of a test's own.
pub struct Database {
    running: Arc<Running>,
    name: String,
}

impl Database {
    /// In the PostgreSQL that tests share.
    pub async fn new() -> Database {
        let running = SHARED.get(running);
        let name = fresh("db").replace('-', "_");
        let database = Database { running, name };
        let mut connection =
            PgConnection::connect(&database.running.postgres.url()).await.expect("PostgreSQL");
        let create = AssertSqlSafe(format!("CREATE DATABASE {}", database.name));
        sqlx::query(create).execute(&mut connection).await.expect("a database");
        database
    }

    /// In a PostgreSQL of its own, for a test that stops it.
    pub fn alone() -> Database {
        Database { running: Arc::new(running()), name: private_postgres::NAME.into() }
    }

    pub fn stop(&self) {
        self.running.postgres.stop().expect("PostgreSQL stops");
    }

    pub fn start(&self) {
        self.running.postgres.start().expect("PostgreSQL starts");
    }

    pub fn url(&self) -> String {
        let from = format!("/{}?", private_postgres::NAME);
        self.running.postgres.url().replace(&from, &format!("/{}?", self.name))
    }

    /// By TCP, through a proxy: it, and the address.
    pub fn by_proxy(&self) -> (Proxy, String) {
        let proxy = Proxy::to_socket(self.socket());
        let url = self.url_at(proxy.port);
        (proxy, url)
    }

    pub fn socket(&self) -> PathBuf {
        self.running.postgres.socket_folder().join(".s.PGSQL.5432")
    }

    /// Where something passes it on from a port of this machine.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://{}@127.0.0.1:{port}/{}?sslmode=disable", private_postgres::NAME, self.name)
    }

    /// As another role, which may bring its password after a colon, and of another database of the same PostgreSQL.
    pub fn url_of(&self, role: &str, name: &str) -> String {
        let at = format!("{}@localhost/{}?", private_postgres::NAME, private_postgres::NAME);
        self.running.postgres.url().replace(&at, &format!("{role}@localhost/{name}?"))
    }

    /// Statements, each by itself.
    pub async fn run(&self, statements: &[&'static str]) {
        for statement in statements {
            run_at(&self.url(), statement).await;
        }
    }

    /// Who may connect, as `pg_hba.conf` says it. For one that stands alone.
    pub fn let_in(&self, rules: &str) {
        let folder = self.running.folder.path().join("postgres");
        std::fs::write(folder.join("pg_hba.conf"), rules).expect("pg_hba.conf");
        self.stop();
        self.start();
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the database")
    }

    /// Every delivery that was due has one fate.
    pub async fn accounts(&self) {
        let count = async |counter| self.counted(counter).await;
        let dropped = count("dropped_slow").await + count("dropped_gone").await;
        let fates = count("delivered").await + count("conflated").await + dropped + count("repeated").await;
        assert_eq!(count("deliveries_due").await, fates);
    }

    pub async fn counted(&self, counter: &str) -> i64 {
        counted(&self.url(), counter).await
    }
}

/// The data folder of a server with a private PostgreSQL, which is stopped if the server was not able to.
pub struct PrivateFolder {
    folder: Folder,
    name: &'static str,
}

impl PrivateFolder {
    pub fn new() -> PrivateFolder {
        PrivateFolder { folder: Folder::new("private"), name: "data" }
    }

    /// Where `serve --demo` keeps its own, with [`PrivateFolder::around`] as its data folder.
    pub fn of_demo() -> PrivateFolder {
        PrivateFolder { folder: Folder::new("demo"), name: "demo" }
    }

    pub fn around(&self) -> &Path {
        self.folder.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    pub fn postgres(&self) -> Postgres {
        Postgres::at(&self.data_dir().join("postgres")).expect("PostgreSQL")
    }

    pub async fn counted(&self, counter: &str) -> i64 {
        counted(&self.postgres().url(), counter).await
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        self.postgres().stop().expect("PostgreSQL stops");
    }
}

pub async fn run_at(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("the database");
    sqlx::raw_sql(statement).execute(&mut connection).await.expect(statement);
}

/// A counter, summed over all stored 10 s rows.
async fn counted(url: &str, counter: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.expect("the database");
    let sum =
        "SELECT coalesce(sum((counters->>$1)::bigint), 0)::bigint FROM metric_samples WHERE resolution = 10";
    sqlx::query(sum).bind(counter).fetch_one(&mut connection).await.expect("samples").get(0)
}
