//! Virtual functions of network cards, given to guests as PCI devices.
//!
//! Owns: what sysfs says of a PCI device's interfaces and place on its card, and nova's settings of a virtual function.
//! Never: makes virtual functions, or gives one to a guest.
//!
//! Interfaces are those that sysfs shows, that is of the namespace that it was mounted in; a function that a guest has
//! has none.
//!
//! Where the truth is: `Documentation/ABI/testing/sysfs-bus-pci` (Linux v6.12); nova's `pci/utils.py` and
//! `network/linux_utils.py`.
//!
//! How tested: unit tests with a directory in place of sysfs; `rtnl::VfChange` beside the bytes that `ip` sends;
//! `tests/linux_net/sriov.rs` for what a device says that has no functions. None of it has seen a real card.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Error, device};
use crate::name::{InterfaceName, MacAddress};
use crate::rtnl::{Rtnl, VfChange};

/// Where a device is on the PCI bus: `0000:81:00.2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PciAddress {
    /// The domain, which may have more than 16 bits.
    pub domain: u32,
    /// The bus.
    pub bus: u8,
    /// The device on the bus, below 32.
    pub device: u8,
    /// The function of the device, below 8.
    pub function: u8,
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

impl FromStr for PciAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
            let is_hex = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_hex { u32::from_str_radix(text, 16).ok() } else { None }
        };
        let parse = || {
            let (domain, rest) = text.split_once(':')?;
            let (bus, rest) = rest.split_once(':')?;
            let (device, function) = rest.split_once('.')?;
            let (device, function) = (number(device, 2..=2)?, number(function, 1..=1)?);
            let small = |number: u32, end: u32| u8::try_from(number).ok().filter(|_| number < end);
            Some(Self {
                domain: number(domain, 4..=8)?,
                bus: small(number(bus, 2..=2)?, 256)?,
                device: small(device, 32)?,
                function: small(function, 8)?,
            })
        };
        let bad = || Error::BadValue {
            what: "PCI address",
            value: text.chars().take(64).flat_map(char::escape_default).collect(),
            problem: "is not of the form 0000:81:00.2",
        };
        parse().ok_or_else(bad)
    }
}

/// What the kernel says of devices, below `/sys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysfs(PathBuf);

impl Default for Sysfs {
    fn default() -> Self {
        Self("/sys".into())
    }
}

impl Sysfs {
    /// One that is mounted elsewhere.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The interface of a PCI device.
    ///
    /// # Errors
    /// [`Error::Pci`] when it has none; [`Error::Setting`].
    pub fn interface(&self, address: PciAddress) -> Result<InterfaceName, Error> {
        self.interface_in(address, &self.device(address))
    }

    /// The interface of the card that a virtual function is of.
    ///
    /// # Errors
    /// [`Error::Pci`] when the device is no virtual function, or its card has no interface; [`Error::Setting`].
    pub fn physical_interface(&self, address: PciAddress) -> Result<InterfaceName, Error> {
        self.interface_in(address, &self.physical(address)?)
    }

    /// The number of a virtual function on its card.
    ///
    /// # Errors
    /// [`Error::Pci`] when it has none; [`Error::Setting`].
    pub fn vf_number(&self, address: PciAddress) -> Result<u32, Error> {
        let (physical, name) = (self.physical(address)?, address.to_string());
        for entry in list(&physical)? {
            let Some(number) = entry.strip_prefix("virtfn").and_then(|number| number.parse().ok()) else { continue };
            let path = physical.join(&entry);
            let target = fs::read_link(&path).map_err(|source| failed(path, source))?;
            if target.file_name().is_some_and(|target| target == name.as_str()) {
                return Ok(number);
            }
        }
        Err(Error::Pci { address, problem: "is not among the virtual functions of its card" })
    }

    /// The Ethernet address of a PCI device's interface.
    ///
    /// # Errors
    /// Those of [`interface`](Sysfs::interface); [`Error::BadValue`].
    pub fn mac(&self, address: PciAddress) -> Result<MacAddress, Error> {
        let path = self.device(address).join("net").join(self.interface(address)?.as_str()).join("address");
        let text = fs::read_to_string(&path).map_err(|source| failed(path, source))?;
        let text = text.trim_end();
        text.parse().map_err(|_| Error::BadValue {
            what: "hardware address",
            value: text.chars().take(64).flat_map(char::escape_default).collect(),
            problem: "is none of Ethernet",
        })
    }

