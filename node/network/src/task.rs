//! The one task that owns the swarm.
//!
//! ```text
//! handle ─commands─▶ ┌───────────┐ ─events─▶ consumer
//! set_members ─────▶ │   task    │
//! dialer's clock ──▶ │  (swarm)  │ ─spawns─▶ writer, reader of each peer's consensus streams
//! stop ────────────▶ └───────────┘
//! ```
//!
//! It never waits for the consumer: what has no room is dropped or told later, as [`crate::event`] says. Readers and writers are its
//! children and end with it.

mod answers;
mod peers;
mod swarm;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use libp2p::{Multiaddr, Swarm, core::transport::ListenerId, multiaddr::Protocol, swarm::SwarmEvent};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, JoinSet},
};

use self::{answers::Answers, peers::Peer};
use crate::{
    behaviour::{self, Behaviour, Protocols},
    conduct::{Conduct, Pace},
    config::{Limits, NetworkConfig, tcp_socket},
    dialer::Dialer,
    error::{NetworkError, TaskError},
    event::{self, Lanes, NetworkEvents},
    handle::{COMMANDS_MAX, Command, Membership, NetworkHandle, Shared},
    key::{NetworkKey, PeerKey},
};

/// How soon an arrival or departure that had no room is told again.
const TELL_AGAIN: Duration = Duration::from_millis(50);

/// A running network.
pub struct Network {
    /// What the rest of the node holds.
    pub handle: NetworkHandle,
    /// What the network tells. To be read all the time: what is not read is, by kind, dropped or not taken from the peers.
    pub events: NetworkEvents,
    /// The running task, for who supervises it.
    pub task: NetworkTask,
}

/// The running task. Dropped, it stops the network.
pub struct NetworkTask {
    stop: oneshot::Sender<()>,
    join: JoinHandle<()>,
}

impl NetworkTask {
    /// Closes all connections and waits until the task has ended.
    ///
    /// # Errors
    /// [`TaskError::Panicked`]: a bug of ours had ended it before.
    pub async fn stop(self) -> Result<(), TaskError> {
        // An error means that the task has ended already, which the next line finds out.
        let _ = self.stop.send(());
        ended(self.join.await)
    }

    /// Waits until the task ends, which without a bug of ours it does not. May be dropped while waiting.
    ///
    /// # Errors
    /// [`TaskError::Panicked`]: a bug of ours ended it.
    pub async fn ended(&mut self) -> Result<(), TaskError> {
        ended((&mut self.join).await)
    }
}

fn ended(result: Result<(), tokio::task::JoinError>) -> Result<(), TaskError> {
    result.map_err(|error| TaskError::Panicked { reason: error.to_string() })
}

impl Network {
    /// Starts a node's network, and returns when it listens.
    ///
    /// # Errors
    /// [`NetworkError`], whose every case is the operator's to mend.
    pub async fn spawn(config: NetworkConfig, key: NetworkKey) -> Result<Self, NetworkError> {
        let own = key.peer_key();
        let checked = config.check(own)?;
        let protocols = Protocols::of_chain(&config.chain);
        let shared = Arc::new(Shared::new(own));
        let mut swarm = behaviour::swarm(&config, &key.keypair(), &protocols, checked.dns)?;
        let mut control = swarm.behaviour().direct.new_control();
        let incoming = control.accept(protocols.consensus.clone()).expect("nobody else has registered this protocol");
        let addresses = listen(&mut swarm, checked.listen).await?;

        let (lanes, events) = event::lanes(config.limits.batches_max);
        let (commands, commands_end) = mpsc::channel(COMMANDS_MAX);
        let (membership, membership_end) = watch::channel(Membership::new(config.members, config.validators));
        let (stop, stopped) = oneshot::channel();
        let mut task = Task {
            dialer: Dialer::new(checked.peers, Instant::now()),
            swarm,
            control,
            protocols,
            shared: Arc::clone(&shared),
            commands: commands.clone(),
            lanes,
            conduct: Conduct::new(config.limits.cut_first),
            limits: config.limits,
            paces: BTreeMap::new(),
            members: Membership::new(BTreeSet::new(), BTreeSet::new()),
            peers: BTreeMap::new(),
            budgets: BTreeMap::new(),
            told: BTreeSet::new(),
            untold: BTreeSet::new(),
            answers: Answers::default(),
            answered: FuturesUnordered::new(),
            asked: BTreeMap::new(),
            children: JoinSet::new(),
        };
        for address in addresses {
            task.listening(&address);
        }
        task.set_members(membership_end.borrow().clone());
        let join = tokio::spawn(task.run(incoming, commands_end, membership_end, stopped));
        Ok(Self { handle: NetworkHandle { shared, commands, membership }, events, task: NetworkTask { stop, join } })
    }
}

