//! Why things are as they are: pages without code.
//!
//! - [`pipeline`]: one rule from its text to the bytes and back, with the functions that do it. Start here.
//! - [`transaction`]: one send, one acknowledgement, the order of operations, and the limits.
//! - [`generations`]: what is remembered of the kernel, and what happens when somebody else changes it.
//! - [`ownership`]: whose a chain or rule is, and what we may do to it.
//! - [`byte_order`]: which bytes are in whose order.
//! - [`kernel_support`]: what is asked of the kernel, and which privilege it takes.
//! - [`parity`]: where we differ from the programs whose behaviour we took over.
//! - [`nova_network`]: the functions of nova's network code and what its tests check, and where both are here.
//! - [`native_layout`]: tables of our own, dispatch in two steps, shared bodies, sets and families.
//! - [`not_yet`]: where this version does less than its design, or does it in another way.

pub mod byte_order;
pub mod generations;
pub mod kernel_support;
pub mod native_layout;
pub mod not_yet;
pub mod nova_network;
pub mod ownership;
pub mod parity;
pub mod pipeline;
pub mod transaction;
