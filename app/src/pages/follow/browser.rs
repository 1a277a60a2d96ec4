//! By stream, or by poll where the session is of the control group.

use super::{Contact, Entry, Following, Known};
use crate::live::{
    poll::{self, Missed},
    stream::{Heard, Held, Stream},
};
use leptos::prelude::*;
use std::time::Duration;
use streamgauge_core::{cohort::Cohort, status::StatusEvent, view::PublicSession};
use web_sys::js_sys;

/// How often an idle session is asked for: its stream was closed for want of news.
const IDLE_POLL: Duration = Duration::from_secs(30);
const EVENTS: [&str; 6] = ["status", "ping", "gap", "end", "idle", "reconnect"];

/// What follows now. Replacing it ends what followed before.
type Hold = StoredValue<Option<Follower>, LocalStorage>;

enum Follower {
    #[expect(dead_code, reason = "held for its end, which closes the stream")]
    Stream(Held),
    Timer(IntervalHandle),
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Follower::Timer(timer) = self {
            timer.clear();
        }
    }
}

/// Begins once the page is hydrated, so that the first render is the server's.
pub fn start(following: Following, session: PublicSession) {
    let hold: Hold = StoredValue::new_local(None);
    Effect::new(move || {
        if following.known.with_untracked(Known::has_ended) {
            following.turn(Contact::Ended);
            return;
        }
        following.turn(Contact::Connecting);
        match session.cohort {
            Cohort::Stream => stream(following, session.clone(), hold),
            Cohort::Poll => {
                let every = Duration::from_millis(session.poll_interval_ms.max(250).into());
                poll_every(following, session.clone(), hold, every, Contact::Polling);
            }
        }
    });
}

fn stream(following: Following, session: PublicSession, hold: Hold) {
    let (stream_url, poll_url) = (session.stream_url.clone(), session.poll_url.clone());
    let hear = move |stream: &Stream, heard: Heard| match heard {
        Heard::Opened => following.turn(Contact::Streaming),
        Heard::Retrying => following.lost("cut; the browser reconnects by itself"),
        Heard::Closed => {
            // 204: the session has ended, or nothing is there. One poll tells.
            let stream = stream.clone();
            poll::once(&poll_url, move |answer| match answer {
                Ok(event) => {
                    following.take("poll", event);
                    if following.contact() == Contact::Ended {
                        stream.stop();
                    } else {
                        following.lost("closed by the server; asked again after a pause");
                    }
                }
                Err(_) => following.lost("closed by the server; asked again after a pause"),
            });
        }
        Heard::Event { name: name @ ("status" | "end"), data } => {
            if let Ok(event) = serde_json::from_str(&data) {
                following.take(name, event);
            }
            if name == "end" {
                stream.stop();
            }
        }
        Heard::Event { name: "idle", .. } => {
            following.write("idle", "no news for minutes; the stream was closed".into());
            stream.stop();
            let session = session.clone();
            // Not from inside the stream's own listener: this ends the stream and the listener with it.
            set_timeout(
                move || poll_every(following, session, hold, IDLE_POLL, Contact::Idle),
                Duration::ZERO,
            );
        }
        Heard::Event { name, data } => following.write(name, said(name, &data)),
    };
    let stream = Stream::open(stream_url, &EVENTS, hear);
    hold.set_value(Some(Follower::Stream(Held(stream))));
}

fn poll_every(following: Following, session: PublicSession, hold: Hold, every: Duration, contact: Contact) {
    let ask = move || {
        let again = session.clone();
        poll::once(&session.poll_url, move |answer| {
            let known = following.known.with_untracked(Known::last_id);
            match answer {
                Ok(event) => {
                    let news = known != Some(event.id);
                    following.turn(contact);
                    following.take("poll", event);
                    if following.contact() == Contact::Ended {
                        hold.set_value(None);
                    } else if news && contact == Contact::Idle {
                        stream(following, again, hold);
                    }
                }
                Err(Missed::Nothing) => following.turn(contact),
                Err(Missed::Unreachable) => following.lost("a poll got no answer"),
            }
        });
    };
    ask();
    hold.set_value(set_interval_with_handle(ask, every).ok().map(Follower::Timer));
}

/// What an event without a status says.
fn said(name: &str, data: &str) -> String {
    match name {
        "ping" => "the connection is alive".into(),
        "gap" => "something was missed; what follows is the current state".into(),
        "reconnect" => "the server asks to connect again".into(),
        _ => data.chars().take(200).collect(),
    }
}

impl Following {
    fn contact(self) -> Contact {
        self.known.with_untracked(|known| known.contact)
    }

    fn turn(self, contact: Contact) {
        // What is said already is not said again: the page would be written anew.
        if self.contact() != contact {
            self.known.update(|known| known.contact = contact);
        }
    }

    fn take(self, name: &'static str, event: StatusEvent) {
        let is_new = self.known.with_untracked(Known::last_id) != Some(event.id);
        if !is_new && name == "poll" {
            return;
        }
        self.known.update(|known| {
            known.note(entry(name, format!("{} at {} %", event.stage, event.progress)));
            if event.state.has_ended() {
                known.contact = Contact::Ended;
            }
            known.current = Some(event);
        });
    }

    fn lost(self, why: &str) {
        // Said once, not with every attempt.
        if self.contact() != Contact::Lost {
            self.turn(Contact::Lost);
            self.write("lost", why.into());
        }
    }

    fn write(self, name: &'static str, text: String) {
        self.known.update(|known| known.note(entry(name, text)));
    }
}

fn entry(name: &'static str, text: String) -> Entry {
    Entry { at: js_sys::Date::now() as i64, name, text }
}
