//! The reactor's loop: sleeps until a socket stirs, a timer comes up or a heavy command comes, and does what there is.

use super::{Reactor, WAKE};
use crate::stream::Hub;
use mio::{Events, Poll};
use std::{io::ErrorKind, time::Duration};

pub struct Thread {
    poll: Poll,
    reactor: Reactor,
}

impl Thread {
    pub fn new(poll: Poll, reactor: Reactor) -> Thread {
        Thread { poll, reactor }
    }

    /// For the life of the process, or until somebody's panic has left the engine in pieces.
    pub fn run(mut self, hub: Hub) {
        let (mut events, mut due) = (Events::with_capacity(1_024), Vec::new());
        match self.reactor.engine() {
            Some(mut engine) => engine.serve(hub),
            None => return,
        }
        // The first look is at what came before.
        let mut timeout = Some(Duration::ZERO);
        loop {
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "a reactor cannot wait for its sockets");
                std::thread::sleep(Duration::from_millis(100));
            }
            self.reactor.wakes();
            let Some(mut engine) = self.reactor.engine() else { return };
            engine.wakes();
            events.iter().filter(|event| event.token() != WAKE).for_each(|event| engine.on_event(event));
            self.reactor.work(&mut engine);
            engine.tick(&mut due);
            timeout = engine.until_next();
            // Before the engine is let go: from then on others may set timers that come up earlier.
            self.reactor.sleeps();
            drop(engine);
            if self.reactor.has_work() {
                timeout = Some(Duration::ZERO);
            }
        }
    }
}
