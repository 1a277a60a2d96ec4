use crate::load_tests;
use streamgauge_app::api::{
    backend::{Answer, Unavailable},
    load_tests::LoadTests,
};
use streamgauge_core::load_test::{Kept, KeptList, Row};

#[derive(Clone, Default)]
pub struct FakeLoadTests {
    /// No run was kept yet.
    pub fresh: bool,
    /// Nothing can be read.
    pub down: bool,
}

impl LoadTests for FakeLoadTests {
    fn list(&self, scenario: Option<String>) -> Answer<'_, KeptList> {
        let rows: Vec<Row> = if self.fresh { Vec::new() } else { load_tests::rows() };
        let named = |row: &Row| scenario.as_deref().is_none_or(|name| row.scenario == name);
        let rows: Vec<Row> = rows.into_iter().filter(named).collect();
        let answer = if self.down {
            Err(Unavailable("Load tests are in PostgreSQL, which cannot be reached.".into()))
        } else {
            Ok(KeptList { kept: rows.len() as u64, rows })
        };
        Box::pin(async { answer })
    }

    fn find(&self, id: i64) -> Answer<'_, Option<Kept>> {
        let rows = load_tests::rows();
        let row = rows.iter().find(|row| row.id == id).cloned();
        let kept = row.map(|row| {
            let before = rows.iter().find(|b| b.id < id && b.options == row.options).cloned();
            let outcome = load_tests::outcome(&row);
            Kept { row, outcome, before }
        });
        Box::pin(async { Ok(kept) })
    }
}
