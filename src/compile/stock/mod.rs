//! The encoding that iptables-nft 1.8.9 writes, so that its tools read our tables and we theirs.
