//! What befalls the nodes of a simulated world: power cuts, kills, full and rotten disks, cuts of the network, and what
//! people submit.

use std::sync::Arc;

use super::{Event, World};
use crate::simulation::node::Start;
use crate::simulation::plan::{Fault, Trouble};

impl World {
    /// Starts a node that is not running, on whatever its disk holds.
    pub(super) fn start(&mut self, index: usize) {
        let node = &self.nodes[index];
        if node.process.is_some() || node.is_lost {
            return;
        }
        let start = Start {
            scene: &self.scene,
            now_ms: self.now_ms,
            everybody: &self.everybody,
            signatures: &self.signatures,
            verified: &self.verified,
            undecided_bytes_max: self.undecided_bytes_max,
        };
        match node.open(&start) {
            Ok(process) => {
                let height = process.chain.tip().header.height;
                let node = &mut self.nodes[index];
                let (told, was_running) = (node.told.max(node.shown), node.life > 0);
                node.process = Some(process);
                node.life += 1;
                self.counts.restarts += u64::from(was_running);
                self.note(4, || format!("{index} starts at {height}, {told} was told"));
                if height < told && self.nodes[index].fault == Some(Fault::Rot) {
                    // A bit of the last record flipped, so it counts as never written.
                    (self.nodes[index].told, self.nodes[index].shown) = (height, height);
                }
                if height < told && self.nodes[index].is_honest() && self.nodes[index].fault != Some(Fault::Rot) {
                    self.checks.fail(format!("node {index} showed {told} and starts again at {height}"));
                }
                self.act(index, |driver| {
                    driver.begin();
                    Ok(())
                });
                for node in 0..self.nodes.len() {
                    self.push(self.now_ms + 1, Event::Meet { node });
                }
            }
            Err(error) => self.fell(index, &error),
        }
    }

    /// A node stopped, by itself or at its start.
    pub(super) fn fell(&mut self, index: usize, error: &anyhow::Error) {
        let was_running = self.nodes[index].process.take().is_some();
        let cut = self.random.chance(700);
        let node = &mut self.nodes[index];
        let had_reason = if cut { node.disk.power_cut() } else { node.disk.kill() };
        let is_rotten = node.fault == Some(Fault::Rot);
        let (is_full, is_villain) = (node.is_full, !node.is_honest());
        self.note(5, || format!("{index} falls: {error:#}"));
        if is_rotten && !had_reason && !was_running {
            // It names what is damaged and does not go on; its operator would repair it.
            self.nodes[index].is_lost = true;
        } else if !had_reason && !is_full && !is_villain && !is_rotten {
            self.checks.fail(format!("node {index} stopped without a reason: {error:#}"));
        }
        self.went(index);
    }

    /// A node is gone: its peers notice, and it comes back some time.
    fn went(&mut self, index: usize) {
        self.counts.crashes += 1;
        for node in 0..self.nodes.len() {
            self.push(self.now_ms + 1, Event::Meet { node });
        }
        if self.nodes[index].fault == Some(Fault::Rot) {
            self.rot(index);
        }
        let again = self.now_ms + self.random.between(50, 3_000);
        self.push(again, Event::Start { node: index });
    }

    /// A bit of one of its files flips.
    fn rot(&mut self, index: usize) {
        let files = self.nodes[index].disk.files();
        if files.is_empty() {
            return;
        }
        let file = files[self.random.below(files.len())].clone();
        let length = self.nodes[index].disk.contents(&file).map_or(0, |bytes| bytes.len());
        let bit = self.random.below(length * 8) as u64;
        self.nodes[index].disk.flip_bit(&file, bit);
        self.note(6, || format!("bit {bit} of {} flips at {index}", file.display()));
    }

    pub(super) fn trouble(&mut self, trouble: Trouble) {
        if self.healed.is_some() && !matches!(trouble, Trouble::Submit | Trouble::Council) {
            return;
        }
        self.note(7, || format!("{trouble:?}"));
        match trouble {
            Trouble::PowerCut { node, operations } => self.nodes[node].disk.stop_after(operations),
            Trouble::BadSector { node, operations } => self.nodes[node].disk.fail_once_after(operations),
            Trouble::Kill { node } => {
                if self.nodes[node].process.take().is_some() {
                    self.nodes[node].disk.kill();
                    self.went(node);
                }
            }
            Trouble::Full { node } => {
                let room = self.random.between(0, 4_000);
                let node = &mut self.nodes[node];
                node.disk.set_capacity(Some(node.disk.used_bytes() + room));
                node.is_full = true;
            }
            Trouble::Cut { side, one_way } => self.split(side, one_way),
            Trouble::Mend => {
                self.cut.clear();
                self.meet_all();
            }
            Trouble::Submit => self.submit(false),
            Trouble::Council => self.submit(true),
        }
    }

    /// Cuts the nodes whose bits are set off from the others.
    pub(in crate::simulation) fn split(&mut self, side: u64, one_way: bool) {
        self.cut.clear();
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                let (here, there) = (side >> from & 1 == 1, side >> to & 1 == 1);
                if (here && !there) || (!one_way && !here && there) {
                    self.cut.insert((from, to));
                }
            }
        }
        self.meet_all();
    }

    fn meet_all(&mut self) {
        for node in 0..self.nodes.len() {
            let at = self.now_ms + self.random.between(1, 100);
            self.push(at, Event::Meet { node });
        }
    }

    /// Somebody submits something to a node that runs.
    fn submit(&mut self, by_council: bool) {
        let running = |index: &usize| self.nodes[*index].process.is_some() && self.nodes[*index].is_honest();
        let candidates: Vec<usize> = (0..self.nodes.len()).filter(running).collect();
        if candidates.is_empty() {
            return;
        }
        let index = self.random.pick(&candidates);
        let Some(process) = &self.nodes[index].process else { return };
        let tip = process.chain.tip();
        let transaction = if by_council {
            let Some(members) = self.draw_members() else { return };
            self.load.change_validators(&tip, &members)
        } else {
            self.load.next(&mut self.random, &self.checks, &tip)
        };
        let Some(process) = &self.nodes[index].process else { return };
        let outcome = process.mempool.add(Arc::clone(&transaction));
        self.note(8, || format!("{} at {index}: {outcome:?}", transaction.body().call.name()));
        if outcome.is_ok() {
            self.load.taken.insert(transaction.id());
            self.act(index, |driver| {
                driver.on_accepted(&[transaction]);
                Ok(())
            });
        }
    }

    /// Seats for a new set of validators, in which those with a fault have less than a third of the power.
    fn draw_members(&mut self) -> Option<Vec<usize>> {
        let seats = self.plan.validators + self.plan.observers;
        let mut members: Vec<usize> = (0..self.plan.validators).collect();
        for seat in self.plan.validators..seats {
            if self.random.chance(700) {
                members.push(seat);
            }
        }
        let leaving = self.random.pick(&members);
        if self.random.chance(600) {
            members.retain(|seat| *seat != leaving);
        }
        let faulty = members.iter().filter(|seat| self.plan.faults[**seat].is_some()).count();
        (members.len() >= 4 && 3 * faulty < members.len()).then_some(members)
    }
}
