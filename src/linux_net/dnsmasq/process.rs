//! The life of a dnsmasq: one for each device, started, told of changes, ended.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FixedIp, Network, Settings, dhcp_hosts, dhcp_options, dns_hosts};
use crate::linux_net::daemon::{CommandLine, DaemonError};
use crate::linux_net::files::{self, FileError};
use crate::linux_net::pid::{self, Process};
use crate::name::InterfaceName;
use crate::netlink::namespace::Namespace;

/// dnsmasq drops its privileges before it reads its files again.
const MODE: u32 = 0o644;
/// How long the kernel may take to end a process that it was told to.
const PATIENCE: Duration = Duration::from_secs(5);

/// The files of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Hosts for DHCP.
    pub conf: PathBuf,
    /// Options for DHCP.
    pub opts: PathBuf,
    /// Names for the DNS.
    pub hosts: PathBuf,
    /// The number of the process.
    pub pid: PathBuf,
}

impl Paths {
    /// `nova-<device>.<kind>` in `networks_path`.
    ///
    /// # Errors
    /// [`FileError::BadDevice`], [`FileError::Relative`].
    pub fn new(settings: &Settings, device: &InterfaceName) -> Result<Self, FileError> {
        let file = |kind| files::of_device(&settings.networks_path, "nova", device, kind);
        Ok(Self { conf: file("conf")?, opts: file("opts")?, hosts: file("hosts")?, pid: file("pid")? })
    }

    /// The argument by which a process is known to serve these files.
    fn mark(&self) -> OsString {
        option("dhcp-hostsfile", &self.conf)
    }
}

/// What was done to have a dnsmasq that knows of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// One was running; nothing was done.
    Running,
    /// The one that was running was told to read its files again.
    Reloaded,
    /// None was running; one was started.
    Started,
    /// One was running with other arguments, for another network id or in another namespace; it was ended and a new one
    /// started.
    Replaced,
}

/// The dnsmasq processes of a host, one for each device.
///
/// What is done with them is done by one caller at a time, in this process and in others: a lock on the directory of the
/// files sees to that. The files and the processes are all the state there is, so each call does what is left to do.
///
/// Before a call that can start one, the caller adds the rule that fills in the checksums of replies on the device; after
/// it, the rules that accept DHCP and DNS there; after [`kill`](Dnsmasq::kill) it takes them away.
#[derive(Debug, Clone)]
pub struct Dnsmasq {
    settings: Settings,
    pub(super) namespace: Namespace,
}

impl Dnsmasq {
    /// Those in a namespace.
    #[must_use]
    pub fn new(settings: Settings, namespace: Namespace) -> Self {
        Self { settings, namespace }
    }

    /// What they are told.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Writes the hosts for DHCP, and has dnsmasq know them.
    ///
    /// # Errors
    /// As [`restart`](Dnsmasq::restart).
    pub fn update_dhcp(&self, network: &Network, fixed_ips: &[FixedIp]) -> Result<Outcome, DaemonError> {
        self.locked(|| {
            let paths = Paths::new(&self.settings, &network.device)?;
            files::write(&paths.conf, &dhcp_hosts(network, fixed_ips, &self.settings), MODE)?;
            self.restart_locked(network, fixed_ips)
        })
    }

    /// Writes the names for the DNS, and has dnsmasq know them. It reads them on networks with a server on each host.
    ///
    /// # Errors
    /// As [`restart`](Dnsmasq::restart).
    pub fn update_dns(&self, network: &Network, fixed_ips: &[FixedIp]) -> Result<Outcome, DaemonError> {
        self.locked(|| {
            let paths = Paths::new(&self.settings, &network.device)?;
            files::write(&paths.hosts, &dns_hosts(fixed_ips, &self.settings), MODE)?;
            self.restart_locked(network, fixed_ips)
        })
    }

