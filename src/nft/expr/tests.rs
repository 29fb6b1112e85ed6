//! What holds for every expression alike.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::name::ChainName;
use crate::netlink::attr::{NLA_F_NESTED, align};
use crate::nft::Family;

mod random;
mod samples;

fn encoded(expr: &Expr) -> Vec<u8> {
    // Not zero, so that a byte nobody wrote would be seen.
    let mut buf = vec![0xa5; 16];
    let mut w = Writer::new(&mut buf);
    expr.encode(&mut w);
    w.finish().unwrap();
    assert_eq!(buf[..16], [0xa5; 16]);
    buf.split_off(16)
}

fn decoded(bytes: &[u8]) -> Result<Expr, AttrError> {
    Expr::decode(Reader::new(bytes))
}

/// An expression of the given name and data.
fn raw(name: &str, data: &[u8]) -> Vec<u8> {
    encoded(&Unknown { name: name.into(), data: Some(data.into()) }.into())
}

fn data_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let attr = Reader::new(bytes).map(Result::unwrap).find(|a| a.kind == NFTA_EXPR_DATA)?;
    Some(attr.payload.to_vec())
}

#[test]
fn every_expression_has_a_sample() {
    let sampled: BTreeSet<_> = samples::all().iter().filter(|e| !matches!(e, Expr::Unknown(_))).map(name_of).collect();
    let known: BTreeSet<_> = Expr::NAMES.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(sampled, known);
    assert!(samples::all().iter().any(|e| matches!(e, Expr::Unknown(_))));
}

fn name_of(expr: &Expr) -> String {
    expr.name().to_owned()
}

#[test]
fn decoding_what_was_encoded_gives_the_same() {
    for expr in samples::all() {
        assert_eq!(expr.clone().normalized(), expr, "the samples are in normal form");
        assert_eq!(decoded(&encoded(&expr)), Ok(expr.clone()), "{expr:?}");
    }
}

#[test]
fn lists_keep_their_order() {
    let list = samples::all();
    let mut buf = Vec::new();
    let mut w = Writer::new(&mut buf);
    encode_list(&list, &mut w);
    w.finish().unwrap();
    assert_eq!(decode_list(Reader::new(&buf)), Ok(list));
}

#[test]
fn every_truncation_is_an_error_or_kept_as_it_is() {
    for expr in samples::all() {
        let bytes = encoded(&expr);
        for cut in 0..bytes.len() {
            // The end of a list may lie between two attributes; then nothing may be made up for what is gone.
            if let Ok(short) = decoded(&bytes[..cut])
                && !matches!(short, Expr::Unknown(_))
            {
                let again = encoded(&short);
                assert!(bytes.starts_with(&again[..cut.min(again.len())]), "{expr:?} cut at {cut}: {short:?}");
            }
        }
        let Some(data) = data_of(&bytes) else { continue };
        for cut in 0..data.len() {
            let short = raw(expr.name(), &data[..cut]);
            // Padding of the last attribute, or optional attributes, may go; the rest may not change.
            match decoded(&short) {
                Err(AttrError::Truncated { .. } | AttrError::BadLength { .. }) => {}
                Err(other) => panic!("{expr:?} cut at {cut}: {other}"),
                Ok(Expr::Unknown(kept)) => assert!(kept.data.unwrap().starts_with(&data[..cut])),
                Ok(known) => assert_eq!(known.name(), expr.name()),
            }
        }
    }
}

#[test]
fn an_attribute_that_is_not_known_keeps_the_expression_byte_for_byte() {
    for expr in samples::all() {
        let mut data = data_of(&encoded(&expr)).unwrap_or_default();
        data.extend_from_slice(&[8, 0, 200, 0, 1, 2, 3, 4]);
        let bytes = raw(expr.name(), &data);
        let kept = decoded(&bytes).unwrap();
        assert!(matches!(&kept, Expr::Unknown(u) if u.data.as_deref() == Some(&data[..])), "{kept:?}");
        assert_eq!(encoded(&kept), bytes);
    }
}

#[test]
fn an_attribute_that_stands_twice_keeps_the_expression_byte_for_byte() {
    for expr in samples::all() {
        let Some(data) = data_of(&encoded(&expr)).filter(|d| !d.is_empty()) else { continue };
        let first = align(usize::from(u16::from_ne_bytes([data[0], data[1]])));
        let twice = [&data[..], &data[..first]].concat();
        assert!(matches!(decoded(&raw(expr.name(), &twice)), Ok(Expr::Unknown(_))), "{expr:?}");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for expr in samples::all() {
        let mut bytes = encoded(&expr);
        bytes.extend_from_slice(&[0, 0]);
        assert!(matches!(decoded(&bytes), Err(AttrError::Truncated { .. })), "{expr:?}");
        let Some(mut data) = data_of(&encoded(&expr)) else { continue };
        data.extend_from_slice(&[1, 0, 0]);
        if !matches!(expr, Expr::Unknown(_)) {
            // `raw` pads, so that the three bytes become a header with an impossible length.
            assert!(matches!(decoded(&raw(expr.name(), &data)), Err(AttrError::BadLength { .. })), "{expr:?}");
        }
    }
}

#[test]
fn an_expression_needs_a_name_and_has_nothing_beside_its_data() {
    assert!(matches!(decoded(&[]), Err(AttrError::Missing { .. })));
    let mut bytes = encoded(&Counter::default().into());
    bytes.extend_from_slice(&[4, 0, 3, 0]);
    assert_eq!(decoded(&bytes), Err(AttrError::Unexpected { kind: 3 }));
    let list = [4, 0, 2, 0];
    assert_eq!(decode_list(Reader::new(&list)), Err(AttrError::Unexpected { kind: 2 }));
}

#[test]
fn the_kernel_leaves_out_the_nested_bit_and_may_pad() {
    let mut bytes = encoded(&Counter { packets: 3, bytes: 4 }.into());
    let at = bytes.windows(2).position(|w| w == (NFTA_EXPR_DATA | NLA_F_NESTED).to_ne_bytes()).unwrap();
    bytes[at..at + 2].copy_from_slice(&NFTA_EXPR_DATA.to_ne_bytes());
    assert_eq!(decoded(&bytes), Ok(Counter { packets: 3, bytes: 4 }.into()));
    let data = data_of(&bytes).unwrap();
    let padded = [&[4, 0, 3, 0][..], &data].concat();
    assert_eq!(decoded(&raw("counter", &padded)), Ok(Counter { packets: 3, bytes: 4 }.into()));
}

proptest! {
    #[test]
    fn any_expression_survives_a_round_trip(expr in random::expression()) {
        let normal = expr.clone().normalized();
        prop_assert_eq!(normal.clone().normalized(), normal.clone());
        prop_assert_eq!(decoded(&encoded(&expr)), Ok(normal.clone()));
        prop_assert_eq!(decoded(&encoded(&normal)), Ok(normal));
    }

    #[test]
    fn no_bytes_make_decoding_panic(name in proptest::sample::select(Expr::NAMES), data in vec(any::<u8>(), 0..80)) {
        if let Ok(kept) = decoded(&raw(name, &data)) {
            let again = decoded(&encoded(&kept));
            prop_assert_eq!(again, Ok(kept));
        }
    }

    #[test]
    fn a_flipped_byte_is_an_error_or_survives_a_round_trip(
        expr in random::expression(), at in any::<prop::sample::Index>(), flip in 1u8..,
    ) {
        let mut bytes = encoded(&expr);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(kept) = decoded(&bytes) {
            prop_assert_eq!(decoded(&encoded(&kept)), Ok(kept));
        }
    }
}
