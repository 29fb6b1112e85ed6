//! The networks of nova's own tests: 0 for one host, 1 with a DHCP server on each host.

use nftwrap::linux_net::dnsmasq::{FixedIp, Network, Settings};
use nftwrap::name::MacAddress;

pub(crate) fn mac(last: u8) -> MacAddress {
    MacAddress([0xde, 0xad, 0xbe, 0xef, 0, last])
}

pub(crate) fn network(number: u8) -> Network {
    Network {
        id: number.to_string().parse().unwrap(),
        label: format!("test{number}").parse().unwrap(),
        device: format!("br{number}").parse().unwrap(),
        cidr: format!("192.168.{number}.0/24").parse().unwrap(),
        dhcp_start: [192, 168, 100, 1].into(),
        dhcp_server: [192, 168, number, 1].into(),
        gateway: Some([192, 168, number, 1].into()),
        multi_host: number == 1,
        share_address: false,
        dns: [None, None],
    }
}

/// Addresses on network 0 or 1: guest 0 is on host `fake_instance00`, guest 1 on the other.
pub(crate) fn fixed_ips(network: u8) -> Vec<FixedIp> {
    let fixed_ip = |interface: u8, address: [u8; 4], guest: u8, first: bool| {
        let host = format!("fake_instance0{guest}");
        let mut fixed_ip =
            FixedIp::new(address.into(), mac(interface), interface.into()).named(&host).unwrap().on(&host);
        fixed_ip.first_interface = first;
        fixed_ip.leased = true;
        fixed_ip
    };
    let mut all = match network {
        0 => vec![
            fixed_ip(0, [192, 168, 0, 100], 0, true),
            fixed_ip(3, [192, 168, 1, 101], 1, false),
            fixed_ip(4, [192, 168, 0, 102], 0, false),
        ],
        _ => vec![
            fixed_ip(1, [192, 168, 1, 100], 0, false),
            fixed_ip(2, [192, 168, 0, 101], 1, true),
            fixed_ip(5, [192, 168, 1, 102], 1, false),
            fixed_ip(6, [192, 168, 1, 103], 1, false),
        ],
    };
    // One is given back, but its guest may still have the lease.
    if let Some(last) = all.get_mut(3) {
        last.allocated = false;
    }
    all
}

pub(crate) fn settings() -> Settings {
    Settings { host: "fake_instance01".to_owned(), ..Settings::default() }
}

pub(crate) fn single_gateway() -> Settings {
    Settings { use_single_default_gateway: true, ..settings() }
}