    /// Writes the options, and has dnsmasq read all its files: by a signal when it runs with the arguments that it should
    /// have, by a new start else. The other files are written only when they are missing.
    ///
    /// # Errors
    /// [`DaemonError`]: a file, the namespace, an argument, or the program, with what it printed.
    pub fn restart(&self, network: &Network, fixed_ips: &[FixedIp]) -> Result<Outcome, DaemonError> {
        self.locked(|| self.restart_locked(network, fixed_ips))
    }

    /// Starts dnsmasq, with all its files written, unless it is running as it should.
    ///
    /// # Errors
    /// As [`restart`](Dnsmasq::restart).
    pub fn ensure(&self, network: &Network, fixed_ips: &[FixedIp]) -> Result<Outcome, DaemonError> {
        self.locked(|| {
            let paths = Paths::new(&self.settings, &network.device)?;
            let command = command_line(network, &self.settings)?;
            if self.running_locked(&paths)?.is_some_and(|process| self.is_current(&process, &command)) {
                return Ok(Outcome::Running);
            }
            files::write(&paths.conf, &dhcp_hosts(network, fixed_ips, &self.settings), MODE)?;
            self.restart_locked(network, fixed_ips)
        })
    }

    /// Ends the dnsmasq of a device; `false` when none runs. A process that the pid file names wrongly is left alone.
    ///
    /// # Errors
    /// [`DaemonError::File`], [`DaemonError::End`].
    pub fn kill(&self, device: &InterfaceName) -> Result<bool, DaemonError> {
        self.locked(|| {
            let paths = Paths::new(&self.settings, device)?;
            let Some(process) = self.running_locked(&paths)? else { return Ok(false) };
            end(&process)?;
            files::remove(&paths.pid)?;
            Ok(true)
        })
    }

    /// The dnsmasq of a device.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn running(&self, device: &InterfaceName) -> Result<Option<Process>, FileError> {
        self.running_locked(&Paths::new(&self.settings, device)?)
    }

    fn running_locked(&self, paths: &Paths) -> Result<Option<Process>, FileError> {
        let mark = paths.mark();
        Process::of_file(&paths.pid, |arguments| pid::has_argument(arguments, &mark))
    }

    fn restart_locked(&self, network: &Network, fixed_ips: &[FixedIp]) -> Result<Outcome, DaemonError> {
        let paths = Paths::new(&self.settings, &network.device)?;
        let command = command_line(network, &self.settings)?;
        files::write(&paths.opts, &dhcp_options(network, fixed_ips, &self.settings), MODE)?;
        write_missing(&paths.conf, || dhcp_hosts(network, fixed_ips, &self.settings))?;
        if network.multi_host {
            write_missing(&paths.hosts, || dns_hosts(fixed_ips, &self.settings))?;
        }
        let mut outcome = Outcome::Started;
        if let Some(process) = self.running_locked(&paths)? {
            if self.is_current(&process, &command) {
                match process.hang_up() {
                    Ok(true) => return Ok(Outcome::Reloaded),
                    Ok(false) => {}
                    Err(error) => log::warn!("dnsmasq, process {}, takes no signal: {error}", process.pid()),
                }
            } else {
                end(&process)?;
                outcome = Outcome::Replaced;
            }
        }
        command.start(&self.namespace)?;
        Ok(outcome)
    }

    /// Whether it has the arguments and the environment that it should have, which tells the lease script its network, and
    /// serves the namespace that is there now: one of the same name may have been made anew.
    fn is_current(&self, process: &Process, command: &CommandLine) -> bool {
        process.serves(&self.namespace)
            && process.arguments().ends_with(&command.arguments)
            && command.environment.iter().all(|(name, value)| process.has_variable(name, value))
    }

    /// One caller at a time, for all devices.
    fn locked<R>(&self, run: impl FnOnce() -> Result<R, DaemonError>) -> Result<R, DaemonError> {
        let _lock = files::lock(&self.settings.networks_path)?;
        run()
    }
}

fn end(process: &Process) -> Result<(), DaemonError> {
    process.kill(PATIENCE).map_err(|source| DaemonError::End { what: "dnsmasq", pid: process.pid(), source })
}

