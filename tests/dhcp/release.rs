//! Addresses that are given back for a guest.

use std::net::UdpSocket;

use crate::fixture::mac;
use crate::world::{World, guest};

#[test]
fn a_release_ends_the_lease() {
    let Some(world) = World::new() else { return };
    let dnsmasq = world.dnsmasq();
    dnsmasq.update_dhcp(&world.network, &[guest(1), guest(2)]).unwrap();
    let address = world.ask(1).unwrap().address;
    world.ask(2).unwrap();
    // The lease of another guest stays: neither its address alone nor its hardware address alone is enough.
    assert!(dnsmasq.release(&world.network, guest(2).address, mac(1)).unwrap());
    assert!(dnsmasq.release(&world.network, address, mac(1)).unwrap());
    assert!(world.called(&format!("del {} {address} guest1", mac(1))), "{}", world.calls());
    assert!(!world.calls().contains(&format!("del {}", mac(2))), "{}", world.calls());
    // It can have it again.
    assert_eq!(world.ask(1).unwrap().address, address);
}

#[test]
fn a_release_needs_no_port_of_its_own() {
    let Some(world) = World::new() else { return };
    let dnsmasq = world.dnsmasq();
    dnsmasq.update_dhcp(&world.network, &[guest(1)]).unwrap();
    let address = world.ask(1).unwrap().address;
    let _own_client = world.host.0.run(|| UdpSocket::bind(("0.0.0.0", 68)).unwrap()).unwrap();
    assert!(dnsmasq.release(&world.network, address, mac(1)).unwrap());
    assert!(world.called(&format!("del {} {address} guest1", mac(1))), "{}", world.calls());
}

#[test]
fn without_the_device_there_is_nothing_to_do() {
    let Some(mut world) = World::new() else { return };
    world.network.device = "none0".parse().unwrap();
    assert!(!world.dnsmasq().release(&world.network, guest(1).address, mac(1)).unwrap());
}

#[test]
fn an_error_has_the_address_and_why() {
    let Some(world) = World::new() else { return };
    world.host.run("ip link set br0 down");
    let error = world.dnsmasq().release(&world.network, guest(1).address, mac(1)).unwrap_err();
    let said = error.to_string();
    let start = "Failed to release IP 192.168.0.11 with MAC de:ad:be:ef:00:01: cannot send on the device `br0`: ";
    assert!(said.starts_with(start) && !error.is_not_permitted(), "{said}");
}
