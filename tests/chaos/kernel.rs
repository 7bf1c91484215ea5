//! Lines that the kernel cuts: real lost packets, in a network namespace of the test's own.
//!
//! The whole test runs again inside the namespace, where everything is on loopback. Each line is a port there (that of its
//! proxy), so a packet filter can drop what goes one way over one line, or a share of everything: TCP then does what it does
//! on a bad network, with its own timers. Where the machine has no namespaces or no `nft`, the proxies do what they can, and
//! the run says so. `CAIRN_CHAOS_TRANSPORT=proxy` asks for them.

use std::io::Write;
use std::process::{Command, Stdio};

/// Says that this is the inside.
const INSIDE: &str = "CAIRN_CHAOS_INSIDE";

/// Makes loopback work, and a chain of the packet filter. What is dropped there was sent, and does not arrive.
const PREPARE: &str = "ip link set lo up && nft add table inet cairn && \
    nft add chain inet cairn lost '{ type filter hook input priority 0; }' && \
    nft add rule inet cairn lost tcp dport 1 numgen random mod 100 '<' 1 drop && nft flush chain inet cairn lost";

/// Where a test runs.
pub(crate) enum Place {
    /// In a namespace of its own: the kernel cuts lines.
    Inside(Kernel),
    /// On this machine: the proxies cut lines.
    Machine,
    /// It ran inside, and this is whether it passed.
    Done(bool),
}

/// The packet filter of the namespace.
#[derive(Debug)]
pub(crate) struct Kernel;

/// Which packets of a line: those to its port, or those from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packets {
    /// What the one who dials sends.
    Outward,
    /// What it is sent.
    Inward,
}

/// Finds out where `test` runs; if there may be a namespace, runs it there.
pub(crate) fn enter(test: &str) -> Place {
    if std::env::var_os(INSIDE).is_some() {
        return Place::Inside(Kernel);
    }
    if std::env::var("CAIRN_CHAOS_TRANSPORT").is_ok_and(|transport| transport == "proxy") {
        return Place::Machine;
    }
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "sh", "-c", script]);
        command
    };
    match unshare(PREPARE).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            println!("no network namespace in this run: {}", String::from_utf8_lossy(&output.stderr).trim());
            return Place::Machine;
        }
        Err(error) => {
            println!("no network namespace in this run: {error}");
            return Place::Machine;
        }
    }
    let program = std::env::current_exe().expect("the system tells where this program is");
    let output = unshare(&format!("{PREPARE} && exec \"$0\" \"$@\""))
        .arg(program)
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        // There is no way out of the namespace, and nothing to fetch: everything was built.
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .expect("it ran just now");
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Place::Done(output.status.success())
}

impl Kernel {
    /// Drops packets of a line.
    pub(crate) fn cut(&self, port: u16, packets: Packets) {
        let side = match packets {
            Packets::Outward => "dport",
            Packets::Inward => "sport",
        };
        self.tell(&format!("add rule inet cairn lost tcp {side} {port} drop\n"));
    }

    /// Loses so many of a hundred packets of these lines, both ways.
    pub(crate) fn lose(&self, ports: &[u16], percent: u8) {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let ports = ports.join(", ");
        let rule = |side: &str| {
            format!("add rule inet cairn lost tcp {side} {{ {ports} }} numgen random mod 100 < {percent} drop\n")
        };
        self.tell(&(rule("dport") + &rule("sport")));
    }

    /// Drops nothing any more.
    pub(crate) fn heal(&self) {
        self.tell("flush chain inet cairn lost\n");
    }

    fn tell(&self, rules: &str) {
        let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("it ran before");
        nft.stdin.take().expect("it is piped").write_all(rules.as_bytes()).expect("it reads");
        assert!(nft.wait().expect("a child can be waited for").success(), "nft does not take {rules}");
    }
}
