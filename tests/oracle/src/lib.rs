//! The same rules through libnftnl: a byte oracle for nftwrap's encoders, and the baseline that the benchmark loads.
//!
//! Owns: the way from nftwrap's values to libnftnl's objects, their bytes, their readable form, and sending them.
//! Never: published, or linked into anything that is: libnftnl is GPL-2.0-or-later.
//!
//! Invariant: what libnftnl 1.2.4 cannot express gives `None`, never something near it.
//!
//! Where the truth is: the manual of libnftnl 1.2.4, the version that iptables-nft 1.8.9 and nft 1.0.6 run on.

pub mod expression;
pub mod load;
pub mod rule;
