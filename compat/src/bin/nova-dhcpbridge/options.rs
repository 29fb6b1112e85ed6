//! The few options of nova that the script needs, from the configuration files that `CONFIG_FILE` names.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use nftwrap::linux_net::dnsmasq::Settings;

use crate::Error;

/// What the script has to know. The defaults are nova's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where leases are kept.
    pub(crate) networks_path: PathBuf,
    /// Seconds that a lease lasts.
    pub(crate) dhcp_lease_time: u32,
}

impl Default for Options {
    fn default() -> Self {
        let Settings { networks_path, dhcp_lease_time, .. } = Settings::default();
        Self { networks_path, dhcp_lease_time }
    }
}

impl Options {
    /// Those in the files of a JSON list, the last one that says something being right. Without a list: the defaults.
    pub(crate) fn read(list: Option<&OsStr>) -> Result<Self, Error> {
        let mut options = Self::default();
        let Some(list) = list else { return Ok(options) };
        let bad = |reason: &dyn std::fmt::Display| format!("CONFIG_FILE is no JSON list of files: {reason}");
        let list = list.to_str().ok_or_else(|| bad(&"it is not UTF-8"))?;
        let files: Vec<PathBuf> = serde_json::from_str(list).map_err(|error| bad(&error))?;
        for file in files {
            let text = fs::read_to_string(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            options.take(&text).map_err(|reason| format!("{}: {reason}", file.display()))?;
        }
        Ok(options)
    }

    /// `name = value` in the section `DEFAULT`; whatever else nova has there is left alone.
    fn take(&mut self, text: &str) -> Result<(), String> {
        let mut is_default = false;
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                is_default = section == "DEFAULT";
            }
            let Some((name, value)) = line.split_once('=').filter(|_| is_default && !line.starts_with(['#', ';']))
            else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            match name {
                "networks_path" if value.contains('$') => {
                    return Err(format!("networks_path = {value}: write the whole path, without a reference"));
                }
                "networks_path" => self.networks_path = value.into(),
                "dhcp_lease_time" => {
                    let bad = |error| format!("dhcp_lease_time = {value}: {error}");
                    self.dhcp_lease_time = value.parse().map_err(bad)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test is a panic")]
mod tests {
    use super::*;

    fn take(text: &str) -> Result<Options, String> {
        let mut options = Options::default();
        options.take(text).map(|()| options)
    }

    #[test]
    fn options_are_those_of_the_default_section() {
        let text = "networks_path = /no\n[DEFAULT]\n# networks_path = /no\nnetworks_path=/srv/n\nuse_ipv6 = true\n\
                    dhcp_lease_time = 120\n[database]\nnetworks_path = /no\n";
        assert_eq!(take(text), Ok(Options { networks_path: "/srv/n".into(), dhcp_lease_time: 120 }));
        assert_eq!(take(""), Ok(Options { networks_path: "/var/lib/nova/networks".into(), dhcp_lease_time: 86_400 }));
    }

    #[test]
    fn a_value_that_cannot_be_is_refused() {
        let said = take("[DEFAULT]\ndhcp_lease_time = soon").unwrap_err();
        assert!(said.starts_with("dhcp_lease_time = soon: invalid digit"), "{said}");
        let said = take("[DEFAULT]\nnetworks_path = $state_path/networks").unwrap_err();
        assert!(said.starts_with("networks_path = $state_path/networks: write the whole path"), "{said}");
        let said = Options::read(Some(OsStr::new("/etc/nova.conf"))).unwrap_err().to_string();
        assert!(said.starts_with("CONFIG_FILE is no JSON list of files: "), "{said}");
        let said = Options::read(Some(OsStr::new("[\"/nonexistent/x\"]"))).unwrap_err().to_string();
        assert!(said.starts_with("cannot read /nonexistent/x: No such file"), "{said}");
    }
}
