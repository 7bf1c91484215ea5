//! The nemesis: by a seeded schedule it kills, pauses, cuts off, slows down, fills disks and moves clocks.
//!
//! It does one thing at a time, and after each it waits until every node has what was final at that moment and blocks go on:
//! a network that does not recover ends the test. What clients see meanwhile is the checker's to judge.

use std::sync::Arc;
use std::time::Duration;

use cairn_rpc::views::WarningName;
use cairn_tests::proxy::Weather;
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clients::Target;
use crate::world::{Deaf, World};

/// How long a network may take to recover from anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the nemesis looks.
const LOOK: Duration = Duration::from_millis(10);

/// A line of 1 Mbit/s, in bytes a second.
const NARROW_BYTES_PER_SECOND: u32 = 125_000;

/// How long everything is on its way over a far line: half of the longest round trip on earth by cable.
const FAR: Duration = Duration::from_millis(100);

/// How many of a hundred pieces a bad line loses.
const LOSS_PERCENT: u8 = 30;

/// By how much a wrong clock is wrong, in milliseconds: an hour, a summer time that was set by hand.
const WRONG_CLOCK_MS: i64 = 3_600_000;

/// What a program that panicked ends with.
const PANICKED: i32 = 101;

/// What can happen besides a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Pause,
    CutHalves,
    CutOne,
    OneWay,
    Sever,
    Lossy,
    Narrow,
    Far,
    DiskFull,
    Clock,
    Join,
}

impl Trouble {
    pub(crate) const ALL: [Self; 11] = [
        Self::Pause,
        Self::CutHalves,
        Self::CutOne,
        Self::OneWay,
        Self::Sever,
        Self::Lossy,
        Self::Narrow,
        Self::Far,
        Self::DiskFull,
        Self::Clock,
        Self::Join,
    ];

    /// Whether it is done inside a process.
    const fn needs_shim(self) -> bool {
        matches!(self, Self::DiskFull | Self::Clock)
    }
}

/// What the nemesis did, and how soon the network was well again.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) kills: usize,
    /// From the start of a killed process to its first vote, the longest.
    pub(crate) vote_after_kill_s: f64,
    /// From the end of a trouble until everybody had everything and blocks went on, the longest.
    pub(crate) recovery_s: f64,
    /// From the start of a new node to the newest block.
    pub(crate) join_s: f64,
}

/// See the module.
pub(crate) struct Nemesis {
    pub(crate) world: World,
    pub(crate) target: Arc<Target>,
    pub(crate) dice: StdRng,
    /// How many of the nodes vote; they come first.
    pub(crate) validators: usize,
    /// How long each trouble lasts.
    pub(crate) hold: Duration,
    pub(crate) report: Report,
}

impl Nemesis {
    /// Does everything in `troubles`, and kills in between until there were so many kills.
    pub(crate) async fn rage(&mut self, mut troubles: Vec<Trouble>, kills: usize) {
        if self.world.controls.is_empty() {
            troubles.retain(|trouble| !trouble.needs_shim());
        }
        troubles.shuffle(&mut self.dice);
        let count = troubles.len().max(1);
        for (done, trouble) in (1..).zip(troubles) {
            let began = Instant::now();
            self.make(trouble).await;
            println!("{trouble:?}: {:.1} s", began.elapsed().as_secs_f64());
            while self.report.kills * count < kills * done {
                self.kill_some(kills).await;
            }
        }
        while self.report.kills < kills {
            self.kill_some(kills).await;
        }
    }

    fn any_validator(&mut self) -> usize {
        self.dice.random_range(0..self.validators)
    }

    async fn kill_some(&mut self, kills: usize) {
        let left = kills - self.report.kills;
        let everybody: Vec<usize> = (0..self.target.present()).collect();
        match self.dice.random_range(0..5) {
            0..2 if left >= everybody.len() => self.kill(&everybody).await,
            2 if left >= self.validators => {
                for node in 0..self.validators {
                    self.kill(&[node]).await;
                }
            }
            _ => {
                let node = self.any_validator();
                self.kill(&[node]).await;
            }
        }
    }

    /// Kills nodes at once, starts them again after a moment, and waits for the first vote of each.
    async fn kill(&mut self, nodes: &[usize]) {
        for node in nodes {
            self.world.network.nodes[*node].signal("-KILL");
        }
        for node in nodes {
            self.world.network.nodes[*node].kill();
        }
        self.report.kills += nodes.len();
        let dead = Duration::from_millis(self.dice.random_range(0..200));
        tokio::time::sleep(dead).await;
        self.ask_all().await;
        // What is above that, and above what was under way, was not voted for before the kill.
        let above = self.target.highest() + 1;
        let mut returning = JoinSet::new();
        for node in nodes {
            self.world.network.nodes[*node].start();
            let (target, node, votes, began) =
                (Arc::clone(&self.target), *node, *node < self.validators, Instant::now());
            returning.spawn(async move {
                first_vote(&target, node, votes, above).await;
                began.elapsed().as_secs_f64()
            });
        }
        while let Some(took) = returning.join_next().await {
            let took = took.expect("it panics only with what it has to say");
            self.report.vote_after_kill_s = self.report.vote_after_kill_s.max(took);
        }
    }

