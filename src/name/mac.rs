//! Hardware addresses of Ethernet devices.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Text that is no hardware address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no hardware address: six pairs of hexadecimal digits with colons between them")]
pub struct MacAddressError {
    text: String,
}

impl MacAddressError {
    fn new(text: &str) -> Self {
        Self { text: text.chars().take(64).flat_map(char::escape_debug).collect() }
    }
}

/// A hardware address of six bytes. It prints in small letters, whatever it was parsed from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Reads any of the notations in use: pairs of digits after colons or hyphens, where a leading zero may be missing, and
    /// twelve digits with or without marks among them (`ffff-ff0f-ffff`, `ffff.ff0f.ffff`).
    ///
    /// # Errors
    /// [`MacAddressError`] when it is none of them.
    pub fn in_any_notation(text: &str) -> Result<Self, MacAddressError> {
        let pairs: Vec<&str> = text.split([':', '-']).collect();
        let digits: String = match *pairs {
            [_, _, _, _, _, _] => {
                pairs.iter().filter(|pair| matches!(pair.len(), 1 | 2)).map(|p| format!("{p:0>2}")).collect()
            }
            _ => text.chars().filter(|mark| !matches!(mark, ':' | '-' | '.')).collect(),
        };
        let is_whole = digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u64::from_str_radix(&digits, 16).ok().filter(|_| is_whole);
        let octets = number.and_then(|number| number.to_be_bytes().last_chunk().copied());
        octets.map(Self).ok_or_else(|| MacAddressError::new(text))
    }

    /// The bytes, in the order in which they are sent.
    #[must_use]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<[u8; 6]> for MacAddress {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl FromStr for MacAddress {
    type Err = MacAddressError;

    fn from_str(text: &str) -> Result<Self, MacAddressError> {
        let parse = || {
            let mut octets = [0; 6];
            let mut pairs = text.split(':');
            for octet in &mut octets {
                let pair = pairs.next()?;
                if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return None;
                }
                *octet = u8::from_str_radix(pair, 16).ok()?;
            }
            pairs.next().is_none().then_some(Self(octets))
        };
        parse().ok_or_else(|| MacAddressError::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_any_case_are_taken_and_small_ones_printed() {
        let mac: MacAddress = "DE:AD:be:ef:00:07".parse().unwrap();
        assert_eq!(mac.octets(), [0xde, 0xad, 0xbe, 0xef, 0, 7]);
        assert_eq!(mac.to_string(), "de:ad:be:ef:00:07");
    }

    #[test]
    fn any_notation_is_taken_where_it_is_asked_for() {
        let mac = MacAddress([0xff, 0xff, 0xff, 0x0f, 0xff, 0xff]);
        for text in ["ffff-ff0f-ffff", "FFFF.FF0F.FFFF", "ff:ff:ff:f:ff:ff", "ff-ff-ff-0f-ff-ff", "ffffff0fffff"] {
            assert_eq!(MacAddress::in_any_notation(text), Ok(mac), "{text}");
        }
        for bad in [
            "",
            ":::::",
            "ff:ff:ff:00f:ff:ff",
            "ffffff0ffff",
            "ffffff0ffffff",
            "gg:ff:ff:ff:ff:ff",
            "+f:ff:ff:ff:ff:ff",
        ] {
            assert!(MacAddress::in_any_notation(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for bad in ["", "de:ad:be:ef:00", "de:ad:be:ef:00:07:08", "de:ad:be:ef:0:07", "de:ad:be:ef:+0:07", "d\n"] {
            let error = bad.parse::<MacAddress>().unwrap_err();
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
