//! Time and memory of the function's process.

use std::time::{Duration, Instant};

use nix::time::ClockId;
use nix::unistd::Pid;
use twinkey_tests::{Account, Function, RuntimeApi};

use crate::series::Series;

const STARTS: usize = 41;
const ROTATIONS: usize = 60;

/// Processes from their start to their first question for an event.
pub(crate) struct Starts {
    pub(crate) wall: Series,
    pub(crate) cpu: Series,
    /// The most memory that one of them had by then.
    pub(crate) peak: u64,
}

/// Rotations by one process, which has rotated before.
pub(crate) struct Rotations {
    pub(crate) wall: Series,
    pub(crate) cpu: Series,
    /// The most memory that it ever had.
    pub(crate) peak: u64,
}

pub(crate) async fn cold_starts(function: &Function) -> Starts {
    let (mut wall, mut cpu, mut peak) = (Vec::new(), Vec::new(), 0);
    for _ in 0..STARTS {
        let api = RuntimeApi::start().await;
        let begun = Instant::now();
        let mut child = function.start(&api.address());
        api.until_it_rests().await;
        wall.push(begun.elapsed());
        let process = child.id().expect("it runs");
        cpu.push(cpu_time(process));
        peak = peak.max(peak_memory(process));
        child.kill().await.expect("ended");
    }
    Starts {
        wall: Series::new(&wall),
        cpu: Series::new(&cpu),
        peak,
    }
}

pub(crate) async fn warm_rotations(
    account: &Account,
    function: &mut Function,
    name: &str,
) -> Rotations {
    let arn = account.aws.arn(name);
    let process = function.process().expect("it has rotated before");
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..ROTATIONS {
        let token = account.begin(name);
        let (begun, used) = (Instant::now(), cpu_time(process));
        let rotated = function.rotate(&arn, &token).await;
        rotated.expect("nothing disturbs it");
        wall.push(begun.elapsed());
        cpu.push(cpu_time(process).saturating_sub(used));
    }
    Rotations {
        wall: Series::new(&wall),
        cpu: Series::new(&cpu),
        peak: peak_memory(process),
    }
}

/// What all threads of a process have used so far, those that have ended included.
pub(crate) fn cpu_time(process: u32) -> Duration {
    let process = Pid::from_raw(process.try_into().expect("a process id"));
    let clock = ClockId::pid_cpu_clock_id(process).expect("a clock");
    clock.now().expect("a time").into()
}

/// The most memory that a process ever held, in KiB.
pub(crate) fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|it| it.trim().strip_suffix(" kB"));
    peak.and_then(|it| it.parse().ok()).expect("a number")
}
