//! `cairn node`: run a node.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::run;

/// What the node logs unless `CAIRN_LOG` says otherwise: its own story, and of its libraries only what went wrong. The
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
    Run {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Log as JSON, a line an event.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: NodeCommand) -> anyhow::Result<ExitCode> {
    let Node::Run { config, json } = command.command;
    let filter = EnvFilter::try_from_env("CAIRN_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        log.json().init();
    } else {
        log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(RUNTIME_THREADS).enable_all().build()?;
    runtime.block_on(run::run(&config))?;
    Ok(ExitCode::SUCCESS)
}
