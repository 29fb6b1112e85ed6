//! The command line: goldens of nova's tests (nova 2.12, 6.4).

use nftwrap::linux_net::dnsmasq::{Network, Settings, command_line};

use crate::fixture::network;

fn fake() -> Network {
    Network {
        id: "fake".parse().unwrap(),
        label: "fake".parse().unwrap(),
        device: "br100".parse().unwrap(),
        cidr: "10.0.0.0/24".parse().unwrap(),
        dhcp_start: [1, 0, 0, 2].into(),
        dhcp_server: [10, 0, 0, 1].into(),
        ..network(0)
    }
}

fn settings() -> Settings {
    Settings { networks_path: "/n".into(), dhcpbridge: "/bin/nova-dhcpbridge".into(), ..Settings::default() }
}

#[track_caller]
fn check(network: &Network, settings: &Settings, tail: &str) {
    let expected = "env CONFIG_FILE=[\"/etc/nova/nova-dhcpbridge.conf\"] NETWORK_ID=fake dnsmasq --strict-order \
                    --bind-interfaces --conf-file= --pid-file=/n/nova-br100.pid --dhcp-optsfile=/n/nova-br100.opts \
                    --listen-address=10.0.0.1 --except-interface=lo \
                    --dhcp-range=set:fake,1.0.0.2,static,255.255.255.0,86400s --dhcp-lease-max=256 \
                    --dhcp-hostsfile=/n/nova-br100.conf --dhcp-script=/bin/nova-dhcpbridge --no-hosts --leasefile-ro";
    assert_eq!(command_line(network, settings).unwrap().to_string(), format!("{expected}{tail}"));
}

#[test]
fn the_arguments_have_one_order() {
    check(&fake(), &settings(), " --domain=novalocal");
    check(&fake(), &Settings { dhcp_domain: None, ..settings() }, "");
    let many = Network { multi_host: true, ..fake() };
    check(&many, &settings(), " --domain=novalocal --addn-hosts=/n/nova-br100.hosts");
}

#[test]
fn servers_come_last_in_their_order() {
    let servers = vec!["1.1.1.1".parse().unwrap(), "2.2.2.2".parse().unwrap()];
    let settings = Settings { dns_server: servers, ..settings() };
    check(&fake(), &settings, " --domain=novalocal --no-resolv --server=1.1.1.1 --server=2.2.2.2");
    let network = Network { dns: [Some("8.8.4.4".parse().unwrap()), None], ..fake() };
    check(&network, &settings, " --domain=novalocal --no-resolv --server=1.1.1.1 --server=2.2.2.2");
    let also = Settings { use_network_dns_servers: true, ..settings };
    // The servers of a network never become those of another, or stay for the next start.
    for _ in 0..2 {
        check(&network, &also, " --domain=novalocal --no-resolv --server=1.1.1.1 --server=2.2.2.2 --server=8.8.4.4");
        check(&fake(), &also, " --domain=novalocal --no-resolv --server=1.1.1.1 --server=2.2.2.2");
    }
}

#[test]
fn the_servers_of_the_network_stand_alone() {
    let network = Network { dns: [Some("8.8.4.4".parse().unwrap()), None], ..fake() };
    let settings = Settings { use_network_dns_servers: true, ..settings() };
    check(&network, &settings, " --domain=novalocal --no-resolv --server=8.8.4.4");
}

#[test]
fn a_device_or_directory_that_cannot_be_is_refused() {
    let network = Network { device: "../../x".parse().unwrap(), ..fake() };
    let error = command_line(&network, &settings()).unwrap_err();
    assert!(error.to_string().starts_with("the device `../../x` has no files: its name holds '/'"), "{error}");
    let relative = Settings { networks_path: "n".into(), ..settings() };
    assert_eq!(command_line(&fake(), &relative).unwrap_err().to_string(), "n is not an absolute path");
}
