//! A network of real nodes: processes on loopback, in a directory of their own, ended when the value is dropped.

use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use cairn_rpc::Client;
use cairn_rpc::views::Text;
use cairn_types::{BlockRef, ChainId, Height, OrganizationId, Principal};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;

use crate::actor::{Actor, Signed};

/// No step of a story takes longer, however busy the machine is; one that does has hung.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How often a waiting test looks again.
const LOOK: Duration = Duration::from_millis(20);

/// Where cargo builds the profile of this test.
fn profile() -> PathBuf {
    // <target>/<profile>/deps/<this test>, or <target>/<profile>/examples/<this example>
    let test = std::env::current_exe().expect("the system tells where this program is");
    test.ancestors().nth(2).expect("cargo puts programs into <target>/<profile>/<kind>").to_owned()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    profile().parent().expect("a profile lies in the target directory").to_owned()
}

/// The program under test, up to date.
///
/// # Panics
/// If it cannot be built.
pub fn program() -> &'static Path {
    PROGRAM.get_or_init(|| built("bin", "cairn", &profile().join("cairn")))
}

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Has networks run this program, which somebody built before, instead of the one under test: for comparing the two.
///
/// # Panics
/// If a program was started already.
pub fn use_program(path: PathBuf) {
    PROGRAM.set(path).expect("the program is chosen before the first network is made");
}

/// An example of this workspace, up to date: a program for tests.
///
/// # Panics
/// If it cannot be built.
pub fn example(name: &str) -> PathBuf {
    built("example", name, &profile().join("examples").join(name))
}

/// Has cargo build a program, and says where it is.
fn built(kind: &str, name: &str, path: &Path) -> PathBuf {
    let profile = profile();
    // An old program would be tested in silence, so cargo looks whether there is anything to build.
    let is_release = profile.file_name().is_some_and(|name| name == "release");
    // What cargo tells this test about its own package would make packages with a say in it look changed.
    let of_this_package = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name == "CARGO" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    });
    let mut cargo = Command::new(env!("CARGO"));
    of_this_package.for_each(|name| {
        cargo.env_remove(name);
    });
    let built = cargo
        .args(["build", "--quiet", "--workspace", &format!("--{kind}"), name, "--locked"])
        .args(is_release.then_some("--release"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .status()
        .expect("cargo runs: it built this");
    assert!(built.success(), "cargo build --workspace --{kind} {name} failed");
    path.to_owned()
}

/// Networks of one test program get ports of their own; others are probed. They lie below those that systems give to whoever
/// connects, usually from 32,768 on: such a port may be taken between the look and the start of a node.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 40).expect("less than 40");
    loop {
        let block = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = 10_000 + (offset * 6 + block) % 113 * 200;
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (base..base + 8).chain(base + 100..base + 108).all(is_free) {
            return base;
        }
    }
}

/// One node.
pub struct Node {
    /// Its name, such as `node-0`.
    pub name: String,
    /// Where it answers.
    pub rpc: String,
    /// Its files.
    pub directory: PathBuf,
    /// The public halves of its keys, if it may vote.
    pub votes: Option<VotingKeys>,
    config: PathBuf,
    child: Option<Child>,
    client: Client,
    variables: Vec<(String, PathBuf)>,
}

/// What others know of a node that may vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VotingKeys {
    /// The key that signs its votes.
    pub consensus: [u8; 32],
    /// The key that names it in the network.
    pub peer: [u8; 32],
}

/// Several of them.
pub struct Network {
    /// The chain.
    pub chain: ChainId,
    /// All nodes: validators, then candidates, then observers.
    pub nodes: Vec<Node>,
    /// The founding organizations' keys, in the order of the genesis file.
    pub organizations: Vec<Actor>,
    // Removed after the nodes, which are ended first.
    directory: tempfile::TempDir,
}

