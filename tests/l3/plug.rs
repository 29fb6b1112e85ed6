//! What plugging a host into a network leaves on it.

use nftwrap::kernel::Kernel;
use nftwrap::layout::Layout;
use nftwrap::linux_net::host::{HostError, HostOptions, Network};
use nftwrap::linux_net::interface::{InterfaceDriver, LinuxBridge, OpenVswitch};

use crate::lab::{Lab, skip_unless};
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
    let generation = || lab.kernel().generation().unwrap();
    // Isolation is one transaction and the rules of both families another; then there is nothing left to do.
    let before = generation();
    for _ in 0..2 {
        LinuxBridge.plug(&mut host, &flat, None, true).unwrap();
        assert_eq!(generation(), before + 2);
        let shown = rules();
        // As they are written, not in reverse.
        let forward: Vec<&str> = shown.lines().filter(|line| line.contains("67-68")).map(str::trim).collect();
        let ports = "ether type ip udp dport 67-68 drop";
        let starts = |n: usize, way: &str| forward[n].starts_with(&format!("{way} \"eth0\" {ports}"));
        assert!(forward.len() == 2 && starts(0, "iifname") && starts(1, "oifname"), "{shown}");
        assert!(shown.contains("daddr ip 10.0.0.1 ") && shown.contains("saddr ip 10.0.0.1 "), "{shown}");
    }
    LinuxBridge.unplug(&mut host, &flat).unwrap();
    assert_eq!(rules(), "");
    assert_eq!(generation(), before + 4);
    let (rules, generation) = (lab.run("nft list ruleset"), generation());
    LinuxBridge.unplug(&mut host, &flat).unwrap();
    assert_eq!((lab.run("nft list ruleset"), lab.kernel().generation().unwrap()), (rules, generation));
}

/// nova 6.3.42: an interface that no bridge takes, and one that is not there.
#[test]
fn what_cannot_be_a_port_leaves_neither_bridge_nor_rules() {
    let Some(lab) = lab() else { return };
    let mut host = host(&lab, Layout::Iptables, options());
    for (bad, errno) in [("lo", "EINVAL"), ("nosuch0", "ENODEV")] {
        let flat = Network { bridge_interface: Some(interface(bad)), ..network() };
        let error = LinuxBridge.plug(&mut host, &flat, None, true).unwrap_err();
        let printed = error.to_string();
        assert!(printed.contains(bad) && printed.contains(errno), "{printed}");
        assert!(!lab.run("ip -o link").contains("br100"));
        assert!(!lab.run("nft list ruleset").contains("br100"));
    }
}

/// nova 6.3.39: the VLAN is on the network's interface, and on that of the host's option when there is one.
#[test]
fn a_vlan_is_on_the_hosts_interface_or_the_networks() {
    let Some(lab) = lab() else { return };
    // A VLAN's device cannot be up without its base.
    lab.run("ip link set eth0 up; ip link set eth1 up");
    for (option, base) in [(None, "eth0"), (Some("eth1"), "eth1")] {
        let options = HostOptions { vlan_interface: option.map(interface), ..options() };
        let mut host = host(&lab, Layout::Iptables, options);
        let vlan = Network { bridge_interface: Some(interface("eth0")), vlan: Some(100), ..network() };
        let mac = "fa:16:3e:00:00:64".parse().unwrap();
        match LinuxBridge.plug(&mut host, &vlan, Some(mac), false) {
            Err(HostError::Net(error)) if error.is_not_supported() => {
                skip_unless(&["NFTWRAP_REQUIRE_VLAN"], error);
                return;
            }
            done => assert_eq!(done.unwrap(), interface("br100")),
        }
        LinuxBridge.plug(&mut host, &vlan, Some(mac), false).unwrap();
        let shown = lab.run("ip -d -o link show vlan100");
        assert!(shown.contains(&format!("vlan100@{base}")) && shown.contains("id 100 "), "{shown}");
        assert!(shown.contains("fa:16:3e:00:00:64") && shown.contains("master br100"), "{shown}");
        // Always a gateway, as in nova.
        assert_eq!(forward(&lab).len(), 2);
        assert!(forward(&lab).iter().all(|rule| rule.ends_with("ACCEPT")));
        LinuxBridge.unplug(&mut host, &vlan).unwrap();
        assert!(!lab.run("ip -o link").contains("vlan100"));
    }
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