    fn device(&self, address: PciAddress) -> PathBuf {
        self.0.join("bus/pci/devices").join(address.to_string())
    }

    fn physical(&self, address: PciAddress) -> Result<PathBuf, Error> {
        let path = self.device(address).join("physfn");
        match fs::metadata(&path) {
            Ok(_) => Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::Pci { address, problem: "is no virtual function" })
            }
            Err(source) => Err(failed(path, source)),
        }
    }

    /// The first by name: a card in switch mode has one more for each virtual function, which are not meant.
    fn interface_in(&self, address: PciAddress, device: &Path) -> Result<InterfaceName, Error> {
        let folder = device.join("net");
        let represents = |name: &String| {
            let port = fs::read_to_string(folder.join(name).join("phys_port_name")).unwrap_or_default();
            port.contains("vf") || port.contains("sf")
        };
        let names = match list(&folder) {
            Err(error) if error.is_missing() => Vec::new(),
            names => names?,
        };
        let name = names.into_iter().find(|name| !represents(name));
        let name = name.ok_or(Error::Pci { address, problem: "has no network interface" })?;
        InterfaceName::new(&name).map_err(|_| Error::BadValue {
            what: "interface",
            value: name,
            problem: "has a name that cannot be one",
        })
    }
}

/// The names in a directory, sorted.
fn list(folder: &Path) -> Result<Vec<String>, Error> {
    let read = || -> io::Result<Vec<String>> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    };
    let mut names = read().map_err(|source| failed(folder.to_owned(), source))?;
    names.sort();
    Ok(names)
}

fn failed(path: PathBuf, source: io::Error) -> Error {
    Error::Setting { operation: "read", path, source }
}

/// Gives a virtual function of a card its Ethernet address and its VLAN; 0 is none.
///
/// # Errors
/// [`Error::BadValue`] for a VLAN beyond 4,094; [`Error::Rtnl`], `ENODEV` when the card's interface is not there,
/// `EOPNOTSUPP` when it has no virtual functions.
pub fn set_device_macaddr_and_vlan(
    rtnl: &mut Rtnl,
    physical: &InterfaceName,
    number: u32,
    mac: MacAddress,
    vlan: u16,
) -> Result<(), Error> {
    if vlan > 4094 {
        let (what, value) = ("VLAN number", vlan.to_string());
        return Err(Error::BadValue { what, value, problem: "is not between 0 and 4094" });
    }
    let link = rtnl.require_link(physical)?;
    let change = VfChange { mac: Some(mac), vlan: Some(vlan), ..VfChange::default() };
    Ok(rtnl.set_vf(&link, number, &change)?)
}

/// Gives a virtual function its Ethernet address and VLAN, on its card and on its own interface, which is brought up with
/// a VLAN and taken down without. Everything is looked up before anything is changed.
///
/// # Errors
/// [`Error::Pci`], [`Error::Setting`]; those of [`set_device_macaddr_and_vlan`].
pub fn set_vf_interface_vlan(
    rtnl: &mut Rtnl,
    sysfs: &Sysfs,
    address: PciAddress,
    mac: MacAddress,
    vlan: u16,
) -> Result<(), Error> {
    let (physical, own) = (sysfs.physical_interface(address)?, sysfs.interface(address)?);
    let number = sysfs.vf_number(address)?;
    rtnl.require_link(&own)?;
    set_device_macaddr_and_vlan(rtnl, &physical, number, mac, vlan)?;
    // Some cards take the address from here only (RHBZ 1372944).
    device::set_mac(rtnl, &own, mac, Some(vlan > 0))
}

