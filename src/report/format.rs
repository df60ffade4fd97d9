//! Numbers as text: shares in percent, costs in human units, each with its interval.
//!
//! One place, so that the terminal table, the page and its plots never print one number in two ways.
use crate::stats::{Estimate, Proportion};

/// What is printed where nothing was measured.
pub(super) const NOTHING_MEASURED: &str = "–";

/// What is printed instead of an interval that is the whole line: the spread over models takes at least two of them.
pub(super) const ONE_MODEL: &str = "[n=1]";

/// Half-widths below this share of the value are rounding, not spread: the cost is the same for every model.
const NO_SPREAD: f64 = 1e-9;

/// Whole numbers below this are printed in full, larger ones with a unit.
const FIRST_WITH_UNIT: f64 = 1e4;

/// A share with its interval: `12.3% [10.1, 14.5]`.
pub(super) fn share(estimate: Option<Estimate>) -> String {
    with_interval(estimate, percent, |bound| format!("{:.1}", positive(100.0 * bound, 0.05)))
}

/// A difference of shares in percentage points, always with its sign: `+1.2 [-0.3, +2.7]`.
pub(super) fn points(estimate: Option<Estimate>) -> String {
    let signed = |x: f64| format!("{:+.1}", positive(100.0 * x, 0.05));
    match estimate {
        Some(e) if has_no_spread(e) => signed(e.value),
        _ => with_interval(estimate, signed, signed),
    }
}

/// A cost: only the number where all models agree, and else with its interval: `42k`, `1.3M [1.2M, 1.4M]`.
pub(super) fn cost(estimate: Option<Estimate>) -> String {
    match estimate {
        Some(e) if has_no_spread(e) => human(e.value),
        // Nothing costs less than nothing, whatever Student's t says of few models.
        Some(e) => with_interval(Some(Estimate { low: e.low.max(0.0), ..e }), human, human),
        None => with_interval(None, human, human),
    }
}

/// A share with no interval: `12.3%`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", positive(100.0 * share, 0.05))
}

/// So many of so many: `4/5`.
pub(super) fn of(proportion: Option<Proportion>) -> String {
    proportion.map_or_else(|| NOTHING_MEASURED.to_owned(), |p| format!("{}/{}", p.hits, p.of))
}

/// A number of three digits with a unit: `0.032`, `1.25`, `4001`, `42k`, `1.3M`.
pub(super) fn human(x: f64) -> String {
    if !x.is_finite() {
        return NOTHING_MEASURED.to_owned();
    }
    let size = x.abs();
    if size <= 0.0 {
        return "0".to_owned();
    }
    if size < 1e-3 {
        return format!("{x:.1e}");
    }
    if size < 0.9995 {
        return trimmed(&format!("{x:.3}"));
    }
    if size < FIRST_WITH_UNIT {
        return if size >= 99.95 { format!("{x:.0}") } else { three_digits(x) };
    }
    let units = [(1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")];
    // A value that would round to 1000 of one unit is 1 of the next.
    let fits = |&&(unit, _): &&(f64, &str)| size / unit < 999.5;
    match units.iter().find(fits) {
        Some((unit, name)) => three_digits(x / unit) + name,
        None => format!("{x:.1e}"),
    }
}

fn has_no_spread(e: Estimate) -> bool {
    (e.high - e.low).abs() <= NO_SPREAD * e.value.abs()
}

fn three_digits(x: f64) -> String {
    let decimals = match x.abs() {
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => return format!("{x:.0}"),
    };
    trimmed(&format!("{x:.decimals$}"))
}

fn trimmed(number: &str) -> String {
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `x`, but 0 where it would be printed as −0: `half` is half of the last digit's unit.
fn positive(x: f64, half: f64) -> f64 {
    if x.abs() < half { 0.0 } else { x }
}

fn with_interval(
    estimate: Option<Estimate>,
    value: impl Fn(f64) -> String,
    bound: impl Fn(f64) -> String,
) -> String {
    match estimate {
        None => NOTHING_MEASURED.to_owned(),
        Some(e) if !e.value.is_finite() => NOTHING_MEASURED.to_owned(),
        Some(e) if e.low.is_finite() && e.high.is_finite() => {
            format!("{} [{}, {}]", value(e.value), bound(e.low), bound(e.high))
        }
        Some(e) => format!("{} {ONE_MODEL}", value(e.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_have_three_digits_and_the_unit_that_fits() {
        let wanted = [
            (0.0, "0"),
            (0.000_032, "3.2e-5"),
            (0.0321, "0.032"),
            (0.9999, "1"),
            (1.25, "1.25"),
            (12.34, "12.3"),
            (123.4, "123"),
            (4001.0, "4001"),
            (42_000.0, "42k"),
            (999_900.0, "1M"),
            (1_310_000.0, "1.31M"),
            (2.5e9, "2.5G"),
            (7e12, "7T"),
            (7e16, "7.0e16"),
            (-1.5, "-1.5"),
            (f64::NAN, "–"),
        ];
        for (number, text) in wanted {
            assert_eq!(human(number), text);
        }
    }

    #[test]
    fn shares_are_printed_with_their_interval() {
        let e = Estimate { value: 0.123, low: 0.101, high: 0.1449 };
        assert_eq!(share(Some(e)), "12.3% [10.1, 14.5]");
        assert_eq!(share(None), "–");
        assert_eq!(share(Some(Estimate { value: f64::NAN, low: 0.0, high: 1.0 })), "–");
    }

    #[test]
    fn points_have_a_sign_and_no_negative_zero() {
        let e = Estimate { value: -0.0001, low: -0.012, high: 0.0118 };
        assert_eq!(points(Some(e)), "+0.0 [-1.2, +1.2]");
    }

    #[test]
    fn a_cost_without_spread_is_one_number_and_one_model_has_no_interval() {
        let flat = Estimate { value: 42e3, low: 42e3, high: 42e3 };
        assert_eq!(cost(Some(flat)), "42k");
        let spread = Estimate { value: 1.3e6, low: 1.2e6, high: 1.4e6 };
        assert_eq!(cost(Some(spread)), "1.3M [1.2M, 1.4M]");
        let one = Estimate { value: 7.0, low: f64::NEG_INFINITY, high: f64::INFINITY };
        assert_eq!(cost(Some(one)), "7 [n=1]");
        assert_eq!(cost(Some(Estimate { value: 0.0, low: 0.0, high: 0.0 })), "0");
    }
}
