//! `cairn node`: run a node, and drop its old blocks.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{allocator, run};

/// The variable of the environment that says what the node logs.
const LOG_VARIABLE: &str = "CAIRN_LOG";

/// What the node logs unless [`LOG_VARIABLE`] says otherwise: its own story, and of its libraries only what went wrong. The
/// engine logs each message at `info`, and gossip warns about every batch that is published twice.
const LOG_FILTER: &str = "info,arc_malachitebft_core_consensus=warn,arc_malachitebft_core_driver=warn,\
    arc_malachitebft_core_state_machine=warn,arc_malachitebft_core_votekeeper=warn,libp2p=warn,libp2p_gossipsub=error,\
    libp2p_mdns=warn,jsonrpsee=warn,fjall=warn,lsm_tree=warn,sled=warn";

/// Threads of the runtime that serves the network and JSON-RPC. Agreement has a thread of its own, and signatures are
/// verified on as many as there are cores.
const RUNTIME_THREADS: usize = 2;

#[derive(Debug, Args)]
pub(super) struct NodeCommand {
    #[command(subcommand)]
    command: Node,
}

#[derive(Debug, Subcommand)]
enum Node {
    /// Run the node that a configuration file describes, until SIGINT or SIGTERM.
    ///
    /// `CAIRN_LOG` in the environment says what it logs, in levels: `debug`, or `info,libp2p=debug`.
    Run {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Log as JSON, a line an event.
        #[arg(long)]
        json: bool,
    },
    /// Drop the old blocks of a node that is stopped. It goes on proving what it keeps; what it drops, only others can prove.
    Prune {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// How many of the newest blocks are kept.
        #[arg(long, value_name = "BLOCKS", value_parser = clap::value_parser!(u64).range(1..))]
        keep: u64,
        /// Print the outcome as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: NodeCommand) -> anyhow::Result<ExitCode> {
    match command.command {
        Node::Run { config, json } => run_node(&config, json),
        Node::Prune { config, keep, json } => prune(&config, keep, json),
    }
}

fn prune(config: &Path, keep: u64, json: bool) -> anyhow::Result<ExitCode> {
    let pruned = run::prune(config, keep)?;
    if json {
        let (first, files) = pruned.map_or((None, 0), |pruned| (Some(pruned.first.to_string()), pruned.files));
        println!("{:#}", serde_json::json!({ "firstHeight": first, "files": files }));
        return Ok(ExitCode::SUCCESS);
    }
    match pruned {
        Some(pruned) => {
            println!("the node's blocks begin at height {} now; {} files removed", pruned.first, pruned.files)
        }
        None => println!("the node has not more than {keep} blocks; nothing was dropped"),
    }
    Ok(ExitCode::SUCCESS)
}

fn run_node(config: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let given_back = allocator::give_back();
    let filter = log_filter(std::env::var_os(LOG_VARIABLE).as_deref())?;
    let log = layer().with_writer(std::io::stderr);
    if json {
        tracing_subscriber::registry().with(log.json().with_filter(filter)).init();
    } else {
        let log = log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
        tracing_subscriber::registry().with(log.with_filter(filter)).init();
    }
    if let Err(error) = given_back {
        tracing::warn!(%error, "the node may keep more memory than it needs: it could not be started with MALLOC_MMAP_THRESHOLD_");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(RUNTIME_THREADS).enable_all().build()?;
    runtime.block_on(run::run(config))?;
    Ok(ExitCode::SUCCESS)
}

/// What is logged: as `given`, or as ever. Levels for parts of the program are enough; patterns over fields of spans would bring
/// a library of regular expressions.
///
/// # Errors
/// Whoever set the variable is to blame.
fn log_filter(given: Option<&OsStr>) -> anyhow::Result<Targets> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Ok(LOG_FILTER.parse().expect("our own filter is one"));
    };
    let filter = given.to_str().and_then(|text| text.parse().ok());
    filter.with_context(|| {
        format!(
            "{LOG_VARIABLE}={} is not understood; give levels, such as debug, or info,libp2p=debug",
            given.display()
        )
    })
}
