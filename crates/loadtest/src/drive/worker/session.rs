//! What a thread knows of one session.

use crate::{
    drive::{
        agenda::{Act, Agenda},
        fanout::Fanout,
    },
    plan::Plan,
};

#[derive(Default)]
pub struct Session {
    /// The server has answered its creation, or a failure of it: followers may come.
    pub created: bool,
    /// A creation was asked for.
    pub begun: bool,
    pub completing: bool,
    /// The server accepted its completion.
    pub completed: bool,
    pub sent: u64,
    /// When its next message is due.
    pub next_us: u64,
    /// Numbers that the server did not accept: nobody is due them.
    pub not_accepted: Vec<u64>,
    pub ticket: Option<Box<str>>,
    pub followers: u32,
    pub waiting: Vec<u32>,
    pub fanout: Fanout,
}

impl Session {
    /// Its next message, or after the last one its end: so a backlog is said before the session ends, however late.
    pub fn proceed(&mut self, number: u32, plan: &Plan, agenda: &mut Agenda, now: u64) {
        let end = plan.end_us(number);
        if self.next_us < end {
            agenda.add(self.next_us, Act::Send(number), now);
        } else {
            agenda.add(end, Act::Complete(number), now);
        }
    }
}

/// The right to follow, where the server hands one out with a new session.
pub fn ticket(body: &[u8]) -> Option<Box<str>> {
    #[derive(serde::Deserialize)]
    struct Created {
        ticket: Option<Box<str>>,
    }
    serde_json::from_slice::<Created>(body).ok()?.ticket
}