impl Network {
    /// Makes and starts a network of so many validators and observers, and waits for its first block.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn start(validators: u16, observers: u16, options: &[&str]) -> Self {
        let mut network = Self::make(validators, observers, options);
        network.nodes.iter_mut().for_each(Node::start);
        network.wait_for_height(1).await;
        network
    }

    /// Makes the files of a network.
    ///
    /// # Panics
    /// If the program refuses.
    pub fn make(validators: u16, observers: u16, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let dir = directory.path().join("net");
        let output = Command::new(program())
            .args(["testnet", "generate", "--json", "--dir"])
            .arg(&dir)
            .args(["--validators", &validators.to_string(), "--observers", &observers.to_string()])
            .args(["--base-port", &free_ports().to_string()])
            .args(options)
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let made: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let list = |name: &str| made[name].as_array().expect("a list").clone();
        let voting = |node: &serde_json::Value| {
            let key = |name: &str| hex::decode(node[name].as_str()?).ok()?.try_into().ok();
            Some(VotingKeys { consensus: key("consensus")?, peer: key("peer_key")? })
        };
        let node = |node: &serde_json::Value| {
            let mut made = Node::new(&dir, &text(&node["name"]), &text(&node["rpc"]));
            made.votes = voting(node);
            made
        };
        let nodes = list("nodes").iter().map(node).collect();
        let organization = |organization: &serde_json::Value| {
            let id: OrganizationId = text(&organization["id"]).parse().expect("an id");
            let pem = fs::read_to_string(text(&organization["key"])).expect("its key file is there");
            let key = SigningKey::from_pkcs8_pem(&pem).expect("its key file is one");
            Actor { principal: Principal::Organization(id), key }
        };
        let organizations = list("organizations").iter().map(organization).collect();
        Self { chain: text(&made["chain"]).parse().expect("a chain id"), nodes, organizations, directory }
    }

    /// The network's directory.
    pub fn directory(&self) -> PathBuf {
        self.directory.path().join("net")
    }

    /// Waits until every running node has a final block of this height.
    ///
    /// # Panics
    /// If one does not get there.
    pub async fn wait_for_height(&self, height: u64) {
        for node in self.nodes.iter().filter(|node| node.is_running()) {
            node.wait_for_height(height).await;
        }
    }

    /// Kills all nodes at once with SIGKILL.
    pub fn kill_all(&mut self) {
        for node in &mut self.nodes {
            if let Some(child) = &mut node.child {
                child.kill().expect("a running child can be killed");
            }
        }
        self.nodes.iter_mut().for_each(Node::kill);
    }

    /// Asserts that all running nodes have the same block at every height that all of them have.
    ///
    /// # Panics
    /// If two differ.
    pub async fn assert_one_chain(&self) {
        let running: Vec<&Node> = self.nodes.iter().filter(|node| node.is_running()).collect();
        let mut lowest = u64::MAX;
        for node in &running {
            lowest = lowest.min(node.height().await.unwrap_or(0));
        }
        for height in 0..=lowest {
            let mut first = None;
            for node in &running {
                let header = node.client.chain_get_header(Some(Text(Height::new(height)))).await.expect("final");
                let hash = header.value.header.hash.0;
                let expected = first.get_or_insert(hash);
                assert_eq!(*expected, hash, "{} differs at height {height}", node.name);
            }
        }
    }
}

impl Node {
    fn new(dir: &Path, name: &str, rpc: &str) -> Self {
        let directory = dir.join(name);
        Self {
            name: name.to_owned(),
            rpc: rpc.to_owned(),
            config: directory.join("config.toml"),
            directory,
            votes: None,
            child: None,
            client: Client::http(rpc).expect("a generated URL is one"),
            variables: Vec::new(),
        }
    }

    /// Sets an environment variable of its process, from the next start on.
    pub fn set_variable(&mut self, name: &str, value: PathBuf) {
        self.variables.push((name.to_owned(), value));
    }

