use super::NOW;
use crate::panels;
use streamgauge_app::api::{backend::Answer, sessions::Sessions};
use streamgauge_core::{
    page::view::{Found, PublicSession, Search, SessionList, SessionRow},
    session::{
        cohort::Cohort,
        data::Data,
        ids::{Epoch, EventId, SessionId},
        status::{State, StatusEvent},
        timeline::Timeline,
    },
};

#[derive(Clone, Default)]
pub struct FakeSessions {
    /// No session ran yet; the one that is asked for has no status.
    pub fresh: bool,
    pub message: Option<String>,
    pub ended: bool,
    pub poll: bool,
}

impl Sessions for FakeSessions {
    fn running(&self) -> Answer<'_, SessionList> {
        let rows = if self.fresh { Vec::new() } else { (0..14).map(row).collect() };
        let list = SessionList { as_of: NOW * 1_000, running: rows.len() as u64, rows, complete: true };
        Box::pin(async { Ok(list) })
    }

    fn find(&self, search: Search) -> Answer<'_, Found> {
        let rows: Vec<SessionRow> = if self.fresh { Vec::new() } else { (0..14).map(row).collect() };
        let next = rows.last().map(|row| (row.started_at, row.id.to_string()));
        Box::pin(async { Ok(Found { search, rows, next, as_of: NOW * 1_000 }) })
    }

    fn timeline(&self, id: SessionId) -> Answer<'_, Option<Timeline>> {
        let timeline = (id.as_str() != "nowhere").then(|| panels::timeline(id, self.fresh));
        Box::pin(async { Ok(timeline) })
    }

    fn public(&self, id: SessionId) -> Answer<'_, Option<PublicSession>> {
        let found = (id.as_str() != "nowhere").then(|| self.shown(id));
        Box::pin(async { Ok(found) })
    }
}

impl FakeSessions {
    fn shown(&self, id: SessionId) -> PublicSession {
        let current = StatusEvent {
            id: EventId { epoch: Epoch(7), seq: 42 },
            session: id.clone(),
            state: if self.ended { State::Completed } else { State::Running },
            stage: "transcribing".into(),
            progress: if self.ended { 100 } else { 42 },
            message: self.message.clone().or_else(|| Some("Speaker 2, minute 18 of 43".into())),
            data: self
                .ended
                .then(|| Data::of(&serde_json::json!({"words": 7_412, "language": "de"})))
                .flatten(),
            at: (NOW - 2) * 1_000,
        };
        PublicSession {
            cohort: if self.poll { Cohort::Poll } else { Cohort::Stream },
            current: (!self.fresh).then_some(current),
            poll_url: format!("/api/v1/sessions/{id}/status"),
            heartbeat_ms: 15_000,
            id,
        }
    }
}

fn row(n: i64) -> SessionRow {
    let stages = ["upload", "detect language", "transcribing", "diarize", "punctuate", "export"];
    SessionRow {
        id: format!("tr-{:04x}", 0x9f31 - n * 977).parse().expect("an id"),
        kind: Some("transcription".into()),
        region: Some(["eu-central", "us-east", "ap-south"][n as usize % 3].into()),
        cohort: if n % 5 == 3 { Cohort::Poll } else { Cohort::Stream },
        state: State::Running,
        stage: stages[n as usize % stages.len()].into(),
        progress: ((n * 37 + 12) % 100) as u8,
        message: None,
        started_at: (NOW - 40 - n * 71) * 1_000,
        last_event_at: (NOW - n % 4) * 1_000,
        events: 40,
        streams: (n as u32 * 7) % 5,
    }
}
