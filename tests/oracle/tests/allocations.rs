//! Encoding into a buffer that is large enough touches the heap not once.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use nftwrap::name::ChainName;
use nftwrap::netlink::attr::Writer;
use nftwrap::nft::Family;
use nftwrap::nft::expr::*;

#[path = "../../../src/nft/expr/tests/samples.rs"]
mod samples;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the ones that this asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`; the block came from the same allocator.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as in `dealloc`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn encoding_allocates_nothing() {
    let expressions = samples::all();
    let mut buf = Vec::with_capacity(1 << 20);
    let before = ALLOCATIONS.get();
    let mut w = Writer::new(&mut buf);
    encode_list(&expressions, &mut w);
    w.finish().unwrap();
    assert_eq!(ALLOCATIONS.get(), before);
    assert!(buf.len() > expressions.len() * 20);
}
