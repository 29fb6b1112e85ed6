//! Building rules in code: `Rule::new().source(net).tcp().dport(22).accept()`.

use super::matches::{Comment, CtStates, Dccp, Sctp, Tcp, Udp};
use super::{ChainRef, InterfaceMatch, MarkMask, Masked, Match, Not, PortRange, Protocol, Rule, Target};
use crate::name::IpsetName;

/// Ports that may be asked for, negated or not.
type Ports = Option<Not<PortRange>>;

impl Rule {
    /// A rule that matches everything and only counts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `-s`. A source of all addresses is left out; its negation is kept and never matches.
    #[must_use]
    pub fn source(mut self, source: impl Into<Not<Masked>>) -> Self {
        self.source = Some(source.into()).filter(|s| s.negated || !s.value.is_any());
        self
    }

    /// `-d`, as [`source`](Rule::source).
    #[must_use]
    pub fn destination(mut self, destination: impl Into<Not<Masked>>) -> Self {
        self.destination = Some(destination.into()).filter(|d| d.negated || !d.value.is_any());
        self
    }

    /// `-i`. `+` is left out unless negated.
    #[must_use]
    pub fn input(mut self, interface: impl Into<Not<InterfaceMatch>>) -> Self {
        self.input = Some(interface.into()).filter(|i| i.negated || i.value != InterfaceMatch::Any);
        self
    }

    /// `-o`, as [`input`](Rule::input).
    #[must_use]
    pub fn output(mut self, interface: impl Into<Not<InterfaceMatch>>) -> Self {
        self.output = Some(interface.into()).filter(|o| o.negated || o.value != InterfaceMatch::Any);
        self
    }

    /// `-p`. [`Protocol::ALL`] is left out.
    #[must_use]
    pub fn protocol(mut self, protocol: impl Into<Not<Protocol>>) -> Self {
        self.protocol = Some(protocol.into()).filter(|p| p.value != Protocol::ALL);
        self
    }

    /// `-p tcp`.
    #[must_use]
    pub fn tcp(self) -> Self {
        self.protocol(Protocol::TCP)
    }

    /// `-p udp`.
    #[must_use]
    pub fn udp(self) -> Self {
        self.protocol(Protocol::UDP)
    }

    /// `-p icmp`.
    #[must_use]
    pub fn icmp(self) -> Self {
        self.protocol(Protocol::ICMP)
    }

    /// `-p ipv6-icmp`.
    #[must_use]
    pub fn icmpv6(self) -> Self {
        self.protocol(Protocol::ICMPV6)
    }

    /// `-m NAME ...`: adds a match at the end.
    #[must_use]
    pub fn matching(mut self, m: Match) -> Self {
        self.matches.push(m);
        self
    }

    /// `--sport` of the rule's protocol; its match is added if it is not there. Without a protocol that has ports
    /// (TCP, UDP, SCTP, DCCP) the rule is left as it is.
    #[must_use]
    pub fn sport(mut self, ports: impl Into<Not<PortRange>>) -> Self {
        if let Some((sport, _)) = self.ports() {
            *sport = Some(ports.into());
        }
        self
    }

    /// `--dport`, as [`sport`](Rule::sport).
    #[must_use]
    pub fn dport(mut self, ports: impl Into<Not<PortRange>>) -> Self {
        if let Some((_, dport)) = self.ports() {
            *dport = Some(ports.into());
        }
        self
    }

    /// The port fields of the match that belongs to the rule's protocol.
    fn ports(&mut self) -> Option<(&mut Ports, &mut Ports)> {
        let fresh = match self.protocol? {
            Not { negated: false, value: Protocol::TCP } => Match::Tcp(Tcp::default()),
            Not { negated: false, value: Protocol::UDP } => Match::Udp(Udp::default()),
            Not { negated: false, value: Protocol::SCTP } => Match::Sctp(Sctp::default()),
            Not { negated: false, value: Protocol::DCCP } => Match::Dccp(Dccp::default()),
            _ => return None,
        };
        let same = |m: &Match| std::mem::discriminant(m) == std::mem::discriminant(&fresh);
        let at = self.matches.iter().position(same).unwrap_or_else(|| {
            self.matches.push(fresh);
            self.matches.len() - 1
        });
        match self.matches.get_mut(at)? {
            Match::Tcp(Tcp { sport, dport, .. })
            | Match::Udp(Udp { sport, dport })
            | Match::Sctp(Sctp { sport, dport })
            | Match::Dccp(Dccp { sport, dport }) => Some((sport, dport)),
            _ => None,
        }
    }

    /// `-m state --state`.
    #[must_use]
    pub fn state(self, states: impl Into<Not<CtStates>>) -> Self {
        self.matching(Match::State(states.into()))
    }

    /// `-m mark --mark`.
    #[must_use]
    pub fn mark(self, mark: impl Into<Not<MarkMask>>) -> Self {
        self.matching(Match::Mark(mark.into()))
    }

    /// `-m comment`.
    #[must_use]
    pub fn comment(self, comment: Comment) -> Self {
        self.matching(Match::Comment(comment))
    }

    /// `-j`: any target.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// `-j ACCEPT`.
    #[must_use]
    pub fn accept(self) -> Self {
        self.target(Target::Accept)
    }

    /// `-j DROP`. Named so because `drop` would read as releasing the rule.
    #[must_use]
    pub fn discard(self) -> Self {
        self.target(Target::Drop)
    }

    /// `-j RETURN`.
    #[must_use]
    pub fn ret(self) -> Self {
        self.target(Target::Return)
    }

    /// `-j CHAIN`.
    #[must_use]
    pub fn jump(self, chain: ChainRef) -> Self {
        self.target(Target::Jump(chain))
    }

    /// `-g CHAIN`.
    #[must_use]
    pub fn goto(self, chain: ChainRef) -> Self {
        self.target(Target::Goto(chain))
    }

    /// The rule's comment, if it has one.
    #[must_use]
    pub fn comment_text(&self) -> Option<&Comment> {
        self.matches.iter().find_map(|m| match m {
            Match::Comment(c) => Some(c),
            _ => None,
        })
    }

    /// The sets that the rule names, each as often as it does.
    pub fn set_names(&self) -> impl Iterator<Item = &IpsetName> {
        self.matches.iter().filter_map(|m| if let Match::Set(set) = m { Some(&set.name.value) } else { None })
    }

    /// The chain that the rule jumps or goes to.
    #[must_use]
    pub fn chain_ref(&self) -> Option<&ChainRef> {
        match &self.target {
            Some(Target::Jump(chain) | Target::Goto(chain)) => Some(chain),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_is_left_out() {
        let any = Masked::v4([1, 2, 3, 4].into(), [0; 4].into());
        let rule = Rule::new().source(any).input(InterfaceMatch::Any).protocol(Protocol::ALL);
        assert_eq!(rule, Rule::new());
        assert_ne!(Rule::new().source(Not::not(any)), Rule::new());
    }

    #[test]
    fn ports_go_to_the_match_of_the_protocol() {
        let rule = Rule::new().udp().sport(PortRange::single(67)).dport(PortRange::single(68)).accept();
        let ports = |p| Some(Not::is(PortRange::single(p)));
        assert_eq!(rule.matches, [Match::Udp(Udp { sport: ports(67), dport: ports(68) })]);
        assert_eq!(Rule::new().icmp().dport(PortRange::single(1)).matches, []);
    }
}
