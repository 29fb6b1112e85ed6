//! radvd for the guests of a network: its IPv6 prefix by router advertisements.
//!
//! Owns: the configuration and the life of a radvd, one for each device.
//! Never: sets the host's own IPv6 up, or lets packets in or through.
//!
//! Invariant: a process that the pid file names is ours only when the whole path of our configuration is one of its
//! arguments.
//!
//! Where the truth is: `radvd(8)`, `radvd.conf(5)` (2.19); nova's file as nova 2.14 has it.
//! How tested: `tests/dhcp/radvd.rs`, with a real radvd.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use ipnetwork::Ipv6Network;

use super::daemon::{CommandLine, DaemonError};
use super::files::{self, FileError};
use super::pid::{self, Process};
use crate::name::InterfaceName;
use crate::netlink::namespace::Namespace;

const MODE: u32 = 0o644;
/// How long it may take to end after it was asked. It tells the guests that it is no router any more.
const PATIENCE: Duration = Duration::from_secs(5);

/// What holds for all networks of a host. The default is nova's.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory of the files of all networks; an absolute path.
    pub networks_path: PathBuf,
    /// The program to start, as a path or a name to look for in `PATH`.
    pub program: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self { networks_path: "/var/lib/nova/networks".into(), program: "radvd".into() }
    }
}

/// The files of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The configuration.
    pub conf: PathBuf,
    /// The number of the process.
    pub pid: PathBuf,
}

impl Paths {
    /// `nova-ra-<device>.<kind>` in `networks_path`.
    ///
    /// # Errors
    /// [`FileError::BadDevice`], [`FileError::Relative`].
    pub fn new(settings: &Settings, device: &InterfaceName) -> Result<Self, FileError> {
        let file = |kind| files::of_device(&settings.networks_path, "nova-ra", device, kind);
        Ok(Self { conf: file("conf")?, pid: file("pid")? })
    }
}

/// The radvd processes of a host, one for each device. As with dnsmasq, there is one caller at a time, and no state but
/// the files and the processes.
#[derive(Debug, Clone)]
pub struct Radvd {
    settings: Settings,
    namespace: Namespace,
}

impl Radvd {
    /// Those in a namespace.
    #[must_use]
    pub fn new(settings: Settings, namespace: Namespace) -> Self {
        Self { settings, namespace }
    }

    /// Writes the configuration, ends the radvd of the device when there is one, and starts a new one: radvd is not told
    /// of changes.
    ///
    /// One that does not end is left to the new one, which then says in its error that it cannot start.
    ///
    /// # Errors
    /// [`DaemonError`]: a file, the namespace, or the program, with what it printed.
    pub fn update(&self, device: &InterfaceName, prefix: Ipv6Network) -> Result<(), DaemonError> {
        let paths = Paths::new(&self.settings, device)?;
        let _lock = files::lock(&self.settings.networks_path)?;
        self.update_locked(&paths, device, prefix)
    }

    /// The same, unless one is running with this configuration; whether it was started.
    ///
    /// # Errors
    /// As [`update`](Radvd::update).
    pub fn ensure(&self, device: &InterfaceName, prefix: Ipv6Network) -> Result<bool, DaemonError> {
        let paths = Paths::new(&self.settings, device)?;
        let _lock = files::lock(&self.settings.networks_path)?;
        let running = running(&paths)?.is_some_and(|process| process.serves(&self.namespace));
        if running && files::read(&paths.conf)?.as_deref() == Some(&config(device, prefix)) {
            return Ok(false);
        }
        self.update_locked(&paths, device, prefix)?;
        Ok(true)
    }

    /// Ends the radvd of a device; `false` when none runs. A process that the pid file names wrongly is left alone.
    ///
    /// # Errors
    /// [`DaemonError::File`], [`DaemonError::End`].
    pub fn kill(&self, device: &InterfaceName) -> Result<bool, DaemonError> {
        let paths = Paths::new(&self.settings, device)?;
        let _lock = files::lock(&self.settings.networks_path)?;
        let Some(process) = running(&paths)? else { return Ok(false) };
        end(&process)?;
        files::remove(&paths.pid)?;
        Ok(true)
    }

    /// The radvd of a device.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn running(&self, device: &InterfaceName) -> Result<Option<Process>, FileError> {
        running(&Paths::new(&self.settings, device)?)
    }

    fn update_locked(&self, paths: &Paths, device: &InterfaceName, prefix: Ipv6Network) -> Result<(), DaemonError> {
        files::write(&paths.conf, &config(device, prefix), MODE)?;
        match running(paths)?.map(|process| end(&process)) {
            Some(Err(error)) => log::warn!("{error}"),
            // It writes its number over what is there, and a longer old text would stay behind it.
            _ => files::remove(&paths.pid)?,
        }
        command_line(paths, &self.settings).start(&self.namespace)
    }
}

/// The configuration for a prefix on a device. Bits of the prefix beyond its length are left out.
///
/// The name of the device is written as it is; the path of the file is only had for one that cannot do harm there.
#[must_use]
fn config(device: &InterfaceName, prefix: Ipv6Network) -> String {
    let (device, address, len) = (device.as_str(), prefix.network(), prefix.prefix());
    format!(
        "
interface {device}
{{
   AdvSendAdvert on;
   MinRtrAdvInterval 3;
   MaxRtrAdvInterval 10;
   prefix {address}/{len}
   {{
        AdvOnLink on;
        AdvAutonomous on;
   }};
}};
"
    )
}

fn command_line(paths: &Paths, settings: &Settings) -> CommandLine {
    let arguments: [OsString; 4] = ["-C".into(), paths.conf.clone().into(), "-p".into(), paths.pid.clone().into()];
    CommandLine { program: settings.program.clone(), arguments: arguments.into(), environment: Vec::new() }
}

fn running(paths: &Paths) -> Result<Option<Process>, FileError> {
    Process::of_file(&paths.pid, |arguments| pid::has_argument(arguments, paths.conf.as_os_str()))
}

fn end(process: &Process) -> Result<(), DaemonError> {
    process.terminate(PATIENCE).map_err(|source| DaemonError::End { what: "radvd", pid: process.pid(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_novas() {
        let expected = "\ninterface br100\n{\n   AdvSendAdvert on;\n   MinRtrAdvInterval 3;\n   MaxRtrAdvInterval 10;\n   \
                        prefix fd00:10::/64\n   {\n        AdvOnLink on;\n        AdvAutonomous on;\n   };\n};\n";
        let device = "br100".parse().unwrap();
        assert_eq!(config(&device, "fd00:10::/64".parse().unwrap()), expected);
        assert_eq!(config(&device, "fd00:10::7/64".parse().unwrap()), expected);
    }

    #[test]
    fn the_command_names_the_files_of_the_device() {
        let settings = Settings { networks_path: "/n".into(), ..Settings::default() };
        let paths = Paths::new(&settings, &"br100".parse().unwrap()).unwrap();
        let command = command_line(&paths, &settings).to_string();
        assert_eq!(command, "radvd -C /n/nova-ra-br100.conf -p /n/nova-ra-br100.pid");
        let hostile = Paths::new(&settings, &"a{};".parse().unwrap());
        assert!(matches!(hostile, Err(FileError::BadDevice { bad: '{', .. })));
    }
}
