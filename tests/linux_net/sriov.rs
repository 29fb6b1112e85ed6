//! Virtual functions: nova 2.1. No machine of the tests has any, so this is what one says that has none.

use std::fs;
use std::os::unix::fs::symlink;

use nftwrap::linux_net::sriov::{Sysfs, set_vf_interface_vlan, set_vf_trusted};
use nftwrap::netlink::errno::Errno;

use crate::world::{World, name};

#[test]
fn a_device_without_virtual_functions_says_so_and_nothing_changes() {
    let Some(mut w) = World::new() else { return };
    let root = std::env::temp_dir().join(format!("nftwrap-sriov-{}", std::process::id()));
    let devices = root.join("bus/pci/devices");
    for (device, interface) in [("0000:81:00.0/net", "eth0"), ("0000:81:00.2/net", "wire")] {
        fs::create_dir_all(devices.join(device).join(interface)).unwrap();
    }
    symlink("../0000:81:00.2", devices.join("0000:81:00.0/virtfn3")).unwrap();
    symlink("../0000:81:00.0", devices.join("0000:81:00.2/physfn")).unwrap();
    let (sysfs, vf) = (Sysfs::at(&root), "0000:81:00.2".parse().unwrap());
    let before = w.state();
    let mac = "fa:16:3e:00:00:01".parse().unwrap();
    let error = set_vf_interface_vlan(&mut w.rtnl, &sysfs, vf, mac, 100).unwrap_err();
    let printed = error.to_string();
    assert!(printed.starts_with("cannot change virtual function 3 of eth0: "), "{printed}");
    assert!(printed.contains(Errno::OPNOTSUPP.name().unwrap()) && error.is_not_supported(), "{printed}");
    let error = set_vf_trusted(&mut w.rtnl, &name("eth0"), 3, true).unwrap_err();
    assert!(error.is_not_supported(), "{error}");
    let error = set_vf_interface_vlan(&mut w.rtnl, &sysfs, vf, mac, 4095).unwrap_err();
    assert_eq!(error.to_string(), "VLAN number `4095` is not between 0 and 4094");
    assert!(set_vf_trusted(&mut w.rtnl, &name("nowhere"), 3, true).unwrap_err().is_missing());
    assert_eq!(w.state(), before);
    fs::remove_dir_all(root).unwrap();
}
