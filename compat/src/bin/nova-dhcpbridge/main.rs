//! `nova-dhcpbridge`: the lease script that dnsmasq runs (`--dhcp-script`), as nova's program of that name.
//!
//! Owns: the environment, the configuration files and the output of a call.
//! Never: understands a call or keeps a lease itself; `nftwrap::linux_net::dhcpbridge` does.
//!
//! Exit codes: 0 done, 1 not done, with one line about it. dnsmasq does not start when the answer to `init` fails.
//!
//! How tested: `compat/tests/dhcpbridge.rs`.

mod options;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use nftwrap::linux_net::dhcpbridge::{Action, Call, LeaseBook};

use crate::options::Options;

type Error = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone there is nobody left to tell; the exit code still says it.
            let _ = writeln!(std::io::stderr(), "nova-dhcpbridge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let environment = |name: &str| std::env::var_os(name);
    let call = Call::parse(&arguments, environment)?;
    // These come by the hundreds when dnsmasq starts.
    if matches!(call.action, Action::Old | Action::Other(_)) {
        return Ok(());
    }
    let options = Options::read(environment("CONFIG_FILE").as_deref())?;
    let mut book = LeaseBook::new(&options.networks_path)?;
    let lease_time = Duration::from_secs(options.dhcp_lease_time.into());
    let text = call.answer(&mut book, SystemTime::now(), lease_time)?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
