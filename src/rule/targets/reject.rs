//! `-j REJECT`.

/// How the sender is told, by the words of `--reject-with`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the words of iptables; the numbers are the kernel's, noted at `code4` and `code6`")]
pub enum Reject {
    /// The family's default: port unreachable.
    PortUnreachable,
    /// `tcp-reset`.
    TcpReset,
    NetUnreachable,
    HostUnreachable,
    ProtoUnreachable,
    NetProhibited,
    HostProhibited,
    AdminProhibited,
    /// IPv6 `icmp6-no-route`.
    NoRoute,
    /// IPv6 `icmp6-adm-prohibited`.
    AdmProhibited6,
    /// IPv6 `icmp6-addr-unreachable`.
    AddrUnreachable,
    /// IPv6 `icmp6-policy-fail`.
    PolicyFail,
    /// IPv6 `icmp6-reject-route`.
    RejectRoute,
}

impl Reject {
    /// The number in IPv4's `ipt_reject_info`, or `None` for an answer that only IPv6 has.
    #[must_use]
    pub fn code4(self) -> Option<u32> {
        Some(match self {
            Self::NetUnreachable => 0,
            Self::HostUnreachable => 1,
            Self::ProtoUnreachable => 2,
            Self::PortUnreachable => 3,
            Self::NetProhibited => 5,
            Self::HostProhibited => 6,
            Self::TcpReset => 7,
            Self::AdminProhibited => 8,
            _ => return None,
        })
    }

    /// The number in IPv6's `ip6t_reject_info`, or `None` for an answer that only IPv4 has.
    #[must_use]
    pub fn code6(self) -> Option<u32> {
        Some(match self {
            Self::NoRoute => 0,
            Self::AdmProhibited6 => 1,
            Self::AddrUnreachable => 3,
            Self::PortUnreachable => 4,
            Self::TcpReset => 6,
            Self::PolicyFail => 7,
            Self::RejectRoute => 8,
            _ => return None,
        })
    }
}
