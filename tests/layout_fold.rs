//! Sets that folding makes, in the running kernel: the same packets pass before and after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test is a panic"
)]

#[path = "support/lab.rs"]
mod lab;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};

use lab::Lab;
use nftwrap::compile::{NoIpsets, Program};
use nftwrap::kernel::{Kernel, Live};
use nftwrap::layout::native::codegen::{self, Code};
use nftwrap::layout::native::declare::{self, SetKind};
use nftwrap::layout::native::folding::{Folded, fold};
use nftwrap::layout::native::tlv::Tags;
use nftwrap::name::{ChainName, SetName, TableName};
use nftwrap::nft::{BaseChain, Chain, Elements, Family as NftFamily, Policy, Rule as NftRule, Set, Table};
use nftwrap::rule::{Family, Masked, PortRange, Rule};
use nftwrap::transaction::{Batch, Origin};

const ORIGIN: Origin = Origin(0);
const FAMILY: Family = Family::Ipv4;

/// A namespace with one table, whose chain sees what its sockets send.
struct Bench {
    lab: Lab,
    kernel: Live,
    table: TableName,
    chain: ChainName,
}

impl Bench {
    fn new() -> Option<Self> {
        let lab = Lab::new(&["ip"])?;
        lab.run("ip link set lo up");
        let kernel = lab.kernel();
        let (table, chain) = (TableName::new("lab-filter").unwrap(), ChainName::new("OUTPUT").unwrap());
        Some(Self { lab, kernel, table, chain })
    }

    /// Puts a list into the kernel, and says how many sets it has.
    fn load(&mut self, rules: &[Rule], parts: &[Folded]) -> usize {
        let family = NftFamily::Ip;
        let mut batch = Batch::begin(None);
        let table = Table::new(family, self.table.clone());
        // Added first, so that there is something to delete the first time, too.
        batch.add_table(&table, ORIGIN);
        batch.delete_table(family, &self.table, ORIGIN);
        batch.add_table(&table, ORIGIN);
        // `NF_INET_LOCAL_OUT`.
        let (hook, kind) = (3, "filter".into());
        let base = BaseChain { kind, hook, priority: 0, policy: Some(Policy::Accept), devices: Vec::new() };
        let chain = Chain { base: Some(base), ..Chain::new(family, self.table.clone(), self.chain.clone()) };
        batch.add_chain(&chain, ORIGIN);
        let mut sets = 0;
        for part in parts {
            let mut program = Program::default();
            match part {
                Folded::One(at) => {
                    codegen::write(&rules[*at], None, &Code::Plain, FAMILY, &NoIpsets, &mut program).unwrap();
                }
                Folded::Set { rule, fields, ranges, .. } => {
                    sets += 1;
                    let name = SetName::new(&format!("lab/set/{sets}")).unwrap();
                    let interval = ranges.iter().any(|(first, last)| first != last);
                    let size = u32::try_from(ranges.len()).unwrap();
                    let kind = SetKind::Constant { fields, interval, size };
                    let set = declare::declare(&kind, FAMILY, &self.table, &name, false, &Tags::default());
                    batch.add_set(&Set { id: Some(sets), ..set }, ORIGIN);
                    let elements = declare::constants(fields, interval, ranges);
                    let (table, set) = (self.table.clone(), name.clone());
                    batch.add_elements(&Elements { family, table, set, set_id: None, elements }, ORIGIN);
                    let code = Code::Member { set: &name, fields };
                    codegen::write(rule, None, &code, FAMILY, &NoIpsets, &mut program).unwrap();
                }
            }
            let rule = NftRule {
                family,
                table: self.table.clone(),
                chain: self.chain.clone(),
                handle: None,
                position: None,
                expressions: program.expressions,
                compat: None,
                userdata: None,
            };
            batch.add_rule(&rule, ORIGIN);
        }
        self.kernel.commit(&batch.seal().unwrap()).unwrap();
        sets as usize
    }

    /// Which datagrams may leave: to 64 addresses, 16 ports each.
    fn passing(&self) -> Vec<(u8, u16)> {
        let send = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let all = (0..64).flat_map(|host| (1000..1016).map(move |port| (host, port)));
            let passes = |&(host, port): &(u8, u16)| match socket.send_to(b"x", (address(host), port)) {
                Ok(_) => true,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => false,
                // The answer to an earlier datagram, that nobody listens there; this one was not sent.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => panic!("the socket is not connected"),
                Err(error) => panic!("{error}"),
            };
            all.filter(passes).collect()
        };
        self.lab.0.run(send).unwrap()
    }

    /// Loads the list as it is and folded, and compares what passes. Some must pass, some not.
    fn compare(&mut self, rules: &[Rule], sets: usize) {
        let plain: Vec<_> = (0..rules.len()).map(Folded::One).collect();
        assert_eq!(self.load(rules, &plain), 0);
        let before = self.passing();
        assert!(!before.is_empty() && before.len() < 64 * 16);
        let folded = fold(&rules.iter().collect::<Vec<_>>(), FAMILY);
        assert_eq!(self.load(rules, &folded), sets, "{folded:?}");
        assert_eq!(self.passing(), before);
    }
}

fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, host)
}

fn net(host: u8, bits: u32) -> Masked {
    Masked::v4(address(host), Ipv4Addr::from(u32::MAX << bits))
}

fn to(host: u8, bits: u32) -> Rule {
    Rule::new().destination(net(host, bits)).udp()
}

#[test]
fn single_addresses_in_a_hash() {
    let Some(mut bench) = Bench::new() else { return };
    let rules: Vec<_> = [3, 9, 11, 20, 40, 63, 9].map(|host| to(host, 0).discard()).into();
    bench.compare(&rules, 1);
}

#[test]
fn prefixes_that_overlap_and_touch_in_a_tree() {
    let Some(mut bench) = Bench::new() else { return };
    let hosts = (0..12).map(|n| to(n * 5, n as u32 % 4).discard());
    let more = (0..12).map(|n| to(n * 5 + 1, 0).discard());
    bench.compare(&hosts.chain(more).collect::<Vec<_>>(), 1);
}

#[test]
fn ports_and_ranges_of_ports() {
    let Some(mut bench) = Bench::new() else { return };
    let port = |first: u16, more: u16| PortRange::new(1000 + first, 1000 + first + more).unwrap();
    let singles = [1, 4, 5, 9, 12, 14].map(|n| to(7, 0).dport(port(n, 0)).discard());
    bench.compare(&singles, 1);
    let ranges = (0..24).map(|n| to(8, 3).dport(port(n % 13, n % 3)).discard());
    // The last one is left alone, so that there is something to pass.
    bench.compare(&ranges.chain([to(9, 0).accept()]).collect::<Vec<_>>(), 1);
}

#[test]
fn pairs_in_a_hash() {
    let Some(mut bench) = Bench::new() else { return };
    let pair = |n: u8| to(n * 7 % 64, 0).dport(1000 + u16::from(n % 5)).discard();
    bench.compare(&(0..20).map(pair).collect::<Vec<_>>(), 1);
}

#[test]
fn pairs_with_ranges_in_pipapo() {
    let Some(mut bench) = Bench::new() else { return };
    let port = |n: u8| PortRange::new(1000 + u16::from(n % 8), 1003 + u16::from(n % 8)).unwrap();
    let pair = |n: u8| to(n * 2, 1).dport(port(n)).discard();
    bench.compare(&(0..24).map(pair).collect::<Vec<_>>(), 1);
}
