//! Whose device it is: what guards one instance's device ends with that instance, and with nothing else.

use nftwrap::kernel::{Errno, Fake, Kernel};
use nftwrap::layout::Layout;
use nftwrap::nft::Family;
use nftwrap::virt_firewall::instances::{Deferral, DriverError, Instance, Options};
use nftwrap::virt_firewall::{FirewallDriver, NftablesFirewallDriver};

use crate::{fake, id, instance, interface};

/// An instance with that device; the last part of its address is its number.
fn with(name: &str, devices: &[&str]) -> Instance {
    let interface = |device: &&str| {
        let mac = format!("fa:16:3e:00:{:02x}:01", name.parse::<u8>().unwrap());
        interface(device, &mac, &[&format!("10.0.0.0/16 has 10.0.{name}.{}", device.len())])
    };
    instance(name, devices.iter().map(interface).collect(), &[])
}

/// The devices that are held to a hardware address, with the last but one byte of it: the instance's number.
fn guarded(kernel: &Fake) -> Vec<String> {
    let mut kernel = kernel.connect();
    let table = "nova-compute-spoofing".parse().unwrap();
    if !kernel.tables(Family::Bridge).unwrap().iter().any(|other| other.name == table) {
        return Vec::new();
    }
    let elements = kernel.elements(Family::Bridge, &table, &"macs".parse().unwrap()).unwrap();
    let show = |key: &[u8]| {
        let name = String::from_utf8_lossy(&key[..16]).trim_end_matches('\0').to_owned();
        format!("{name} {}", key[20])
    };
    let mut shown: Vec<_> = elements.iter().map(|element| show(element.key.as_deref().unwrap())).collect();
    shown.sort();
    shown
}

/// It is instance 1's, and instance 2 wants it.
#[track_caller]
fn taken(outcome: Result<(), DriverError>) {
    let error = outcome.unwrap_err();
    let DriverError::DeviceTaken { instance, device, other } = &error else { panic!("{error}") };
    assert_eq!((instance, device.as_str(), other), (&id("2"), "tap1", &id("1")));
    let said = error.to_string();
    assert_eq!(said, "instance 2: device tap1 belongs to instance 1; unfilter that one first if it is gone");
}

fn started(instance: &Instance) -> (NftablesFirewallDriver<Fake>, Fake) {
    let (driver, kernel) = fake(Options::nova());
    driver.setup_basic_filtering(instance).unwrap();
    driver.prepare_instance_filter(instance).unwrap();
    (driver, kernel)
}

#[test]
fn a_device_has_one_instance_at_a_time() {
    let (driver, kernel) = started(&with("1", &["tap1"]));
    let before = kernel.to_string();
    // One of several that is taken refuses all.
    let second = with("2", &["tap2", "tap1"]);
    taken(driver.setup_basic_filtering(&second));
    taken(driver.prepare_instance_filter(&second));
    taken(driver.prepare(&second).map(drop));
    assert!(matches!(driver.apply_instance_filter(&id("2")), Err(DriverError::UnknownInstance(_))));
    assert_eq!(kernel.to_string(), before);
    // What was refused has claimed nothing, and whoever never had it cannot end it.
    driver.setup_basic_filtering(&with("3", &["tap2"])).unwrap();
    driver.unfilter_instance(&second).unwrap();
    assert_eq!(guarded(&kernel), ["tap1 1", "tap2 3"]);
    driver.unfilter_instance(&with("1", &["tap1"])).unwrap();
    driver.setup_basic_filtering(&with("2", &["tap1"])).unwrap();
    assert_eq!(guarded(&kernel), ["tap1 2", "tap2 3"]);
    // Its former instance ends again, as an agent does that is not sure.
    driver.unfilter_instance(&with("1", &["tap1"])).unwrap();
    assert_eq!(guarded(&kernel), ["tap1 2", "tap2 3"]);
}

