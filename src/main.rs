//! The command line.

use clap::{Arg, ArgMatches, Command};
use std::{collections::HashMap, io::IsTerminal, process::ExitCode};
use streamgauge::{alerts, config, keys, remove_demo, run};
use streamgauge_core::settings::{
    setting::Setting,
    table::{SETTINGS, Settings},
};
use tracing_subscriber::EnvFilter;

/// Small allocations by the million, freed on other threads: glibc's allocator keeps twice the memory. Without huge
/// pages (`no_thp`): with them an idle stream cost four times as much, and the process itself twice.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// EX_USAGE of sysexits.h: the command line or a setting is wrong.
const USAGE: u8 = 64;

fn command() -> Command {
    let settings = SETTINGS.iter().map(|setting| {
        let heading =
            if setting.may_change() { "Settings that can change while the server runs" } else { "Settings" };
        let arg = flag(setting).help_heading(heading);
        match setting.name {
            "demo" => arg.num_args(0..=1).default_missing_value("true"),
            _ => arg,
        }
    });
    let config =
        Arg::new("config").long("config").value_name("FILE").help("TOML file with settings, named as below");
    let serve = Command::new("serve")
        .about("Serve streams and dashboards")
        .after_help(
            "Each setting may also stand in the file, as name_with_underscores, or in the environment, as \
             STREAMGAUGE_NAME. Flags override the environment, which overrides the file. STREAMGAUGE_LOG sets what is \
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
        .subcommand(key_command())
        .subcommand(demo_command())
        .subcommand(alerts_command())
        .subcommand(streamgauge_loadtest::command())
}

/// Where the keys lie is said as for `serve`.
fn key_command() -> Command {
    let database = ["data_dir", "database_url"];
    let settings = SETTINGS.iter().filter(|setting| database.contains(&setting.name));
    let settings: Vec<Arg> = settings.map(flag).collect();
    let config = Arg::new("config").long("config").value_name("FILE").help("TOML file with settings");
    let task = |name, about| Command::new(name).about(about).arg(config.clone()).args(settings.clone());
    Command::new("key")
        .about("Make, list and revoke API keys. With the first one, access is closed")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            task("create", "Make a key and show it, once")
                .arg(Arg::new("name").long("name").required(true).help("Whose it is, for the list"))
                .arg(
                    Arg::new("scope")
                        .long("scope")
                        .required(true)
                        .num_args(1..)
                        .help("What it opens: publish, admin, metrics, or several"),
                ),
        )
        .subcommand(task("list", "Show all keys, without their secrets"))
        .subcommand(
            task("revoke", "Revoke a key: servers refuse it within 5 s")
                .arg(Arg::new("id").required(true).help("The 16 characters after sgk_")),
        )
}

/// `serve --demo` keeps its data apart, in `demo` in the data folder.
fn demo_command() -> Command {
    let settings: Vec<Arg> = SETTINGS.iter().filter(|setting| setting.name == "data_dir").map(flag).collect();
    let config = Arg::new("config").long("config").value_name("FILE").help("TOML file with settings");
    Command::new("demo")
        .about("What `serve --demo` has stored: 90 days that are made up, and its own traffic")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("remove").about("Delete all of it").arg(config).args(settings))
}

/// Rules in files. All but `check` speak to a running server.
fn alerts_command() -> Command {
    let file = Arg::new("file").required(true).value_name("FILE").help("YAML file with alert rules");
    let server = [
        Arg::new("url").long("url").default_value("http://127.0.0.1:3000").help("The server"),
        Arg::new("key").long("key").help("API key with the scope admin [env: STREAMGAUGE_API_KEY]"),
    ];
    let task = |name, about| Command::new(name).about(about).args(server.clone());
    let time = |name| Arg::new(name).long(name).value_name("TIME");
    Command::new("alerts")
        .about("Check alert rules, move them, and try them on stored history")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("check").about("Say each fault of a file with its line").arg(file.clone()))
        .subcommand(
            Command::new("test")
                .about("Run scenario files: series in, expected states and incidents out")
                .arg(
                    Arg::new("files").required(true).num_args(1..).value_name("SCENARIO").help("YAML files"),
                ),
        )
        .subcommand(task("export", "Write the server's rules as a file, to the standard output"))
        .subcommand(
            task("import", "Create or replace the server's rules by those of a file").arg(file.clone()),
        )
        .subcommand(
            task("backtest", "Say when the rules of a file would have fired")
                .arg(file)
                .arg(time("from").help("A date, a time, or a time ago such as 7d [default: 30d]"))
                .arg(time("to").help("A date, a time, or a time ago [default: now]")),
        )
}

