//! Load tests: the list of runs, and one run. Rendered on the server alone.

use super::{Failure, backend::Answer, failure};
use streamgauge_core::load_test::{Kept, KeptList};

pub trait LoadTests: Send + Sync + 'static {
    /// The newest load tests, at most 100; of one scenario if one is named.
    fn list(&self, scenario: Option<String>) -> Answer<'_, KeptList>;
    /// One run with its whole document. `None`: no such run.
    fn find(&self, id: i64) -> Answer<'_, Option<Kept>>;
}

pub fn list(scenario: Option<String>) -> impl Future<Output = Result<KeptList, Failure>> + Send {
    let areas = failure::areas();
    async move { Ok(areas?.load_tests.list(scenario).await?) }
}

pub fn find(id: i64) -> impl Future<Output = Result<Option<Kept>, Failure>> + Send {
    let areas = failure::areas();
    async move { Ok(areas?.load_tests.find(id).await?) }
}
