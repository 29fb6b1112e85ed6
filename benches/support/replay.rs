//! Batches that were sent once, sent again: the kernel's own time for the very same bytes.

use std::time::{Duration, Instant};

use nftwrap::netlink::ack::Ack;
use nftwrap::netlink::message::Messages;
use nftwrap::netlink::socket::Socket;
use nftwrap::netlink::transport::Transport;

use super::failure::Failure;

/// `NFNL_MSG_BATCH_BEGIN`, which tells batches from dump requests.
const BATCH_BEGIN: u16 = 0x10;

/// `NFNL_MSG_BATCH_END`, which only batches that are to take effect have: the kernel is asked what it can by others.
const BATCH_END: u16 = 0x11;

/// The batches among what a recorder has seen.
pub(crate) fn batches(sent: Vec<Vec<u8>>) -> impl Iterator<Item = Vec<u8>> {
    sent.into_iter().filter(|datagram| {
        let mut kinds = Messages::new(datagram).map_while(Result::ok).map(|message| message.header.kind);
        // An empty one only waits for the end of another.
        kinds.next() == Some(BATCH_BEGIN) && kinds.next() != Some(BATCH_END) && kinds.last() == Some(BATCH_END)
    })
}

/// Sends one batch; the kernel has run it when the call returns.
pub(crate) fn send(socket: &mut Socket, batch: &[u8]) -> Result<Duration, Failure> {
    let start = Instant::now();
    socket.send(batch)?;
    let took = start.elapsed();
    let mut answer = Vec::new();
    let mut acknowledged = false;
    while socket.receive(&mut answer)? {
        for message in Messages::new(&answer) {
            let message = message.map_err(|error| Failure(error.to_string()))?;
            let Some(ack) = Ack::decode(&message).map_err(|error| Failure(error.to_string()))? else { continue };
            if !ack.is_success() {
                return Err(Failure(format!("the kernel refuses the recorded batch: {ack:?}")));
            }
            acknowledged = true;
        }
    }
    if acknowledged { Ok(took) } else { Err(Failure("the kernel does not answer the recorded batch".into())) }
}