fn flag(setting: &Setting) -> Arg {
    let value = if setting.unit.is_empty() { "VALUE".to_owned() } else { setting.unit.to_uppercase() };
    Arg::new(setting.name).long(setting.flag()).help(setting.help_text()).value_name(value)
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
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    // Colours are for people: a file or a collector of logs would get escape codes between the fields.
    log.with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).init();
    match matches.subcommand() {
        Some(("serve", flags)) => serve(flags),
        Some(("key", flags)) => key(flags),
        Some(("demo", flags)) => demo(flags),
        Some(("alerts", flags)) => of_alerts(flags),
        Some(("loadtest", flags)) => streamgauge_loadtest::main(flags),
        _ => ExitCode::from(USAGE),
    }
}

/// What the flags, the environment and the file say together.
fn settings(flags: &ArgMatches) -> Result<Settings, ExitCode> {
    let given: HashMap<&'static str, String> = SETTINGS
        .iter()
        .filter_map(|setting| {
            let value = flags.try_get_one::<String>(setting.name).ok().flatten()?;
            Some((setting.name, value.clone()))
        })
        .collect();
    config::read(&given, flags.get_one::<String>("config").cloned()).map_err(|error| {
        eprintln!("streamgauge: {error}");
        ExitCode::from(USAGE)
    })
}

fn serve(flags: &ArgMatches) -> ExitCode {
    let settings = match settings(flags) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("streamgauge: {error}");
            if error.is_usage() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn demo(flags: &ArgMatches) -> ExitCode {
    let Some(("remove", flags)) = flags.subcommand() else { return ExitCode::from(USAGE) };
    let settings = match settings(flags) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match remove_demo(&settings) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("streamgauge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn of_alerts(flags: &ArgMatches) -> ExitCode {
    let Some((name, flags)) = flags.subcommand() else { return ExitCode::from(USAGE) };
    if name == "test" {
        let files: Vec<String> = flags.get_many("files").unwrap_or_default().cloned().collect();
        let (said, status) = alerts::test(&files);
        print!("{said}");
        return ExitCode::from(status);
    }
    let given = |name: &str| flags.try_get_one::<String>(name).ok().flatten().cloned();
    let file = given("file").unwrap_or_default();
    let task = match name {
        "check" => alerts::Task::Check { file },
        "import" => alerts::Task::Import { file },
        "backtest" => alerts::Task::Backtest { file, from: given("from"), to: given("to") },
        _ => alerts::Task::Export,
    };
    let key =
        given("key").or_else(|| std::env::var("STREAMGAUGE_API_KEY").ok()).filter(|key| !key.is_empty());
    match alerts::run(task, &alerts::Target { url: given("url").unwrap_or_default(), key }) {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("streamgauge: {error}");
            if error.is_usage() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn key(flags: &ArgMatches) -> ExitCode {
    let Some((name, flags)) = flags.subcommand() else { return ExitCode::from(USAGE) };
    let settings = match settings(flags) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let text = |name| flags.get_one::<String>(name).cloned().unwrap_or_default();
    let task = match name {
        "create" => keys::Task::Create {
            name: text("name"),
            scopes: flags.get_many::<String>("scope").unwrap_or_default().cloned().collect(),
        },
        "revoke" => keys::Task::Revoke { id: text("id") },
        _ => keys::Task::List,
    };
    match keys::run(&settings, task) {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("streamgauge: {error}");
            if error.is_usage() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}
