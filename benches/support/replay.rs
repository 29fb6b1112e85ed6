//! Batches that were sent once, sent again: the kernel's own time for the very same bytes.

use std::time::{Duration, Instant};

use nftwrap::netlink::ack::Ack;
use nftwrap::netlink::message::Messages;
use nftwrap::netlink::socket::Socket;
use nftwrap::netlink::transport::Transport;

use super::failure::Failure;

/// `NFNL_MSG_BATCH_BEGIN`, which tells batches from dump requests.
const BATCH_BEGIN: u16 = 0x10;

/// The batches among what a recorder has seen.
pub(crate) fn batches(sent: Vec<Vec<u8>>) -> impl Iterator<Item = Vec<u8>> {
    let kind = |datagram: &Vec<u8>| datagram.get(4..6).and_then(|kind| kind.try_into().ok()).map(u16::from_ne_bytes);
    sent.into_iter().filter(move |datagram| kind(datagram) == Some(BATCH_BEGIN))
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
