//! Layer 0: netlink messages and attributes of any family, and the socket that carries them.
//!
//! Owns: message headers, attributes, acknowledgements, dumps, the [`Transport`](transport) that sends bytes, and the
//! [families](family) of addresses.
//! Never: knows an nf_tables or iptables word.

pub mod ack;
pub mod attr;
pub mod errno;
pub mod family;
pub mod header;
pub mod ipset;
pub mod message;
pub mod namespace;
pub mod packet;
pub mod request;
pub mod socket;
pub mod tap;
pub mod transport;
