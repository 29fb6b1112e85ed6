//! VLANs: nova 6.3.44 and 6.3.45. Kernels without 8021q skip what makes one.

use nftwrap::linux_net::vlan::{Vlan, ensure_vlan, ensure_vlan_bridge, remove_vlan, remove_vlan_bridge};
use nftwrap::linux_net::{Error, device};
use nftwrap::rtnl::kind::Data;

use crate::lab::skip_unless;
use crate::world::{World, name};

fn vlan() -> Vlan {
    let mac = Some("02:00:00:00:00:64".parse().unwrap());
    Vlan { number: 100, base: name("eth0"), mac, mtu: Some(1400), name: None }
}

/// Makes one, unless this kernel cannot.
#[track_caller]
fn can(w: &mut World) -> bool {
    match ensure_vlan(&mut w.rtnl, &vlan()) {
        Ok(device) => assert_eq!(device, name("vlan100")),
        Err(error) if error.is_not_supported() => {
            skip_unless(&["NFTWRAP_REQUIRE_VLAN"], error);
            return false;
        }
        Err(error) => panic!("{error}"),
    }
    true
}

#[test]
fn a_vlan_is_made_once_and_its_mtu_is_set_always() {
    let Some(mut w) = World::new() else { return };
    if !can(&mut w) {
        return;
    }
    let made = w.link("vlan100");
    assert!(made.up && made.mtu == 1400 && made.mac == vlan().mac);
    assert_eq!((made.data, made.parent), (Data::Vlan { id: 100 }, Some(w.link("eth0").index)));
    let other = Vlan { mac: Some("02:00:00:00:00:65".parse().unwrap()), mtu: Some(1300), ..vlan() };
    ensure_vlan(&mut w.rtnl, &other).unwrap();
    let again = w.link("vlan100");
    assert_eq!((again.index, again.mac, again.mtu), (made.index, made.mac, 1300));
    let named = Vlan { number: 101, name: Some(name("vlan100")), ..vlan() };
    assert_eq!(ensure_vlan(&mut w.rtnl, &named).unwrap_err().to_string(), "vlan100 is VLAN 100, not 101");
    assert!(remove_vlan(&mut w.rtnl, 100).unwrap());
    assert!(!remove_vlan(&mut w.rtnl, 100).unwrap());
}

#[test]
fn a_vlan_that_has_a_device_of_another_name_is_refused() {
    let Some(mut w) = World::new() else { return };
    if !can(&mut w) {
        return;
    }
    let other = Vlan { name: Some(name("other")), ..vlan() };
    let error = ensure_vlan(&mut w.rtnl, &other).unwrap_err().to_string();
    assert!(error.starts_with("cannot add device other: ") && error.contains("EEXIST"), "{error}");
    assert!(!device::exists(&mut w.rtnl, &name("other")).unwrap());
}

#[test]
fn a_vlan_and_its_bridge_come_and_go_together() {
    let Some(w) = World::new() else { return };
    let mut w = w.with_routes();
    if !can(&mut w) {
        return;
    }
    remove_vlan(&mut w.rtnl, 100).unwrap();
    let before = w.state();
    for _ in 0..2 {
        assert_eq!(ensure_vlan_bridge(&mut w.rtnl, &vlan(), &name("br100"), None).unwrap(), name("vlan100"));
        let (bridge, port) = (w.link("br100"), w.link("vlan100"));
        assert_eq!((port.master, bridge.mac), (Some(bridge.index), port.mac));
    }
    for _ in 0..2 {
        remove_vlan_bridge(&mut w.rtnl, 100, &name("br100"), None).unwrap();
        assert_eq!(w.state(), before);
    }
}

/// The name says nothing of what a device is. nova takes it, and deletes it (6.3.45).
#[test]
fn a_device_of_a_vlans_name_that_is_none_is_left_alone() {
    let Some(w) = World::new() else { return };
    let mut w = w.with_routes();
    w.run("ip link add vlan7 type veth peer name other; ip link add br7 type bridge; ip link set vlan7 master br7");
    let before = w.state();
    let wanted = Vlan { number: 7, mtu: Some(1300), ..vlan() };
    let error = ensure_vlan(&mut w.rtnl, &wanted).unwrap_err();
    assert!(matches!(&error, Error::NotAVlan { device, .. } if *device == name("vlan7")), "{error}");
    assert_eq!(error.to_string(), "vlan7 is a veth device, and no VLAN; give it another name, or the VLAN");
    let refused = [
        ensure_vlan_bridge(&mut w.rtnl, &wanted, &name("br7"), None).map(drop),
        remove_vlan(&mut w.rtnl, 7).map(drop),
        remove_vlan_bridge(&mut w.rtnl, 7, &name("br7"), None).map(drop),
    ];
    for outcome in refused {
        assert!(matches!(outcome, Err(Error::NotAVlan { .. })), "{outcome:?}");
    }
    assert_eq!(w.state(), before);
}

#[test]
fn a_vlan_of_another_device_is_refused() {
    let Some(mut w) = World::new() else { return };
    if !can(&mut w) {
        return;
    }
    let other = Vlan { base: name("eth1"), ..vlan() };
    let error = ensure_vlan(&mut w.rtnl, &other).unwrap_err();
    assert!(matches!(&error, Error::OtherVlanBase { found: Some(found), .. } if *found == name("eth0")), "{error}");
}

#[test]
fn a_vlan_without_its_base_or_with_a_bad_number_is_refused() {
    let Some(mut w) = World::new() else { return };
    let lost = Vlan { base: name("nowhere"), ..vlan() };
    assert!(ensure_vlan(&mut w.rtnl, &lost).unwrap_err().is_missing());
    let bad = Vlan { number: 4095, ..vlan() };
    assert!(ensure_vlan(&mut w.rtnl, &bad).unwrap_err().to_string().contains("4095"));
    assert!(!device::exists(&mut w.rtnl, &name("vlan100")).unwrap());
}
