//! Estimators made of sums and of selections: mean, median, trimmed mean, and the two that work in groups.
//!
//! A median needs no sort: selection (Hoare 1961) is linear on average, and `select_nth_unstable` in the worst case too.

/// Operations a value that a selection takes: 2 + 2 ln 2 comparisons for a median (Knuth 1972), and the look for NaN.
pub(super) const SELECTION: u64 = 5;

/// The median: the middle of an odd number of values, the mean of the two in the middle of an even one. NaN counts as +∞.
///
/// ```
/// use absolve::robust::median;
/// assert_eq!(median(&mut [3.0, 1.0, f64::NAN]), 3.0);
/// assert_eq!(median(&mut [4.0, 1.0, 2.0, 9.0]), 3.0);
/// ```
///
/// # Panics
/// Of no values: a bug in the caller.
pub fn median(values: &mut [f64]) -> f64 {
    number(values);
    middle(values)
}

/// Makes infinities of what is not a number.
pub(super) fn number(values: &mut [f64]) {
    values.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = f64::INFINITY);
}

/// The mean; NaN where infinities of both signs meet.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The median of values none of which is NaN.
pub(super) fn middle(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    if below.len() * 2 + 1 == values.len() {
        return upper;
    }
    let lower = values[..half].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, upper)
}

/// How many of `n` values a trimmed mean leaves out at each end.
pub(super) fn left_out(share: f64, n: usize) -> usize {
    /// A share that was computed as t/n must give t back.
    const ROUNDING: f64 = 1e-9;
    ((share * n as f64 + ROUNDING).floor() as usize).min(n.saturating_sub(1) / 2)
}

/// The mean without the `t` least and the `t` greatest of more than 2t values.
pub(super) fn trimmed(values: &mut [f64], t: usize) -> f64 {
    if t == 0 {
        return mean(values);
    }
    let (_, _, above) = values.select_nth_unstable_by(t - 1, f64::total_cmp);
    let kept = above.len() - t;
    // A sort-free split leaves the order inside free; the sum then depends on it in its last bits, so it is made in order.
    above.select_nth_unstable_by(kept, f64::total_cmp);
    let kept = &mut above[..kept];
    kept.sort_unstable_by(f64::total_cmp);
    mean(kept)
}

/// The median of the means of `groups` runs, the first of which have one value more where sizes differ.
pub(super) fn median_of_means(values: &[f64], groups: usize) -> f64 {
    let (size, longer) = (values.len() / groups, values.len() % groups);
    let mut rest = values;
    let mut means: Vec<f64> = (0..groups)
        .map(|i| {
            let (group, after) = rest.split_at(size + usize::from(i < longer));
            rest = after;
            mean(group)
        })
        .collect();
    median(&mut means)
}

/// The mean of the medians of runs of `size`.
pub(super) fn mean_of_medians(values: &mut [f64], size: usize) -> f64 {
    let groups = values.len() / size;
    values.chunks_exact_mut(size).map(middle).sum::<f64>() / groups as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // By hand: without the least and the greatest, 2 and 3.
        assert!((trimmed(&mut [3.0, 1.0, 2.0, 100.0], 1) - 2.5).abs() < 1e-15);
        // Groups 1, 2, 3 | 4, 5 | 100, 7: means 2, 4.5 and 53.5.
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 100.0, 7.0];
        assert!((median_of_means(&values, 3) - 4.5).abs() < 1e-15);
        // Groups 1, 2, 3 | 4, 5, 100; the 7 is left over: medians 2 and 5.
        assert!((mean_of_medians(&mut values.clone(), 3) - 3.5).abs() < 1e-15);
        assert!((mean_of_medians(&mut values.clone(), 7) - 4.0).abs() < 1e-15);
    }

    #[test]
    fn a_share_computed_from_a_count_gives_the_count_back() {
        for n in 1..400_usize {
            for t in 0..n.div_ceil(2) {
                assert_eq!(left_out(t as f64 / n as f64, n), t, "{t} of {n}");
            }
        }
    }

    #[test]
    fn selection_gives_what_a_sort_gives() {
        let mut values: Vec<f64> = (0..997).map(|i| f64::from(i * 389 % 997)).collect();
        // A permutation of 0, …, 996, for 997 is prime: the middle is 498, and without the last value 498 − ½ or so.
        assert!((median(&mut values) - 498.0).abs() < 1e-12);
        values.retain(|v| *v < 996.0);
        assert!((median(&mut values) - 497.5).abs() < 1e-12);
    }
}
