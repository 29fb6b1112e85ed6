//! The kernel's strings as Rust text, and back, without loss.
//!
//! A name in the kernel is any run of bytes without NUL: `nft_trans_*`, `nla_strdup` and `dev_valid_name` ask for no
//! encoding. Text must be UTF-8, and replacing what is not would give two objects one name. So each byte that is not part
//! of valid UTF-8 becomes one character of a private range, U+10FE80 to U+10FEFF, and becomes that byte again when it is
//! written. A string that already holds a character of that range has each of that character's bytes replaced so; thereby
//! different bytes are always different text.
//!
//! Owns: this mapping.
//! Never: decides what a good name is; that is [`name`](super).
//!
//! Invariant: `to_bytes(from_bytes(b)) == b` for all bytes, and text without characters of the range is its own UTF-8.

use std::borrow::Cow;

/// The character that stands for the byte 0, were it ever replaced; byte `b` is this plus `b`.
const BASE: u32 = 0x10_fe00;
/// The first byte of every character of the range in UTF-8.
const LEAD: u8 = 0xf4;

/// The byte that a character stands for when it is one of the private range.
#[must_use]
pub fn stray(c: char) -> Option<u8> {
    u32::from(c).checked_sub(BASE).and_then(|b| u8::try_from(b).ok()).filter(|b| *b >= 0x80)
}

/// Bytes of the kernel as text.
#[must_use]
pub fn from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if is_plain(text) => Cow::Borrowed(text),
        _ => Cow::Owned(escaped(bytes)),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    let push = |text: &mut String, bytes: &[u8]| {
        text.extend(bytes.iter().filter_map(|b| char::from_u32(BASE + u32::from(*b))));
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match stray(c) {
                Some(_) => push(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes()),
                None => text.push(c),
            }
        }
        push(&mut text, chunk.invalid());
    }
    text
}

/// Text as the bytes that the kernel has.
#[must_use]
#[inline]
pub fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if is_plain(text) { Cow::Borrowed(text.as_bytes()) } else { Cow::Owned(restored(text)) }
}

fn restored(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match stray(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Whether no character of the text can be of the range.
#[inline]
fn is_plain(text: &str) -> bool {
    !text.as_bytes().contains(&LEAD)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test is a panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes in which broken UTF-8 and characters of the range are likely.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<u8>().prop_map(|b| vec![b]),
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            (0x80..=0xffu32).prop_map(|b| char::from_u32(BASE + b).unwrap().to_string().into_bytes()),
            Just(vec![0xf4, 0x8f]),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_byte_is_lost(bytes in bytes()) {
            let text = from_bytes(&bytes);
            prop_assert_eq!(to_bytes(&text).into_owned(), bytes);
        }

        #[test]
        fn usual_text_is_itself(text in "\\PC{0,20}") {
            prop_assume!(!text.chars().any(|c| stray(c).is_some()));
            prop_assert_eq!(from_bytes(text.as_bytes()).into_owned(), text.clone());
            prop_assert_eq!(to_bytes(&text).into_owned(), text.clone().into_bytes());
        }
    }

    #[test]
    fn bytes_that_look_alike_stay_apart() {
        let broken = from_bytes(b"a\xff");
        assert_eq!(broken, "a\u{10feff}");
        // The same character as honest UTF-8 is another name.
        assert_ne!(from_bytes("a\u{10feff}".as_bytes()), broken);
        assert_eq!(stray('\u{10fe7f}'), None);
        assert_eq!(stray('\u{10ff00}'), None);
        assert_eq!(stray('\u{10fe80}'), Some(0x80));
    }
}
