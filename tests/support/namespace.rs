//! Network namespaces for tests: each test makes its own, and the host's is never touched.
//!
//! A test that needs one and may not make it prints a skip and ends. With `NFTWRAP_REQUIRE_KERNEL=1` in the environment,
//! as in continuous integration, it fails instead.

use nftwrap::kernel::Live;
use nftwrap::netlink::namespace::Namespace;

/// A new namespace, or `None` after printing that the test is skipped.
pub(crate) fn fresh(test: &str) -> Option<Namespace> {
    match Namespace::fresh() {
        Ok(namespace) => Some(namespace),
        Err(error) => {
            let required = std::env::var_os("NFTWRAP_REQUIRE_KERNEL").is_some_and(|value| value == "1");
            assert!(!required, "{test}: {error}, and NFTWRAP_REQUIRE_KERNEL=1 wants the kernel");
            println!("skip {test}: {error}");
            None
        }
    }
}

/// nf_tables of a new namespace, or `None` after printing that the test is skipped.
pub(crate) fn live(test: &str) -> Option<Live> {
    let namespace = fresh(test)?;
    Some(Live::open_in(&namespace).unwrap())
}
