//! The host's side of networks: what nova-network did with commands, as calls.

pub mod announce;
