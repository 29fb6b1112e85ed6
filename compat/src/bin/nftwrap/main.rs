//! The nftwrap command.
fn main() {}
