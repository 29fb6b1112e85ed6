//! `nftnl-load INSTANCES [--one-datagram]`: loads a nova-compute host through the crates nftnl and mnl, as a baseline of
//! `cargo bench --bench apply`. The filter table only, in native expressions: these crates have no xt matches.
//!
//! Without the option it sends as the crates do: libnftnl collects messages in pages of 128 KiB and `mnl` sends a
//! datagram a page. The kernel takes a transaction from one datagram only, so a host of more than one page is not loaded,
//! although the messages of the first page are acknowledged. With the option the same pages go in one datagram, through
//! the socket of nftwrap: what libnftnl costs when it is sent right.
//!
//! Prints the microseconds from the first object to the end of sending, then what the kernel has. Exit code 3: it does
//! not have the rules.

use std::error::Error;
use std::ffi::CString;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Instant;

use nftnl::expr::States;
use nftnl::{Batch, Chain, ChainType, FinalizedBatch, Hook, MsgType, Policy, ProtoFamily, Rule, Table, nft_expr};
use nftwrap::kernel::{Kernel, Live};
use nftwrap::netlink::socket::Socket;
use nftwrap::netlink::transport::Transport;
use nftwrap::nft::Family;

#[path = "../../../../benches/support/nova.rs"]
#[allow(dead_code, reason = "the texts are for the other candidates")]
mod nova;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(error) => {
            eprintln!("nftnl-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let mut instances = None;
    let mut one_datagram = false;
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--one-datagram" => one_datagram = true,
            number => instances = Some(number.parse()?),
        }
    }
    let instances: u32 = instances.ok_or("usage: nftnl-load INSTANCES [--one-datagram]")?;

    let start = Instant::now();
    let (batch, rules) = build(instances)?;
    let pages = batch.iter().count();
    let sent = if one_datagram { send_at_once(&batch) } else { send_pages(&batch) };
    let took = start.elapsed();

    let found = Live::open()?.rules(Family::Ip, &"filter".parse()?, None)?.len();
    println!("{}", took.as_micros());
    let sent = sent.map_or_else(|error| format!("sending ends with \"{error}\""), |()| "sent without an error".into());
    println!("{pages} pages {sent}; {found} of {rules} rules are in the kernel");
    Ok(found == rules)
}

/// The example of the crate: every page a datagram, then an answer for each message.
fn send_pages(batch: &FinalizedBatch) -> Result<(), Box<dyn Error>> {
    let socket = mnl::Socket::new(mnl::Bus::Netfilter)?;
    socket.send_all(batch)?;
    let mut buffer = vec![0; nftnl::nft_nlmsg_maxsize() as usize];
    let mut expected = batch.sequence_numbers();
    while !expected.is_empty() {
        for message in socket.recv(&mut buffer)? {
            let seq = expected.next().ok_or("more answers than messages")?;
            mnl::cb_run(message?, seq, socket.portid())?;
        }
    }
    Ok(())
}

/// The answers are not read: libnftnl's crate asks for one of each message, more than a receive buffer holds. Counting
/// the rules tells what became of them.
fn send_at_once(batch: &FinalizedBatch) -> Result<(), Box<dyn Error>> {
    let datagram: Vec<u8> = batch.iter().flatten().copied().collect();
    Ok(Socket::open()?.send(&datagram)?)
}

fn build(instances: u32) -> Result<(FinalizedBatch, usize), Box<dyn Error>> {
    let mut batch = Batch::new();
    let mut rules = 0;
    let table = Table::new(c"filter", ProtoFamily::Ipv4);
    batch.add(&table, MsgType::Add);
    let chain = |name: &str| -> Result<Chain<'_>, Box<dyn Error>> { Ok(Chain::new(CString::new(name)?, &table)) };
    let wrapped = |name: &str| CString::new(format!("{}-{name}", nova::WRAP));
    let mut add = |batch: &mut Batch, rule: &Rule<'_>| {
        batch.add(rule, MsgType::Add);
        rules += 1;
    };

    let top = chain("nova-filter-top")?;
    let local = chain("nova-compute-local")?;
    let provider = chain("nova-compute-provider")?;
    let fallback = chain("nova-compute-sg-fallback")?;
    for chain in [&top, &local, &provider, &fallback] {
        batch.add(chain, MsgType::Add);
    }
    for (name, hook) in [("INPUT", Hook::In), ("FORWARD", Hook::Forward), ("OUTPUT", Hook::Out)] {
        let mut base = chain(name)?;
        base.set_type(ChainType::Filter);
        base.set_hook(hook, 0);
        base.set_policy(Policy::Accept);
        batch.add(&base, MsgType::Add);
        let own = chain(&format!("nova-compute-{name}"))?;
        batch.add(&own, MsgType::Add);
        if hook != Hook::In {
            add(&mut batch, &jump(Rule::new(&base), c"nova-filter-top".into()));
        }
        add(&mut batch, &jump(Rule::new(&base), wrapped(name)?));
    }
    add(&mut batch, &jump(Rule::new(&top), wrapped("local")?));
    add(&mut batch, &drop_rest(Rule::new(&fallback)));

    for instance in 1..=instances {
        let name = format!("inst-{instance}");
        let guest = chain(&format!("nova-compute-{name}"))?;
        batch.add(&guest, MsgType::Add);
        for rule in guest_rules(&guest, instance, &wrapped)? {
            add(&mut batch, &rule);
        }
        let mut to_guest = Rule::new(&local);
        to_guest.add_expr(&nft_expr!(payload ipv4 daddr));
        to_guest.add_expr(&nft_expr!(cmp == nova::address_v4(instance)));
        add(&mut batch, &jump(to_guest, wrapped(&name)?));
    }
    Ok((batch.finalize(), rules))
}