/// Set up and not prepared, prepared and not set up: either makes it the instance's.
#[test]
fn each_step_claims_the_device() {
    let (first, second) = (with("1", &["tap1"]), with("2", &["tap1"]));
    for options in [Options::nova(), Options { anti_spoofing: false, ..Options::nova() }] {
        let (driver, _) = fake(options.clone());
        driver.prepare_instance_filter(&first).unwrap();
        taken(driver.setup_basic_filtering(&second));
        taken(driver.prepare_instance_filter(&second));
        driver.unfilter(&id("1")).unwrap().wait().unwrap();
        driver.prepare_instance_filter(&second).unwrap();
    }
    let (driver, kernel) = fake(Options::nova());
    driver.setup_basic_filtering(&first).unwrap();
    taken(driver.setup_basic_filtering(&second));
    taken(driver.prepare_instance_filter(&second));
    // Its rules are gone without its guard.
    driver.prepare_instance_filter(&first).unwrap();
    driver.unfilter(&id("1")).unwrap().wait().unwrap();
    taken(driver.prepare_instance_filter(&second));
    assert_eq!(guarded(&kernel), ["tap1 1"]);
    // The old one's description is lost: its identifier is enough.
    driver.unfilter_instance(&with("1", &[])).unwrap();
    assert_eq!(guarded(&kernel), Vec::<String>::new());
    driver.setup_basic_filtering(&second).unwrap();
}

/// A device that an instance gives up is another's from then on.
#[test]
fn a_device_goes_from_one_to_another() {
    let (driver, kernel) = started(&with("1", &["tap1", "tap11"]));
    taken(driver.setup_basic_filtering(&with("2", &["tap1"])));
    driver.prepare_instance_filter(&with("1", &["tap11"])).unwrap();
    assert_eq!(guarded(&kernel), ["tap11 1"]);
    driver.setup_basic_filtering(&with("2", &["tap1"])).unwrap();
    driver.prepare_instance_filter(&with("2", &["tap1"])).unwrap();
    // Nor does a change of groups take it back.
    driver.refresh_instance_security_rules(&id("1"), &[]).unwrap();
    driver.unfilter_instance(&with("1", &["tap1", "tap11"])).unwrap();
    assert_eq!(guarded(&kernel), ["tap1 2"]);
}

/// Rebuilt or migrated to the host where it is: the same instance again, with another address.
#[test]
fn an_instance_comes_again_with_its_devices() {
    let (driver, kernel) = started(&with("1", &["tap1"]));
    let rebuilt = Instance { is_vpn: true, ..with("1", &["tap1"]) };
    driver.setup_basic_filtering(&rebuilt).unwrap();
    driver.prepare_instance_filter(&rebuilt).unwrap();
    assert!(driver.instance_filter_exists(&rebuilt).unwrap());
    driver.setup_basic_filtering(&with("1", &["tap1"])).unwrap();
    assert_eq!(guarded(&kernel), ["tap1 1"]);
    // Plugged later, it goes with the others.
    driver.setup_basic_filtering(&with("1", &["tap3"])).unwrap();
    assert_eq!(guarded(&kernel), ["tap1 1", "tap3 1"]);
    driver.unfilter_instance(&with("1", &["tap1"])).unwrap();
    assert_eq!(guarded(&kernel), Vec::<String>::new());
}