/// Listens on every address and waits until the first socket of each stands.
async fn listen(swarm: &mut Swarm<Behaviour>, addresses: Vec<Multiaddr>) -> Result<Vec<Multiaddr>, NetworkError> {
    let failed = |address: &Multiaddr, source| NetworkError::Listen { address: address.to_string(), source };
    let mut waiting = BTreeMap::<String, (ListenerId, Multiaddr)>::new();
    for address in addresses {
        // The library's listening sockets share their port with others that ask for it, so a second node on one port would get
        // some of the first one's connections. A socket that does not share finds out whether the port is free.
        if let Some(socket) = tcp_socket(&address) {
            drop(TcpListener::bind(socket).map_err(|source| failed(&address, source))?);
        }
        let listener =
            swarm.listen_on(address.clone()).map_err(|error| failed(&address, std::io::Error::other(error)))?;
        waiting.insert(listener.to_string(), (listener, address));
    }
    let mut bound = Vec::new();
    while !waiting.is_empty() {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                waiting.remove(&listener_id.to_string());
                bound.push(address);
            }
            SwarmEvent::ListenerClosed { listener_id, reason: Err(source), .. }
            | SwarmEvent::ListenerError { listener_id, error: source } => {
                if let Some((_, address)) = waiting.get(&listener_id.to_string()) {
                    return Err(failed(address, source));
                }
            }
            // Nobody is a member yet, so no connection can have come to stand.
            _ => {}
        }
    }
    Ok(bound)
}

/// The task's state. The three submodules hold what it does: `swarm` for the library's events, `peers` for connections and
/// consensus streams, `answers` for requests.
pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    control: libp2p_stream::Control,
    protocols: Protocols,
    limits: Limits,
    shared: Arc<Shared>,
    /// For its children, who tell offences.
    commands: mpsc::Sender<Command>,
    lanes: Lanes,
    /// What each member costs, and who is cut off.
    conduct: Conduct,
    /// How fast each validator's frames are read. Outlives a connection.
    paces: BTreeMap<PeerKey, Arc<Mutex<Pace>>>,
    dialer: Dialer,
    members: Membership,
    /// Connected peers.
    peers: BTreeMap<PeerKey, Peer>,
    /// How much each validator may still send before the consumer takes something. Outlives a connection, or reconnecting would
    /// renew it.
    budgets: BTreeMap<PeerKey, Arc<tokio::sync::Semaphore>>,
    /// Who is connected as far as the consumer was told.
    told: BTreeSet<PeerKey>,
    /// Whose arrival or departure had no room in the lane.
    untold: BTreeSet<PeerKey>,
    answers: Answers,
    answered: FuturesUnordered<answers::Answering>,
    asked: BTreeMap<libp2p::request_response::OutboundRequestId, answers::Asked>,
    children: JoinSet<()>,
}

impl Task {
    async fn run(
        mut self,
        mut incoming: libp2p_stream::IncomingStreams,
        mut commands: mpsc::Receiver<Command>,
        mut membership: watch::Receiver<Membership>,
        mut stop: oneshot::Receiver<()>,
    ) {
        loop {
            self.dial();
            let wake = self.wake();
            tokio::select! {
                _ = &mut stop => break,
                Some((peer, stream)) = incoming.next() => self.incoming(&peer, stream),
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(command) = commands.recv() => self.on_command(command),
                Ok(()) = membership.changed() => {
                    let members = membership.borrow_and_update().clone();
                    self.set_members(members);
                }
                Some(answer) = self.answered.next() => self.answer(answer),
                Some(end) = self.children.join_next() => {
                    // A child that was aborted is one that we ended. A panic is our bug, and the supervisor must see it.
                    if let Err(error) = end
                        && let Ok(panic) = error.try_into_panic()
                    {
                        std::panic::resume_unwind(panic);
                    }
                }
                () = tokio::time::sleep_until(wake.into()) => {
                    self.pardon();
                    self.tell();
                }
            }
        }
        self.close().await;
    }

    /// When to look up although nothing happened.
    fn wake(&self) -> Instant {
        const SELDOM: Duration = Duration::from_secs(3_600);
        let now = Instant::now();
        let dial = self.dialer.next_due().unwrap_or(now + SELDOM);
        let dial = self.conduct.next_pardon().map_or(dial, |pardon| pardon.min(dial));
        if self.untold.is_empty() { dial } else { dial.min(now + TELL_AGAIN) }
    }

    /// Where we listen, in the form that another node can dial.
    fn listening(&self, address: &Multiaddr) {
        let text = address.clone().with(Protocol::P2p(self.shared.own.to_libp2p())).to_string();
        tracing::info!(address = %text, "listening for peers");
        self.shared.addresses_mut().push(text);
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish { batch } => self.publish(batch),
            Command::Report { id, verdict } => self.report(&id, verdict),
            Command::Blame { peer, offence } => self.blame(peer, offence),
            Command::Request { to, bytes, answer } => self.ask(to, bytes, answer),
        }
    }
}
