//! `cargo xtask`: everything that is done with this repository, in one program.
//!
//! | file | what it does |
//! |---|---|
//! | `serve` | the server in front of a person, for `serve` and `demo` |
//! | `test` | every test there is |
//! | `contract` | the API's document against servers that run |
//! | `ci` | what must hold before a change lands |
//! | `fuzz` | the parsers, fed with what nobody would send |
//! | `site/` | what the browser gets: WASM, CSS, assets |
//! | `mutants` | whether core's tests notice a change of core |
//! | `nevers/` | what must never be, checked |
//! | `prepare` | the offline data of the checked SQL |
//! | `services` | folders of one run, whose services end with it |
//! | `tools` | what has to be on the machine |
//! | `process`, `steps`, `workspace` | how commands run, what they say, where things are |

mod ci;
mod contract;
mod fuzz;
mod mutants;
mod nevers;
mod prepare;
mod process;
mod serve;
mod services;
mod site;
mod steps;
mod test;
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
    /// Build everything, then run the server with demo traffic
    Demo(serve::Options),
    /// Build everything, then run the server
    Serve(serve::Options),
    /// Build the pages and the server
    Build {
        /// The one binary to ship, target/release/streamgauge
        #[arg(long)]
        release: bool,
    },
    /// Run every test: Rust, against PostgreSQL and Redis, and in a browser
    Test,
    /// Hold the API's document against servers that run
    Contract,
    /// Run every check and every test
    Ci,
    /// Feed the parsers what nobody would send
    Fuzz {
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Change core in one place at a time, and see whether its tests notice
    Mutants(mutants::Options),
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
        Task::Demo(options) => serve::serve(&workspace, &options, true),
        Task::Serve(options) => serve::serve(&workspace, &options, false),
        Task::Build { release } => {
            site::build(&workspace)?;
            serve::build_server(&workspace, release)
        }
        Task::Test => test::test(&workspace).map(drop),
        Task::Contract => contract::alone(&workspace),
        Task::Ci => ci::ci(&workspace),
        Task::Fuzz { seconds } => fuzz::fuzz(&workspace, seconds),
        Task::Mutants(options) => mutants::mutants(&workspace, &options),
        Task::Prepare { check } => prepare::prepare(&workspace, check),
    }
}
