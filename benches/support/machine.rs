//! What there is to say about the machine: enough to compare, not enough to recognise it.

use std::fs;
use std::process::Command;

use serde_json::json;

/// Date, kernel, processor and stock tools.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) date: String,
    kernel: String,
    cpu: String,
    cpus: usize,
    tools: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
        Self {
            date: first_line(Command::new("date").args(["-u", "+%F"])),
            // Without what a distribution or a builder appends.
            kernel: kernel.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect(),
            cpu: model.unwrap_or("unknown").to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            tools: ["iptables-nft", "nft"].map(|tool| first_line(Command::new(tool).arg("--version"))).join("; "),
        }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        let Self { date, kernel, cpu, cpus, tools } = self;
        json!({"date": date, "kernel": kernel, "cpu": cpu, "cpus": cpus, "tools": tools})
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { date, kernel, cpu, cpus, tools } = self;
        write!(f, "{date}, Linux {kernel}, {cpus} x {cpu}; {tools}")
    }
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or("not installed").trim().to_owned()
}
