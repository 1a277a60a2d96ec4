/// The same promises whether a reactor writes the stream, or hyper where a reactor cannot. Each is a function that takes
/// the version of HTTP.
macro_rules! by_each_way {
    ($($promise:ident)*) => {
        mod parked { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$promise("1.1").await; }
        )* }
        mod by_http_1_0 { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$promise("1.0").await; }
        )* }
        mod multiplexed { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$promise("2").await; }
        )* }
    };
}
pub(crate) use by_each_way;