/// The ten rules of a guest, as `nova.rs` states them.
fn guest_rules<'a, E: Error + 'static>(
    chain: &'a Chain<'a>,
    instance: u32,
    wrapped: &impl Fn(&str) -> Result<CString, E>,
) -> Result<[Rule<'a>; nova::RULES_PER_INSTANCE], Box<dyn Error>> {
    let rule = || Rule::new(chain);
    let group = nova::group(instance);
    let port = u16::try_from(5000 + group)?;
    let group_network = Ipv4Addr::new(172, 20, u8::try_from(group)?, 0);
    let dhcp = ports(from(rule(), Ipv4Addr::new(10, 16, 0, 1), Ipv4Addr::BROADCAST), UDP, Some(67), 68..=68);
    Ok([
        drop_rest(state(rule(), States::INVALID)),
        accept(state(rule(), States::ESTABLISHED | States::RELATED)),
        jump(rule(), wrapped("provider")?),
        accept(dhcp),
        accept(from(rule(), Ipv4Addr::new(10, 16, 0, 0), Ipv4Addr::new(255, 240, 0, 0))),
        accept(ports(rule(), TCP, None, 22..=22)),
        accept(ports(
            from(rule(), Ipv4Addr::new(192, 168, 0, 0), Ipv4Addr::new(255, 255, 0, 0)),
            TCP,
            None,
            8000..=8100,
        )),
        accept(protocol(rule(), ICMP)),
        accept(ports(from(rule(), group_network, Ipv4Addr::new(255, 255, 255, 0)), TCP, None, port..=port)),
        jump(rule(), wrapped("sg-fallback")?),
    ])
}

fn state<'a>(mut rule: Rule<'a>, states: States) -> Rule<'a> {
    rule.add_expr(&nft_expr!(ct state));
    rule.add_expr(&nft_expr!(bitwise mask states.bits(), xor 0u32));
    rule.add_expr(&nft_expr!(cmp != 0u32));
    rule
}

fn from(mut rule: Rule<'_>, network: Ipv4Addr, mask: Ipv4Addr) -> Rule<'_> {
    rule.add_expr(&nft_expr!(payload ipv4 saddr));
    if mask != Ipv4Addr::BROADCAST {
        rule.add_expr(&nft_expr!(bitwise mask mask, xor 0u32));
    }
    rule.add_expr(&nft_expr!(cmp == network));
    rule
}

fn protocol(mut rule: Rule<'_>, protocol: u8) -> Rule<'_> {
    rule.add_expr(&nft_expr!(meta l4proto));
    rule.add_expr(&nft_expr!(cmp == protocol));
    rule
}

/// TCP and UDP have their ports at the same place.
fn ports(rule: Rule<'_>, number: u8, source: Option<u16>, to: std::ops::RangeInclusive<u16>) -> Rule<'_> {
    let mut rule = protocol(rule, number);
    if let Some(port) = source {
        rule.add_expr(&nft_expr!(payload udp sport));
        rule.add_expr(&nft_expr!(cmp == port.to_be()));
    }
    rule.add_expr(&nft_expr!(payload tcp dport));
    if to.start() == to.end() {
        rule.add_expr(&nft_expr!(cmp == to.start().to_be()));
    } else {
        rule.add_expr(&nft_expr!(cmp >= to.start().to_be()));
        rule.add_expr(&nft_expr!(cmp <= to.end().to_be()));
    }
    rule
}

fn accept(mut rule: Rule<'_>) -> Rule<'_> {
    rule.add_expr(&nft_expr!(counter));
    rule.add_expr(&nft_expr!(verdict accept));
    rule
}

fn drop_rest(mut rule: Rule<'_>) -> Rule<'_> {
    rule.add_expr(&nft_expr!(counter));
    rule.add_expr(&nft_expr!(verdict drop));
    rule
}

fn jump(mut rule: Rule<'_>, chain: CString) -> Rule<'_> {
    rule.add_expr(&nft_expr!(counter));
    rule.add_expr(&nft_expr!(verdict jump chain));
    rule
}
