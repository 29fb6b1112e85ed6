//! The small steps: nova 2.1 and 6.3.47, 6.3.61.

use std::net::IpAddr;

use nftwrap::linux_net::{device, sysctl};
use nftwrap::netlink::namespace::Namespace;
use nftwrap::rtnl::{Family, Rtnl};

use crate::world::{World, name};

#[test]
fn devices_are_found_and_deleted() {
    let Some(mut w) = World::new() else { return };
    assert!(device::exists(&mut w.rtnl, &name("eth0")).unwrap());
    assert!(!device::exists(&mut w.rtnl, &name("nowhere")).unwrap());
    assert!(device::delete(&mut w.rtnl, &name("eth0")).unwrap());
    assert!(!device::delete(&mut w.rtnl, &name("eth0")).unwrap());
    assert!(!device::exists(&mut w.rtnl, &name("wire")).unwrap(), "a pair goes together");
}

#[test]
fn an_mtu_of_none_or_nothing_asks_for_nothing() {
    let Some(mut w) = World::new() else { return };
    device::set_mtu(&mut w.rtnl, &name("nowhere"), None).unwrap();
    device::set_mtu(&mut w.rtnl, &name("nowhere"), Some(0)).unwrap();
    assert!(device::set_mtu(&mut w.rtnl, &name("nowhere"), Some(1400)).unwrap_err().is_missing());
    device::set_mtu(&mut w.rtnl, &name("eth0"), Some(1400)).unwrap();
    assert_eq!(w.link("eth0").mtu, 1400);
}

#[test]
fn a_mac_address_and_a_state_are_set_in_one_request() {
    let Some(mut w) = World::new() else { return };
    let mac = "02:00:00:00:00:0c".parse().unwrap();
    device::set_mac(&mut w.rtnl, &name("eth0"), mac, Some(false)).unwrap();
    let link = w.link("eth0");
    assert_eq!((link.mac, link.up), (Some(mac), false));
    device::set_up(&mut w.rtnl, &name("eth0"), true).unwrap();
    assert!(w.link("eth0").up);
    let error = device::set_up(&mut w.rtnl, &name("nowhere"), true).unwrap_err();
    assert!(error.is_missing() && error.to_string().contains("find device nowhere"), "{error}");
}

#[test]
fn a_veth_pair_is_made_anew() {
    let Some(mut w) = World::new() else { return };
    for _ in 0..2 {
        device::create_veth_pair(&mut w.rtnl, &name("veth-a"), &name("veth-b"), Some(1300)).unwrap();
        for end in ["veth-a", "veth-b"] {
            let link = w.link(end);
            assert!(link.up && link.promiscuous && link.mtu == 1300, "{link:?}");
        }
    }
    // An MTU that no veth can have: nothing is left.
    assert!(device::create_veth_pair(&mut w.rtnl, &name("x"), &name("y"), Some(1)).is_err());
    assert!(!device::exists(&mut w.rtnl, &name("x")).unwrap());
}

#[test]
fn addresses_are_bound_and_unbound() {
    let Some(mut w) = World::new() else { return };
    for ip in ["192.0.2.7", "2001:db8::7"] {
        let ip: IpAddr = ip.parse().unwrap();
        assert!(device::bind_ip(&mut w.rtnl, &name("eth0"), ip, false).unwrap());
        assert!(!device::bind_ip(&mut w.rtnl, &name("eth0"), ip, false).unwrap());
        let bound = device::global_addresses(&mut w.rtnl, &name("eth0"), Family::of(ip)).unwrap();
        assert_eq!(bound.iter().map(|a| a.network).collect::<Vec<_>>(), [ip.into()]);
        assert!(device::unbind_ip(&mut w.rtnl, &name("eth0"), ip).unwrap());
        assert!(!device::unbind_ip(&mut w.rtnl, &name("eth0"), ip).unwrap());
        assert!(!device::unbind_ip(&mut w.rtnl, &name("nowhere"), ip).unwrap());
        assert!(device::bind_ip(&mut w.rtnl, &name("nowhere"), ip, false).unwrap_err().is_missing());
    }
    let metadata = "169.254.169.254".parse().unwrap();
    device::bind_ip(&mut w.rtnl, &name("lo"), metadata, true).unwrap();
    assert!(w.run("ip -o addr show dev lo").contains("169.254.169.254/32 scope link"));
}

#[test]
fn settings_are_those_of_the_namespace() {
    let Some(w) = World::new() else { return };
    let other = Namespace::fresh().unwrap();
    let setting = "net/ipv4/conf/eth0/rp_filter";
    sysctl::write(&w.lab.0, setting, "2").unwrap();
    assert_eq!(sysctl::read(&w.lab.0, setting).unwrap(), "2");
    assert!(sysctl::read(&other, setting).unwrap_err().is_missing());
    assert!(sysctl::ensure(&other, "net/ipv4/ip_forward", "1").unwrap());
    assert!(!sysctl::ensure(&other, "net/ipv4/ip_forward", "1").unwrap());
    assert_eq!(sysctl::read(&w.lab.0, "net/ipv4/ip_forward").unwrap(), "0");
    let error = sysctl::write(&other, "net/ipv4/ip_forward", "many").unwrap_err();
    assert_eq!(error.to_string(), "cannot write /proc/sys/net/ipv4/ip_forward: Invalid argument (EINVAL)");
}

#[test]
fn a_socket_can_be_opened_by_one_thread_and_used_by_another() {
    let Some(w) = World::new() else { return };
    let mut rtnl = Rtnl::open_in(&w.lab.0).unwrap();
    std::thread::spawn(move || assert!(device::exists(&mut rtnl, &name("eth0")).unwrap())).join().unwrap();
}

/// What guests have as their IPv6 router (nova 2.15).
#[test]
fn the_link_local_address_is_the_first_that_can_be_used() {
    let Some(mut w) = World::new() else { return };
    let address = |w: &mut World| device::link_local(&mut w.rtnl, &name("eth0")).unwrap();
    assert_eq!(address(&mut w), None);
    w.run("ip addr add 2001:db8::5/64 dev eth0 nodad; ip addr add fe80::7/64 dev eth0 nodad");
    assert_eq!(address(&mut w), Some("fe80::7".parse().unwrap()));
    assert!(device::link_local(&mut w.rtnl, &name("nowhere")).unwrap_err().is_missing());
}
