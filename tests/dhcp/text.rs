//! The text of the files: goldens of nova's tests (nova 6.4), and properties for any input.

use std::net::Ipv4Addr;
use std::time::{Duration, UNIX_EPOCH};

use nftwrap::linux_net::dnsmasq::{FixedIp, Settings, dhcp_hosts, dhcp_options, dns_hosts, leases};
use nftwrap::name::MacAddress;
use proptest::prelude::*;

use crate::fixture::{fixed_ips, mac, network, settings, single_gateway};

#[test]
fn hosts_with_a_single_default_gateway_have_the_tag_of_their_interface() {
    assert_eq!(
        dhcp_hosts(&network(0), &fixed_ips(0), &single_gateway()),
        "de:ad:be:ef:00:00,fake_instance00.novalocal,192.168.0.100,net:NW-0\n\
         de:ad:be:ef:00:03,fake_instance01.novalocal,192.168.1.101,net:NW-3\n\
         de:ad:be:ef:00:04,fake_instance00.novalocal,192.168.0.102,net:NW-4"
    );
}

#[test]
fn hosts_of_a_network_with_many_servers_are_those_of_this_one() {
    assert_eq!(
        dhcp_hosts(&network(1), &fixed_ips(1), &single_gateway()),
        "de:ad:be:ef:00:02,fake_instance01.novalocal,192.168.0.101,net:NW-2\n\
         de:ad:be:ef:00:05,fake_instance01.novalocal,192.168.1.102,net:NW-5"
    );
}

#[test]
fn a_plain_host_line_has_no_tag() {
    assert_eq!(
        dhcp_hosts(&network(0), &fixed_ips(0)[..1], &settings()),
        "de:ad:be:ef:00:00,fake_instance00.novalocal,192.168.0.100"
    );
    let nameless = FixedIp::new(Ipv4Addr::new(10, 0, 0, 2), mac(9), 9);
    assert_eq!(dhcp_hosts(&network(0), &[nameless], &settings()), "de:ad:be:ef:00:09,10.0.0.2");
}

#[test]
fn a_long_host_name_is_shortened_in_the_middle() {
    let name = "really_long_fake_instance02_to_test_hostname_truncation_when_too_long";
    let guest = FixedIp::new(Ipv4Addr::new(192, 168, 2, 100), mac(7), 7).named(name).unwrap();
    assert_eq!(
        dhcp_hosts(&network(0), &[guest], &settings()),
        "de:ad:be:ef:00:07,re-ng_fake_instance02_to_test_hostname_truncation_when_too_long.novalocal,192.168.2.100"
    );
}

#[test]
fn only_the_first_address_of_a_hardware_address_has_a_line() {
    // Bug 1124692: dnsmasq would take the last.
    let mut guests = fixed_ips(0);
    guests[1].mac = guests[0].mac;
    guests[2].allocated = false;
    let text = dhcp_hosts(&network(0), &guests, &settings());
    assert_eq!(text, "de:ad:be:ef:00:00,fake_instance00.novalocal,192.168.0.100");
    // One that is not allocated does not count as the first.
    guests[0].allocated = false;
    let text = dhcp_hosts(&network(0), &guests, &settings());
    assert_eq!(text, "de:ad:be:ef:00:00,fake_instance01.novalocal,192.168.1.101");
}

#[test]
fn names_for_the_dns_are_those_of_all_hosts() {
    assert_eq!(
        dns_hosts(&fixed_ips(0), &settings()),
        "192.168.0.100\tfake_instance00.novalocal\n\
         192.168.1.101\tfake_instance01.novalocal\n\
         192.168.0.102\tfake_instance00.novalocal"
    );
    assert_eq!(
        dns_hosts(&fixed_ips(1), &settings()),
        "192.168.1.100\tfake_instance00.novalocal\n\
         192.168.0.101\tfake_instance01.novalocal\n\
         192.168.1.102\tfake_instance01.novalocal"
    );
}

#[test]
fn the_router_goes_to_the_first_interface_or_to_all() {
    assert_eq!(dhcp_options(&network(0), &fixed_ips(0), &single_gateway()), "NW-0,3,192.168.0.1\nNW-3,3\nNW-4,3");
    assert_eq!(dhcp_options(&network(0), &fixed_ips(0), &settings()), "3,192.168.0.1");
    let mut other = fixed_ips(0);
    other.truncate(1);
    other[0].first_interface = false;
    assert_eq!(dhcp_options(&network(0), &other, &single_gateway()), "NW-0,3");
}

