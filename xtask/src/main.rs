//! `cargo xtask`: everything that is done with this repository, in one program.
//!
//! | file | what it does |
//! |---|---|
//! | `prepare` | the offline data of the checked SQL |
//! | `services` | folders of one run, whose services end with it |
//! | `tools` | what has to be on the machine |
//! | `process`, `steps`, `workspace` | how commands run, what they say, where things are |

mod prepare;
mod process;
mod services;
mod steps;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use steps::{Failure, Outcome};
use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, runs and tests Streamgauge")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Refresh the offline data of the checked SQL (.sqlx)
    Prepare {
        /// Only compare with what is committed
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match process::catch_signals().and_then(|()| perform(cli.task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if process::interrupted() => {
            println!("Stopped.");
            ExitCode::from(130)
        }
        Err(Failure(sentence)) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Outcome {
    let workspace = Workspace::find()?;
    match task {
        Task::Prepare { check } => prepare::prepare(&workspace, check),
    }
}
