//! Figures that never change: a fake for each area, and all of them together as pages find them.

mod alerts;
mod dashboard;
mod load_tests;
mod sessions;

pub use alerts::FakeAlerts;
pub use dashboard::FakeDashboard;
pub use load_tests::FakeLoadTests;
pub use sessions::FakeSessions;

use std::sync::Arc;
use streamgauge_app::api::backend::Areas;

/// 23 November 2026, 14:42:07 UTC.
pub const NOW: i64 = 1_795_444_927;

#[derive(Clone, Default)]
pub struct Fake {
    pub dashboard: FakeDashboard,
    pub sessions: FakeSessions,
    pub load_tests: FakeLoadTests,
    pub alerts: FakeAlerts,
}

impl Fake {
    /// Nothing was measured yet, nothing ran.
    pub fn fresh() -> Fake {
        Fake {
            dashboard: FakeDashboard { fresh: true, ..FakeDashboard::default() },
            sessions: FakeSessions { fresh: true, ..FakeSessions::default() },
            load_tests: FakeLoadTests { fresh: true, ..FakeLoadTests::default() },
            alerts: FakeAlerts { fresh: true, ..FakeAlerts::default() },
        }
    }

    /// Nothing can be read.
    pub fn down() -> Fake {
        Fake {
            dashboard: FakeDashboard { down: true, ..FakeDashboard::default() },
            load_tests: FakeLoadTests { down: true, ..FakeLoadTests::default() },
            alerts: FakeAlerts { down: true, ..FakeAlerts::default() },
            ..Fake::default()
        }
    }
}

impl From<FakeSessions> for Fake {
    fn from(sessions: FakeSessions) -> Fake {
        Fake { sessions, ..Fake::default() }
    }
}

impl From<FakeAlerts> for Fake {
    fn from(alerts: FakeAlerts) -> Fake {
        Fake { alerts, ..Fake::default() }
    }
}

impl From<Fake> for Areas {
    fn from(Fake { dashboard, sessions, load_tests, alerts }: Fake) -> Areas {
        Areas {
            dashboard: Arc::new(dashboard),
            sessions: Arc::new(sessions),
            load_tests: Arc::new(load_tests),
            alerts: Arc::new(alerts),
        }
    }
}