fn write_missing(path: &Path, text: impl FnOnce() -> String) -> Result<(), FileError> {
    match files::set_mode(path, MODE) {
        Err(error) if error.is_missing() => files::write(path, &text(), MODE),
        done => done,
    }
}

/// The command that starts dnsmasq for a network. It depends on the arguments only, and changes nothing in them.
///
/// # Errors
/// [`DaemonError::File`] for a device or directory that cannot be, [`DaemonError::Script`].
pub fn command_line(network: &Network, settings: &Settings) -> Result<CommandLine, DaemonError> {
    let paths = Paths::new(settings, &network.device)?;
    check_script(&settings.dhcpbridge)?;
    let range = format!(
        "--dhcp-range=set:{},{},static,{},{}s",
        network.label,
        network.dhcp_start,
        network.cidr.mask(),
        settings.dhcp_lease_time
    );
    let mut arguments: Vec<OsString> = vec![
        "--strict-order".into(),
        "--bind-interfaces".into(),
        option("conf-file", &settings.dnsmasq_config_file),
        option("pid-file", &paths.pid),
        option("dhcp-optsfile", &paths.opts),
        format!("--listen-address={}", network.dhcp_server).into(),
        "--except-interface=lo".into(),
        range.into(),
        // The program's own limit is less than a large network has.
        format!("--dhcp-lease-max={}", network.cidr.size()).into(),
        paths.mark(),
        option("dhcp-script", &settings.dhcpbridge),
        "--no-hosts".into(),
        "--leasefile-ro".into(),
    ];
    arguments.extend(settings.dhcp_domain.iter().map(|domain| format!("--domain={domain}").into()));
    if network.multi_host {
        arguments.push(option("addn-hosts", &paths.hosts));
    }
    let of_network = network.dns.iter().flatten().filter(|_| settings.use_network_dns_servers);
    let servers: Vec<_> = settings.dns_server.iter().chain(of_network).collect();
    if !servers.is_empty() {
        arguments.push("--no-resolv".into());
    }
    arguments.extend(servers.iter().map(|server| OsString::from(format!("--server={server}"))));
    let environment = vec![
        ("CONFIG_FILE".to_owned(), json(&settings.dhcpbridge_flagfile).into()),
        ("NETWORK_ID".to_owned(), network.id.as_str().into()),
    ];
    Ok(CommandLine { program: settings.program.clone(), arguments, environment })
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(format!("--{name}="));
    option.push(path);
    option
}

/// dnsmasq runs the script by `popen(3)` for the action `init`.
fn check_script(path: &Path) -> Result<(), DaemonError> {
    let usual = |b: &u8| b.is_ascii_alphanumeric() || b"/._+-@".contains(b);
    if path.is_absolute() && path.as_os_str().as_encoded_bytes().iter().all(usual) {
        return Ok(());
    }
    Err(DaemonError::Script { path: path.to_owned() })
}

/// A JSON list of strings.
fn json(words: &[String]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| {
            let mut quoted = String::from("\"");
            for c in word.chars() {
                match c {
                    '"' | '\\' => quoted.extend(['\\', c]),
                    c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
                    c => quoted.push(c),
                }
            }
            quoted.push('"');
            quoted
        })
        .collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_json() {
        assert_eq!(json(&["/etc/nova/nova-dhcpbridge.conf".to_owned()]), "[\"/etc/nova/nova-dhcpbridge.conf\"]");
        assert_eq!(json(&["a\"b\\".to_owned(), "c\n".to_owned()]), r#"["a\"b\\", "c\u000a"]"#);
        assert_eq!(json(&[]), "[]");
    }

    #[test]
    fn a_script_that_a_shell_would_read_otherwise_is_refused() {
        assert!(check_script(Path::new("/usr/bin/nova-dhcpbridge")).is_ok());
        for bad in ["nova-dhcpbridge", "/bin/x;y", "/bin/x y", "/bin/$x", "/bin/x\n", ""] {
            let error = check_script(Path::new(bad)).unwrap_err();
            assert!(error.to_string().starts_with("the lease script `"), "{error}");
        }
    }
}
