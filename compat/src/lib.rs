//! The iptables front-end of nftwrap.
