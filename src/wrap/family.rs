//! Which family a rule belongs to.
//!
//! Owns: the list of rule parts that only one family has.
//! Never: guesses from a protocol number: `-p icmp` is a number that both families take.
//!
//! Where the truth is: the `family` fields of the xt matches and targets (`net/netfilter`, `net/ipv4/netfilter`,
//! `net/ipv6/netfilter`, Linux v6.12).

use std::net::IpAddr;

use super::error::ModelError;
use crate::rule::targets::Reject;
use crate::rule::{Family, Match, Rule, Target};

/// The family that the rule is bound to and the part that binds it, or `None` when it can stand in both.
pub(super) fn binding(rule: &Rule) -> Result<Option<(Family, &'static str)>, ModelError> {
    let mut bound = Bound(None);
    if let Some(source) = &rule.source {
        bound.bind(source.value.family(), "source")?;
    }
    if let Some(destination) = &rule.destination {
        bound.bind(destination.value.family(), "destination")?;
    }
    if rule.fragment.is_some() {
        bound.bind(Family::Ipv4, "fragment match")?;
    }
    for m in &rule.matches {
        match m {
            Match::Icmp(_) => bound.bind(Family::Ipv4, "icmp match")?,
            Match::Ttl(_) => bound.bind(Family::Ipv4, "ttl match")?,
            Match::Icmp6(_) => bound.bind(Family::Ipv6, "icmp6 match")?,
            Match::Hl(_) => bound.bind(Family::Ipv6, "hl match")?,
            Match::Iprange(range) => {
                for (first, _) in [&range.source, &range.destination].into_iter().flatten().map(|r| r.value) {
                    bound.bind_address(first, "address range")?;
                }
            }
            Match::Conntrack(ct) => {
                let addresses =
                    [&ct.original_source, &ct.original_destination, &ct.reply_source, &ct.reply_destination];
                for address in addresses.into_iter().flatten() {
                    bound.bind(address.value.family(), "conntrack address")?;
                }
            }
            _ => {}
        }
    }
    match &rule.target {
        Some(Target::Dnat(nat) | Target::Snat(nat)) => {
            if let Some((first, _)) = nat.addresses {
                bound.bind_address(first, "new address")?;
            }
        }
        Some(Target::Reject(reject)) => bound.bind_reject(*reject)?,
        _ => {}
    }
    Ok(bound.0)
}

/// The binding found so far.
struct Bound(Option<(Family, &'static str)>);

impl Bound {
    fn bind(&mut self, family: Family, part: &'static str) -> Result<(), ModelError> {
        match self.0 {
            Some((Family::Ipv4, first)) if family == Family::Ipv6 => {
                Err(ModelError::MixedFamilies { first, second: part })
            }
            Some((Family::Ipv6, second)) if family == Family::Ipv4 => {
                Err(ModelError::MixedFamilies { first: part, second })
            }
            Some(_) => Ok(()),
            None => {
                self.0 = Some((family, part));
                Ok(())
            }
        }
    }

    fn bind_address(&mut self, address: IpAddr, part: &'static str) -> Result<(), ModelError> {
        self.bind(Family::of(address), part)
    }

    fn bind_reject(&mut self, reject: Reject) -> Result<(), ModelError> {
        match (reject.code4(), reject.code6()) {
            (Some(_), None) => self.bind(Family::Ipv4, "reject answer"),
            (None, Some(_)) => self.bind(Family::Ipv6, "reject answer"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Masked;

    fn host(text: &str) -> Masked {
        Masked::host(text.parse().unwrap())
    }

    #[test]
    fn addresses_and_answers_bind() {
        assert_eq!(binding(&Rule::new().tcp().accept()).unwrap(), None);
        assert_eq!(binding(&Rule::new().icmp().accept()).unwrap(), None);
        let v4 = Rule::new().source(host("10.0.0.1")).accept();
        assert_eq!(binding(&v4).unwrap(), Some((Family::Ipv4, "source")));
        let v6 = Rule::new().target(Target::Reject(Reject::NoRoute));
        assert_eq!(binding(&v6).unwrap(), Some((Family::Ipv6, "reject answer")));
        let both = Rule::new().target(Target::Reject(Reject::TcpReset));
        assert_eq!(binding(&both).unwrap(), None);
    }

    #[test]
    fn a_rule_cannot_be_of_both() {
        let mixed = Rule::new().source(host("fe80::1")).destination(host("10.0.0.1"));
        let error = binding(&mixed).unwrap_err();
        assert_eq!(error.to_string(), "the rule's destination is IPv4 only and its source is IPv6 only");
    }
}
