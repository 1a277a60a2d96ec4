//! Gives memory back to the system after a crowd has left. The allocator alone would do so when the next crowd comes.

use super::Job;
use crate::node::Node;
use std::time::Duration;

pub struct GiveMemoryBack;

impl Job for GiveMemoryBack {
    const NAME: &'static str = "give memory back";
    const PERIOD: Duration = Duration::from_secs(1);
    const LEADER_ONLY: bool = false;
    const NEEDS_DATABASE: bool = false;

    async fn run(&mut self, _: &Node) {
        kernel::memory::give_back();
    }
}
