//! The load tool without the server, for machines that only make load.

use std::process::ExitCode;

fn main() -> ExitCode {
    match streamgauge_loadtest::command().try_get_matches() {
        Ok(matches) => streamgauge_loadtest::main(&matches),
        Err(asked) => {
            let _ = asked.print();
            ExitCode::from(if asked.use_stderr() { streamgauge_loadtest::USAGE } else { 0 })
        }
    }
}