/// What the kernel refuses to guard is not claimed; what it refuses to let go stays claimed, and goes when asked again.
#[test]
fn a_refusal_leaves_a_device_where_it_was() {
    let kernel = Fake::new();
    let refuse = |times| {
        let (mut bridge, mut count) = (kernel.connect(), 0);
        bridge.before_commit(move |fake| {
            count += 1;
            if count == times {
                fake.fail_next(1, Errno::NOMEM);
            }
        });
        crate::driver(kernel.connect(), bridge, Layout::Iptables, Options::nova())
    };
    let driver = refuse(1);
    assert!(matches!(driver.setup_basic_filtering(&with("1", &["tap1"])), Err(DriverError::Spoofing(_))));
    driver.setup_basic_filtering(&with("2", &["tap1"])).unwrap();
    driver.unfilter_instance(&with("2", &[])).unwrap();
    driver.stop();
    let driver = refuse(2);
    driver.setup_basic_filtering(&with("1", &["tap1"])).unwrap();
    driver.prepare_instance_filter(&with("1", &["tap1"])).unwrap();
    assert!(matches!(driver.unfilter_instance(&with("1", &["tap1"])), Err(DriverError::Spoofing(_))));
    taken(driver.setup_basic_filtering(&with("2", &["tap1"])));
    assert_eq!(guarded(&kernel), ["tap1 1"]);
    driver.unfilter_instance(&with("1", &[])).unwrap();
    driver.setup_basic_filtering(&with("2", &["tap1"])).unwrap();
}

/// The rules of an instance are refused, and stay wanted: so does its device.
#[test]
fn an_instance_whose_rules_are_refused_keeps_its_device() {
    let kernel = Fake::new();
    let mut rules = kernel.connect();
    rules.fail_next(1, Errno::NOMEM);
    let driver = crate::driver(rules, kernel.connect(), Layout::Iptables, Options::nova());
    driver.setup_basic_filtering(&with("1", &["tap1"])).unwrap();
    assert!(driver.prepare_instance_filter(&with("1", &["tap1"])).is_err());
    taken(driver.setup_basic_filtering(&with("2", &["tap1"])));
    driver.unfilter_instance(&with("1", &["tap1"])).unwrap();
    driver.setup_basic_filtering(&with("2", &["tap1"])).unwrap();
    assert_eq!(guarded(&kernel), ["tap1 2"]);
}

/// A new process knows no owner: who comes first has what stands, and who ends first ends its own.
#[test]
fn a_new_process_learns_who_has_what() {
    let (driver, kernel) = started(&with("1", &["tap1", "tap11"]));
    driver.stop();
    let driver = crate::driver(kernel.connect(), kernel.connect(), Layout::Iptables, Options::nova());
    driver.setup_basic_filtering(&with("1", &["tap1"])).unwrap();
    taken(driver.setup_basic_filtering(&with("2", &["tap1"])));
    driver.unfilter_instance(&with("2", &["tap1"])).unwrap();
    assert_eq!(guarded(&kernel), ["tap1 1", "tap11 1"]);
    // Of one that never came in this process.
    driver.unfilter_instance(&with("9", &["tap11"])).unwrap();
    assert_eq!(guarded(&kernel), ["tap1 1"]);
}

/// During a deferral, too; and many at once: one has it, the others are told.
#[test]
fn of_many_one_has_the_device() {
    let (driver, kernel) = started(&with("1", &["tap1"]));
    let deferral = Deferral::begin(&driver);
    taken(driver.prepare_instance_filter(&with("2", &["tap1"])));
    driver.unfilter_instance(&with("1", &["tap1"])).unwrap();
    driver.prepare_instance_filter(&with("2", &["tap1"])).unwrap();
    deferral.finish().unwrap();
    driver.unfilter_instance(&with("2", &["tap1"])).unwrap();
    let driver = &driver;
    let won: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8)
            .map(|number: u8| {
                scope.spawn(move || {
                    let one = with(&number.to_string(), &["tap1"]);
                    let won = driver.setup_basic_filtering(&one).is_ok();
                    let prepared = driver.prepare_instance_filter(&one).is_ok();
                    assert!(!won || prepared, "who set it up can prepare it");
                    won.then_some(number)
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    let Some(winner) = won.first() else { return assert_eq!(guarded(&kernel), Vec::<String>::new()) };
    assert_eq!(won.len(), 1);
    assert_eq!(guarded(&kernel), [format!("tap1 {winner}")]);
}
