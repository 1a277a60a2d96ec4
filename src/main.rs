//! The command line.

use clap::{Arg, ArgMatches, Command};
use std::{collections::HashMap, process::ExitCode};
use streamgauge::{config, run};
use streamgauge_core::config::KEYS;
use tracing_subscriber::EnvFilter;

/// Small allocations by the million, freed on other threads: glibc's allocator keeps twice the memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// EX_USAGE of sysexits.h: the command line or a setting is wrong.
const USAGE: u8 = 64;

fn command() -> Command {
    let settings = KEYS.iter().map(|key| {
        let flag = key.name.replace('_', "-");
        let arg = Arg::new(key.name).long(flag).help(key.help).value_name("VALUE");
        match key.name {
            "demo" => arg.num_args(0..=1).default_missing_value("true"),
            _ => arg,
        }
    });
    let config =
        Arg::new("config").long("config").value_name("FILE").help("TOML file with settings, named as below");
    let serve = Command::new("serve")
        .about("Serve streams and dashboards")
        .after_help(
            "Each setting may also stand in the file, as key_with_underscores, or in the environment, as \
             STREAMGAUGE_KEY. Flags override the environment, which overrides the file. STREAMGAUGE_LOG sets what is \
             logged, as in RUST_LOG.",
        )
        .arg(config)
        .args(settings);
    Command::new("streamgauge")
        .about("Status updates over Server-Sent Events, and the proof of what they are worth")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve)
        .subcommand(streamgauge_loadtest::command())
}

fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(asked) => {
            let _ = asked.print();
            return ExitCode::from(if asked.use_stderr() { USAGE } else { 0 });
        }
    };
    let filter = EnvFilter::try_from_env("STREAMGAUGE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(std::io::stderr).init();
    match matches.subcommand() {
        Some(("serve", flags)) => serve(flags),
        Some(("loadtest", flags)) => streamgauge_loadtest::main(flags),
        _ => ExitCode::from(USAGE),
    }
}

fn serve(flags: &ArgMatches) -> ExitCode {
    let given: HashMap<&'static str, String> =
        KEYS.iter().filter_map(|key| Some((key.name, flags.get_one::<String>(key.name)?.clone()))).collect();
    let settings = match config::read(&given, flags.get_one::<String>("config").cloned()) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("streamgauge: {error}");
            return ExitCode::from(USAGE);
        }
    };
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("streamgauge: {error}");
            ExitCode::FAILURE
        }
    }
}
