//! What plugging a host into a network leaves on it.

use nftwrap::layout::Layout;
use nftwrap::linux_net::host::{HostError, HostOptions, Network};
use nftwrap::linux_net::interface::{InterfaceDriver, LinuxBridge, OpenVswitch};

use crate::lab::Lab;
use crate::{TOOLS, host, interface, network, options};

/// A host with two interfaces.
fn lab() -> Option<Lab> {
    let lab = Lab::new(TOOLS)?;
    lab.run("ip link add name eth0 type veth peer name far0; ip link add name eth1 type veth peer name far1; ip link set lo up");
    Some(lab)
}

fn forward(lab: &Lab) -> Vec<String> {
    let text = lab.stock_save("iptables-nft-save");
    text.lines().filter(|line| line.starts_with("-A nova-network-FORWARD")).map(str::to_owned).collect()
}

fn ports(lab: &Lab) -> String {
    lab.run("ip -o link show master br100 | awk '{print $2}'")
}

/// Packets are not dropped unless asked: two rules, both ACCEPT; a network that guests leave elsewhere has two that drop.
#[test]
fn a_flat_network_is_open_or_closed() {
    let Some(lab) = lab() else { return };
    let mut host = host(&lab, Layout::Iptables, options());
    let flat = Network { bridge_interface: Some(interface("eth0")), ..network() };
    for _ in 0..2 {
        assert_eq!(LinuxBridge.plug(&mut host, &flat, None, true).unwrap(), interface("br100"));
        let open = ["-A nova-network-FORWARD -i br100 -j ACCEPT", "-A nova-network-FORWARD -o br100 -j ACCEPT"];
        assert_eq!(forward(&lab), open);
        assert!(ports(&lab).starts_with("eth0"), "{}", ports(&lab));
    }
    LinuxBridge.plug(&mut host, &flat, None, false).unwrap();
    let closed = ["-A nova-network-FORWARD -i br100 -j DROP", "-A nova-network-FORWARD -o br100 -j DROP"];
    assert_eq!(forward(&lab), closed);
    for _ in 0..2 {
        assert_eq!(LinuxBridge.unplug(&mut host, &flat).unwrap(), interface("br100"));
        assert!(forward(&lab).is_empty());
        assert!(!lab.run("ip -o link").contains("br100"));
    }
}

/// The option of the host wins over what the network says.
#[test]
fn the_hosts_interface_comes_before_the_networks() {
    let Some(lab) = lab() else { return };
    let options = HostOptions { flat_interface: Some(interface("eth1")), ..options() };
    let mut host = host(&lab, Layout::Iptables, options);
    let flat = Network { bridge_interface: Some(interface("eth0")), ..network() };
    LinuxBridge.plug(&mut host, &flat, None, true).unwrap();
    assert!(ports(&lab).starts_with("eth1"), "{}", ports(&lab));
}

/// A DHCP address that all hosts have does not cross the bridge's port; the rules go with the network.
#[test]
fn a_shared_dhcp_address_is_kept_apart() {
    let Some(lab) = lab() else { return };
    let mut host = host(&lab, Layout::Iptables, HostOptions { share_dhcp_address: true, ..options() });
    let flat = Network { bridge_interface: Some(interface("eth0")), ..network() };
    let rules = || lab.run("nft list ruleset bridge");
    for _ in 0..2 {
        LinuxBridge.plug(&mut host, &flat, None, true).unwrap();
        assert!(rules().contains("eth0") && rules().contains("10.0.0.1"), "{}", rules());
    }
    LinuxBridge.unplug(&mut host, &flat).unwrap();
    assert_eq!(rules(), "");
}

#[test]
fn a_vlan_without_an_interface_is_an_error_that_names_the_network() {
    let Some(lab) = lab() else { return };
    let mut host = host(&lab, Layout::Iptables, options());
    let error = LinuxBridge.plug(&mut host, &Network { vlan: Some(100), ..network() }, None, true).unwrap_err();
    assert_eq!(error.to_string(), "the network of br100 has no interface for its VLAN");
}

#[test]
fn open_vswitch_says_that_it_is_not_supported() {
    let Some(lab) = lab() else { return };
    let mut host = host(&lab, Layout::Iptables, options());
    let error = OpenVswitch.plug(&mut host, &network(), None, true).unwrap_err();
    assert!(matches!(error, HostError::NotSupported { .. }), "{error}");
    assert_eq!(error.to_string(), "plugging into Open vSwitch is not supported");
}