    async fn make(&mut self, trouble: Trouble) {
        let node = self.any_validator();
        match trouble {
            Trouble::Pause => {
                self.world.network.nodes[node].signal("-STOP");
                tokio::time::sleep(self.hold).await;
                self.world.network.nodes[node].signal("-CONT");
            }
            Trouble::CutHalves => {
                let mate = (node + self.dice.random_range(1..self.validators)) % self.validators;
                self.cut_off(&[node, mate], Deaf::Both).await;
            }
            Trouble::CutOne => self.cut_off(&[node], Deaf::Both).await,
            Trouble::OneWay => self.cut_off(&[node], Deaf::Second).await,
            Trouble::Sever => {
                for other in (0..self.target.present()).filter(|other| *other != node) {
                    self.world.sever(node, other);
                }
                tokio::time::sleep(self.hold).await;
            }
            Trouble::Lossy => {
                self.world.lose(LOSS_PERCENT);
                tokio::time::sleep(self.hold * 2).await;
            }
            Trouble::Narrow => {
                let bytes_per_second = Some(NARROW_BYTES_PER_SECOND);
                self.world.everywhere(Weather { bytes_per_second, ..Weather::default() });
                tokio::time::sleep(self.hold).await;
                self.kill(&[node]).await;
            }
            Trouble::Far => {
                self.world.everywhere(Weather { delay: FAR, ..Weather::default() });
                tokio::time::sleep(self.hold).await;
                self.kill(&[node]).await;
            }
            Trouble::DiskFull => self.fill_disk(node).await,
            Trouble::Clock => self.move_clock(node).await,
            Trouble::Join => self.join().await,
        }
        self.world.heal();
        self.recover().await;
    }

    /// Cuts some nodes off from all others.
    async fn cut_off(&mut self, nodes: &[usize], deaf: Deaf) {
        for node in nodes {
            for other in (0..self.target.present()).filter(|other| !nodes.contains(other)) {
                self.world.cut(*node, other, deaf);
            }
        }
        tokio::time::sleep(self.hold).await;
    }

    /// A node whose disk is full ends by itself, with words, as often as it is started; with room again it goes on.
    async fn fill_disk(&mut self, node: usize) {
        self.world.controls[node].set_disk_full(true);
        self.ends_by_itself(node).await;
        self.world.network.nodes[node].start();
        self.ends_by_itself(node).await;
        self.world.controls[node].set_disk_full(false);
        self.ask_all().await;
        let above = self.target.highest() + 1;
        self.world.network.nodes[node].start();
        first_vote(&self.target, node, true, above).await;
    }

    async fn ends_by_itself(&mut self, node: usize) {
        let began = Instant::now();
        let node = &mut self.world.network.nodes[node];
        let status = loop {
            if let Some(status) = node.ended() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "{} goes on with a full disk", node.name);
            tokio::time::sleep(LOOK).await;
        };
        let words = node.last_words();
        assert!(
            status.code().is_some_and(|code| code != 0 && code != PANICKED),
            "{} ended with {status} when its disk was full; its last words:\n{words}",
            node.name
        );
        // ENOSPC, in whatever words the system has for it.
        assert!(words.contains("os error 28"), "{} does not say why it ended:\n{words}", node.name);
    }

    /// One wrong clock stops nobody, and its node says that it is wrong. Nor is it believed: the checker looks at the times
    /// of the blocks.
    async fn move_clock(&mut self, node: usize) {
        let ahead_ms = if self.dice.random() { WRONG_CLOCK_MS } else { -WRONG_CLOCK_MS };
        self.world.controls[node].set_clock_ahead_ms(ahead_ms);
        let before = self.target.highest();
        tokio::time::sleep(self.hold).await;
        // Its turn to propose comes and goes.
        self.wait_until("blocks go on beside a wrong clock", async |target| {
            target.ask_tip((node + 1) % 4).await;
            target.highest() > before + 4
        })
        .await;
        self.wait_until("a node notices its wrong clock", async |target| {
            target.warns_of(node, WarningName::ClockOff).await
        })
        .await;
        self.world.controls[node].set_clock_ahead_ms(0);
        self.wait_until("a node notices that its clock is right again", async |target| {
            !target.warns_of(node, WarningName::ClockOff).await
        })
        .await;
    }

    /// A new node comes, with an empty directory.
    async fn join(&mut self) {
        let node = self.target.present();
        let began = Instant::now();
        self.world.network.nodes[node].start();
        let highest = self.target.highest();
        self.wait_until("a new node has the ledger", async |target| {
            target.ask_tip(node).await.is_some_and(|tip| tip.height.get() >= highest)
        })
        .await;
        self.report.join_s = began.elapsed().as_secs_f64();
        self.target.set_present(node + 1);
    }

    async fn ask_all(&self) {
        for node in 0..self.target.present() {
            if self.world.network.nodes[node].is_running() {
                self.target.ask_tip(node).await;
            }
        }
    }

    /// Waits until everybody has what is final now, and blocks go on.
    async fn recover(&mut self) {
        let began = Instant::now();
        let highest = self.target.highest();
        for node in 0..self.target.present() {
            self.wait_until("every node recovers", async |target| {
                target.ask_tip(node).await.is_some_and(|tip| tip.height.get() > highest)
            })
            .await;
        }
        self.report.recovery_s = self.report.recovery_s.max(began.elapsed().as_secs_f64());
    }

    async fn wait_until(&self, what: &str, holds: impl AsyncFn(&Target) -> bool) {
        let began = Instant::now();
        while !holds(&self.target).await {
            if began.elapsed() > PATIENCE {
                let words: Vec<String> = self.world.network.nodes.iter().map(cairn_tests::Node::last_words).collect();
                panic!("it takes too long until {what}; the nodes' last words:\n{}", words.join("\n\n"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Waits until a node has signed a block above `above`, or has it, if it does not vote.
async fn first_vote(target: &Target, node: usize, votes: bool, above: u64) {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "node {node} does not return above height {above}");
        if !votes {
            if target.ask_tip(node).await.is_some_and(|tip| tip.height.get() > above) {
                return;
            }
        } else if target.has_voted(node, above).await {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