/// 67: icehouse wrote the lines that take the router from an interface, and left the others to dnsmasq, whose default is
/// the address that we write.
#[test]
fn the_lines_that_take_the_router_away_are_those_of_icehouse() {
    let text = dhcp_options(&network(0), &fixed_ips(0), &single_gateway());
    let (with, without): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.split(',').count() == 3);
    assert_eq!(without, ["NW-3,3", "NW-4,3"]);
    let default = format!("3,{}", network(0).dhcp_server);
    assert!(with.iter().all(|line| line.ends_with(&default)), "{with:?}");
}

#[test]
fn the_router_of_a_network_with_many_servers_is_the_server_unless_they_share_it() {
    let mut network = network(1);
    network.gateway = Some([192, 168, 1, 254].into());
    assert_eq!(dhcp_options(&network, &fixed_ips(1), &single_gateway()), "NW-2,3,192.168.1.1\nNW-5,3");
    let shared = Settings { share_dhcp_address: true, ..settings() };
    assert_eq!(dhcp_options(&network, &[], &shared), "3,192.168.1.254");
    network.share_address = true;
    assert_eq!(dhcp_options(&network, &[], &settings()), "3,192.168.1.254");
    network.gateway = None;
    assert_eq!(dhcp_options(&network, &[], &settings()), "3");
}

#[test]
fn leases_are_those_that_guests_hold() {
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut guests = fixed_ips(0);
    guests[1].leased = false;
    guests[2].name = None;
    guests[2].allocated = false;
    assert_eq!(
        leases(&network(0), &guests, &settings(), now),
        "1700086400 de:ad:be:ef:00:00 192.168.0.100 fake_instance00 *\n\
         1700086400 de:ad:be:ef:00:04 192.168.0.102 * *"
    );
    // Not allocated any more, but leased, and on this host.
    let lines = leases(&network(1), &fixed_ips(1), &settings(), now);
    let macs: Vec<&str> = lines.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(macs, ["de:ad:be:ef:00:02", "de:ad:be:ef:00:05", "de:ad:be:ef:00:06"]);
}

#[test]
fn a_hostile_name_is_refused_with_the_guest_and_the_field() {
    let guest = FixedIp::new(Ipv4Addr::new(10, 0, 0, 2), mac(1), 1);
    for bad in ["a\nfa:16:3e:00:00:09,10.0.0.9", "a,set:NW-1", "set:x", "-a", "a\0", "na\u{ef}ve", "a b", "a\u{2028}b"]
    {
        let said = guest.clone().named(bad).unwrap_err().to_string();
        let start = "the guest with address 10.0.0.2 and MAC de:ad:be:ef:00:01: the host name `";
        assert!(said.starts_with(start), "{said}");
        assert!(!said.chars().any(|c| c.is_control() || c == '\u{2028}'), "{said:?}");
    }
}

/// Names of all kinds: text without limits, what breaks lines and fields, and good ones.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z0-9:,\\n\\t #\"\\\\._-]{0,12}",
        "[A-Za-z0-9][A-Za-z0-9_.-]{0,80}",
        "(net|set|tag|id):[a-z]{1,4}",
    ]
}

proptest! {
    #[test]
    fn each_guest_has_one_line_and_it_reads_back(
        guests in proptest::collection::vec((name(), any::<[u8; 4]>(), any::<[u8; 6]>(), any::<u64>()), 0..20),
        single in any::<bool>(),
    ) {
        let settings = Settings { use_single_default_gateway: single, ..settings() };
        let mut kept: Vec<FixedIp> = Vec::new();
        for (name, address, mac, interface) in guests {
            let Ok(guest) = FixedIp::new(address.into(), MacAddress(mac), interface).named(&name) else { continue };
            if kept.iter().all(|other| other.mac != guest.mac) {
                kept.push(guest);
            }
        }
        let text = dhcp_hosts(&network(0), &kept, &settings);
        prop_assert!(!text.ends_with('\n'));
        prop_assert_eq!(text.lines().count(), kept.len());
        // As dnsmasq splits: at line breaks of any kind, then at commas.
        let lines = text.split(['\n', '\r', '\0']).filter(|line| !line.is_empty());
        for (line, guest) in lines.zip(&kept) {
            let fields: Vec<&str> = line.split(',').collect();
            prop_assert_eq!(fields.len(), 3 + usize::from(single));
            prop_assert_eq!(fields[0].parse(), Ok(guest.mac));
            prop_assert_eq!(fields[1].strip_suffix(".novalocal"), guest.name.as_ref().map(|name| name.as_str()));
            prop_assert!(fields[1].starts_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert_eq!(fields[2].parse(), Ok(guest.address));
            if single {
                prop_assert_eq!(fields[3], format!("net:NW-{}", guest.interface));
            }
        }
        prop_assert_eq!(dns_hosts(&kept, &settings).lines().count(), kept.len());
    }
}
