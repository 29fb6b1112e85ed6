//! Why things are as they are: pages without code.

pub mod parity;
