//! Samples to the few numbers that are shown.

use std::time::Duration;

use serde_json::json;

/// Median, tail and extremes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
    pub(crate) min: Duration,
    pub(crate) max: Duration,
    pub(crate) samples: usize,
}

impl Spread {
    pub(crate) fn of(samples: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let mut samples: Vec<Duration> = samples.into_iter().collect();
        samples.sort();
        let at = |share: f64| samples.get(((samples.len() as f64 * share) as usize).min(samples.len() - 1)).copied();
        let (min, max) = (*samples.first()?, *samples.last()?);
        Some(Self { median: at(0.5)?, p99: at(0.99)?, min, max, samples: samples.len() })
    }
}

/// Three digits and a unit.
pub(crate) fn human(took: Duration) -> String {
    let us = took.as_secs_f64() * 1e6;
    let (value, unit) = match us {
        us if us < 1e3 => (us, "us"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    let digits = match value {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

pub(crate) fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

pub(crate) fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// Microseconds with one digit behind the point.
pub(crate) fn us(took: Duration) -> serde_json::Value {
    json!((took.as_secs_f64() * 1e7).round() / 10.0)
}

/// `10,000`.
pub(crate) fn thousands(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
