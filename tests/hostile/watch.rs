//! What is seen of the nodes while they are attacked: their memory, whether they answer, and what they count.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cairn_tests::Node;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How soon an attacked node must answer a simple question after the attack.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Resident memory of a process in MB, from /proc/PID/status.
fn rss_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kib: Option<f64> = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The most memory that each of these processes has, until `stop` says so.
pub(crate) fn most_memory(pids: &[u32], stop: &AtomicBool) -> Vec<f64> {
    let mut most = vec![0.0_f64; pids.len()];
    loop {
        let is_over = stop.load(Ordering::Relaxed);
        for (most, pid) in most.iter_mut().zip(pids) {
            *most = most.max(rss_mb(*pid));
        }
        if is_over {
            return most;
        }
        std::thread::sleep(LOOK);
    }
}

/// What is wrong with a node, if anything is: it has ended or panicked, does not answer, or has lost its peers.
pub(crate) async fn ails(node: &Node, peers: usize) -> Option<String> {
    let name = &node.name;
    let log = std::fs::read_to_string(node.log()).unwrap_or_default();
    if log.contains("panicked") {
        return Some(format!("{name} panicked:\n{}", node.last_words()));
    }
    let began = Instant::now();
    let mut seen = 0;
    while began.elapsed() < ANSWERS_WITHIN {
        let answer = tokio::time::timeout(ANSWERS_WITHIN, node.client().node_get_peers()).await;
        if let Ok(Ok(answer)) = answer {
            seen = answer.items.iter().filter(|peer| peer.validator.is_some()).count();
            if seen >= peers {
                return None;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    Some(format!("{name} sees {seen} of {peers} validators after {:?}:\n{}", began.elapsed(), node.last_words()))
}
