//! By stream, or by poll where the session is of the control group.

use super::{Contact, Entry, Following};
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
        if following.current.with_untracked(|now| now.as_ref().is_some_and(|event| event.state.has_ended())) {
            following.contact.set(Contact::Ended);
            return;
        }
        following.contact.set(Contact::Connecting);
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
        Heard::Opened => following.contact.set(Contact::Streaming),
        Heard::Retrying => following.lost("cut; the browser reconnects by itself"),
        Heard::Closed => {
            // 204: the session has ended, or nothing is there. One poll tells.
            let stream = stream.clone();
            poll::once(&poll_url, move |answer| match answer {
                Ok(event) => {
                    following.take("poll", event);
                    if following.contact.get_untracked() == Contact::Ended {
                        stream.stop();
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
            let known = following.current.with_untracked(|now| now.as_ref().map(|event| event.id));
            match answer {
                Ok(event) => {
                    let news = known != Some(event.id);
                    following.contact.set(contact);
                    following.take("poll", event);
                    if following.contact.get_untracked() == Contact::Ended {
                        hold.set_value(None);
                    } else if news && contact == Contact::Idle {
                        stream(following, again, hold);
                    }
                }
                Err(Missed::Nothing) => following.contact.set(contact),
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
    fn take(self, name: &'static str, event: StatusEvent) {
        let known = self.current.with_untracked(|now| now.as_ref().map(|event| event.id));
        if known != Some(event.id) || name != "poll" {
            self.write(name, format!("{} at {} %", event.stage, event.progress));
        }
        let ended = event.state.has_ended();
        self.current.set(Some(event));
        if ended {
            self.contact.set(Contact::Ended);
        }
    }

    fn lost(self, why: &str) {
        // Said once, not with every attempt.
        if self.contact.get_untracked() != Contact::Lost {
            self.contact.set(Contact::Lost);
            self.write("lost", why.into());
        }
    }

    fn write(self, name: &'static str, text: String) {
        self.note(Entry { at: js_sys::Date::now() as i64, name, text });
    }
}