/// Lets the driver of a virtual function change what the host has set, or not.
///
/// # Errors
/// [`Error::Rtnl`], `ENODEV` when the card's interface is not there, `EOPNOTSUPP` when it cannot.
pub fn set_vf_trusted(rtnl: &mut Rtnl, physical: &InterfaceName, number: u32, trusted: bool) -> Result<(), Error> {
    let link = rtnl.require_link(physical)?;
    let change = VfChange { trusted: Some(trusted), ..VfChange::default() };
    Ok(rtnl.set_vf(&link, number, &change)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        /// A card with the virtual functions `81:00.2` and `81:02.1`, of which a guest has the second.
        fn card(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("nftwrap-sysfs-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&root);
            let devices = root.join("bus/pci/devices");
            let interface = |device: &str, name: &str, mac: &str| {
                let folder = devices.join(device).join("net").join(name);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("address"), format!("{mac}\n")).unwrap();
                folder
            };
            interface("0000:81:00.0", "enp1", "02:00:00:00:00:01");
            let representor = interface("0000:81:00.0", "a_rep", "02:00:00:00:00:09");
            fs::write(representor.join("phys_port_name"), "pf0vf1\n").unwrap();
            interface("0000:81:00.2", "enp1v10", "02:00:00:00:00:02");
            fs::create_dir_all(devices.join("0000:81:02.1")).unwrap();
            for (number, vf) in [(10, "0000:81:00.2"), (2, "0000:81:02.1")] {
                symlink(format!("../{vf}"), devices.join(format!("0000:81:00.0/virtfn{number}"))).unwrap();
                symlink("../0000:81:00.0", devices.join(vf).join("physfn")).unwrap();
            }
            Self(root)
        }

        fn sysfs(&self) -> Sysfs {
            Sysfs::at(&self.0)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn address(text: &str) -> PciAddress {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_of_the_bus_are_read_and_printed() {
        for good in ["0000:81:00.2", "ffff:ff:1f.7", "10000:00:00.0"] {
            assert_eq!(address(good).to_string(), good);
        }
        assert_eq!(address("0000:0A:1F.7").to_string(), "0000:0a:1f.7");
        for bad in
            ["", "81:00.2", "0000:81:00", "0000:81:20.0", "0000:81:00.8", "0000:81:00.+", "../x:00:00.0", "0:1:2.3"]
        {
            let error = bad.parse::<PciAddress>().unwrap_err().to_string();
            assert_eq!(error, format!("PCI address `{bad}` is not of the form 0000:81:00.2"));
        }
    }

    #[test]
    fn a_virtual_function_is_found_on_its_card() {
        let folder = Folder::card("found");
        let (sysfs, vf) = (folder.sysfs(), address("0000:81:00.2"));
        assert_eq!(sysfs.interface(vf).unwrap().as_str(), "enp1v10");
        assert_eq!(sysfs.physical_interface(vf).unwrap().as_str(), "enp1");
        assert_eq!(sysfs.vf_number(vf).unwrap(), 10);
        assert_eq!(sysfs.vf_number(address("0000:81:02.1")).unwrap(), 2);
        assert_eq!(sysfs.mac(vf).unwrap(), MacAddress([2, 0, 0, 0, 0, 2]));
        assert_eq!(
            sysfs.interface(address("0000:81:00.0")).unwrap().as_str(),
            "enp1",
            "not that of a virtual function"
        );
    }

    #[test]
    fn what_is_not_there_is_said_with_the_device() {
        let folder = Folder::card("missing");
        let sysfs = folder.sysfs();
        let said = |error: Error| error.to_string();
        let given = address("0000:81:02.1");
        assert_eq!(said(sysfs.interface(given).unwrap_err()), "PCI device 0000:81:02.1 has no network interface");
        let card = address("0000:81:00.0");
        assert_eq!(said(sysfs.vf_number(card).unwrap_err()), "PCI device 0000:81:00.0 is no virtual function");
        let none = address("0000:99:00.0");
        assert_eq!(said(sysfs.mac(none).unwrap_err()), "PCI device 0000:99:00.0 has no network interface");
        assert!(sysfs.physical_interface(none).unwrap_err().is_missing());
        fs::remove_file(folder.0.join("bus/pci/devices/0000:81:00.0/virtfn2")).unwrap();
        let error = said(sysfs.vf_number(given).unwrap_err());
        assert_eq!(error, "PCI device 0000:81:02.1 is not among the virtual functions of its card");
        fs::write(folder.0.join("bus/pci/devices/0000:81:00.2/net/enp1v10/address"), "00:00\n").unwrap();
        let error = said(sysfs.mac(address("0000:81:00.2")).unwrap_err());
        assert_eq!(error, "hardware address `00:00` is none of Ethernet");
    }
}