    /// Starts its process.
    ///
    /// # Panics
    /// If the system cannot.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = OpenOptions::new().create(true).append(true).open(self.log()).expect("the log can be opened");
        let child = Command::new(program())
            .args(["node", "run", "--config"])
            .arg(&self.config)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(File::options().write(true).open("/dev/null").expect("it is always there"))
            .stderr(log)
            .spawn()
            .expect("the program starts");
        self.child = Some(child);
    }

    /// Ends its process with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself, and been waited for.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends its process with SIGTERM, and waits.
    ///
    /// # Panics
    /// If it ends with an error.
    pub fn stop(&mut self) {
        self.signal("-TERM");
        let mut child = self.child.take().expect("a node that is stopped runs");
        let status = child.wait().expect("a child can be waited for");
        assert!(status.success(), "{} ended with {status}; its last words:\n{}", self.name, self.last_words());
    }

    /// Sends its process a signal, such as `-STOP`.
    ///
    /// # Panics
    /// If it does not run.
    pub fn signal(&self, signal: &str) {
        let process = self.pid().expect("a node that is sent a signal runs").to_string();
        let sent = Command::new("kill").args([signal, &process]).status().expect("kill is everywhere");
        assert!(sent.success(), "{} could not be sent {signal}", self.name);
    }

    /// How its process ended, if it did so by itself.
    ///
    /// # Panics
    /// If the system does not tell.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("a child can be waited for");
        if status.is_some() {
            self.child = None;
        }
        status
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Waits until its process ends by itself.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn wait_for_end(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            assert!(self.is_running(), "{} does not run", self.name);
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "{} does not end; its last words:\n{}", self.name, self.last_words());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A node with a copy of this one's files, keys included, in the directory `name` beside it; its ports are so much
    /// higher.
    ///
    /// # Panics
    /// If the files cannot be copied.
    pub fn copied(&self, name: &str, ports_above: u16) -> Self {
        let dir = self.directory.parent().expect("a node's directory is in the network's");
        let directory = dir.join(name);
        let status = Command::new("cp").arg("-a").args([&self.directory, &directory]).status();
        assert!(status.expect("cp is everywhere").success(), "{} could not be copied", self.name);
        let path = directory.join("config.toml");
        let mut config: toml::Table = fs::read_to_string(&path).expect("it is there").parse().expect("it is TOML");
        let above = |address: &str, separator: char| {
            let (host, port) = address.rsplit_once(separator).expect("an address ends with its port");
            let port: u16 = port.parse().expect("a port");
            format!("{host}{separator}{}", port + ports_above)
        };
        let rpc = above(config["rpc"]["listen"].as_str().expect("an address"), ':');
        let listen = above(config["network"]["listen"][0].as_str().expect("an address"), '/');
        config["rpc"]["listen"] = rpc.clone().into();
        config["network"]["listen"] = vec![listen].into();
        fs::write(&path, config.to_string()).expect("writes");
        // Its log begins with its own words.
        fs::remove_file(directory.join("log")).expect("the log was copied");
        let mut node = Self::new(dir, name, &format!("http://{rpc}"));
        node.votes = self.votes;
        node
    }

    /// Whether a process is there.
    pub const fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Its process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its typed client.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Its log file.
    pub fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// The last lines of its log.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(12)).copied().collect::<Vec<_>>().join("\n")
    }

    /// Its newest final height, if it answers.
    pub async fn height(&self) -> Option<u64> {
        self.client.chain_get_status().await.ok().map(|status| status.height.0.get())
    }

    /// What it says that it is doing.
    pub async fn state(&self) -> Option<String> {
        let status = self.client.chain_get_status().await.ok()?;
        serde_json::to_value(status.value.state).ok()?.as_str().map(str::to_owned)
    }

    /// Its newest final block.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn tip(&self) -> BlockRef {
        let status = self.client.chain_get_status().await.expect("a running node answers");
        BlockRef { height: status.height.0, hash: status.value.hash.0 }
    }

    /// Waits for a final block of this height.
    ///
    /// # Panics
    /// If it does not come.
    pub async fn wait_for_height(&self, height: u64) {
        self.wait_until(&format!("height {height}"), async || self.height().await.is_some_and(|now| now >= height))
            .await;
    }

    /// Waits until it says that it does `state`.
    ///
    /// # Panics
    /// If it does not come to it.
    pub async fn wait_for_state(&self, state: &str) {
        self.wait_until(state, async || self.state().await.as_deref() == Some(state)).await;
    }

    async fn wait_until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !holds().await {
            assert!(
                began.elapsed() < PATIENCE,
                "{} does not reach {what}; its last words:\n{}",
                self.name,
                self.last_words()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Submits, and waits until it is final; its height.
    ///
    /// # Panics
    /// If it is refused, or does not become final.
    pub async fn finalize(&self, transaction: &Signed) -> u64 {
        self.submit(transaction).await.expect("the transaction is taken");
        self.wait_for(transaction).await
    }

    /// Submits.
    ///
    /// # Errors
    /// The name of the rule that refuses.
    pub async fn submit(&self, transaction: &Signed) -> Result<(), String> {
        self.submit_bytes(transaction.bytes().to_vec()).await
    }

    /// Submits bytes, whatever they are.
    ///
    /// # Errors
    /// The name of the rule that refuses.
    ///
    /// # Panics
    /// If the node does not answer.
    pub async fn submit_bytes(&self, bytes: Vec<u8>) -> Result<(), String> {
        match self.client.tx_submit(Text(bytes)).await {
            Ok(_) => Ok(()),
            Err(error) => match error.name() {
                Some(name) => Err(name.to_owned()),
                None => panic!("{} does not answer: {error}; its last words:\n{}", self.name, self.last_words()),
            },
        }
    }

    /// Waits until a transaction is final; its height.
    ///
    /// # Panics
    /// If it does not become final.
    pub async fn wait_for(&self, transaction: &Signed) -> u64 {
        let receipt = self.client.tx_wait(Text(transaction.id()), Some(60_000)).await;
        match receipt {
            Ok(receipt) => receipt.value.position.height.0.get(),
            Err(error) => panic!("{}: not final: {error}; its last words:\n{}", self.name, self.last_words()),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
