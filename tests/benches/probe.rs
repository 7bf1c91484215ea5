//! What the system says of a process, of this thread and of the disk: CPU time, memory, bytes.
//!
//! It reads Linux's `/proc` and starts nothing. Time of a node is always CPU time: what else runs on the machine must not
//! stand in it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cairn_tests::Node;

/// Kernel clock ticks a second, in which `/proc` counts CPU time (Linux, USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes in a megabyte, as figures have it.
pub(crate) const MB: f64 = 1e6;

/// What a node has used since its start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// User and system time, in seconds.
    pub(crate) cpu_seconds: f64,
    /// What it had written to the disk, in bytes.
    pub(crate) written_bytes: f64,
}

impl Used {
    /// Of a node that runs.
    pub(crate) fn by(node: &Node) -> Self {
        let pid = node.pid().expect("the node runs");
        Self { cpu_seconds: cpu_seconds(&pid.to_string()), written_bytes: written_bytes(pid) }
    }

    /// Of several together.
    pub(crate) fn by_all<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Self {
        nodes.into_iter().map(Self::by).fold(Self::default(), |sum, one| Self {
            cpu_seconds: sum.cpu_seconds + one.cpu_seconds,
            written_bytes: sum.written_bytes + one.written_bytes,
        })
    }

    /// What was used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
            written_bytes: self.written_bytes - before.written_bytes,
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// CPU time of a process since its start, in seconds, from `/proc/PID/stat` (proc(5): utime and stime).
pub(crate) fn cpu_seconds(process: &str) -> f64 {
    let stat = read(&format!("/proc/{process}/stat"));
    let fields: Vec<&str> = stat.rsplit(')').next().expect("there is a name").split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// CPU time of everything on this machine since its start, in seconds: user, nice, system, and what interrupts took.
pub(crate) fn machine_cpu_seconds() -> f64 {
    let text = read("/proc/stat");
    let first = text.lines().next().expect("its first line is of all cores");
    let ticks: Vec<f64> = first.split_whitespace().skip(1).filter_map(|number| number.parse().ok()).collect();
    [0, 1, 2, 5, 6].iter().filter_map(|place| ticks.get(*place)).sum::<f64>() / TICKS_PER_SECOND
}

/// Bytes that a process had written to the disk; 0 where the system does not tell.
fn written_bytes(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// Resident memory of a node in MB, from `/proc/PID/status`.
pub(crate) fn rss_mb(node: &Node) -> f64 {
    let pid = node.pid().expect("the node runs");
    let status = read(&format!("/proc/{pid}/status"));
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("there is one");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number");
    kib * 1024.0 / MB
}

/// Whether a node's process has not ended by itself.
pub(crate) fn is_alive(node: &Node) -> bool {
    let stat = node.pid().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    stat.is_some_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}

/// CPU time of this thread, as the kernel has counted it: in steps of some milliseconds.
pub(crate) fn thread_cpu() -> Duration {
    let text = read("/proc/thread-self/schedstat");
    let nanoseconds = text.split_whitespace().next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.expect("its first number is time on the processor"))
}

/// Bytes that went through the loopback interface since the machine's start, everybody's together.
pub(crate) fn loopback_bytes() -> f64 {
    let text = read("/proc/net/dev");
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("lo:")).expect("there is always a loopback");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// Bytes of all files below a directory.
pub(crate) fn directory_bytes(path: &Path) -> f64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => directory_bytes(&entry.path()),
        Ok(data) => data.len() as f64,
        // The engine may have removed it meanwhile.
        Err(_) => 0.0,
    });
    bytes.sum()
}
