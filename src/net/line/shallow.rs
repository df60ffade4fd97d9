//! One hidden layer: the slope changes by what one unit adds to it at each kink.
//!
//! Charges the product with the first layer, a division and four operations a hidden unit for its kink and its part in the
//! first piece, `k log₂ k` comparisons to sort the k kinks, and eight operations a kink to cross it.
use super::{Line, Meter, Piecewise, Stop, product, sort_flops};

pub(super) fn along(
    line: &Line<'_>,
    direction: &[f64],
    end: f64,
    meter: &mut Meter<'_>,
) -> Result<Piecewise, Stop> {
    let [hidden, output] = line.net.layers() else { unreachable!("checked by from()") };
    meter.pay(2 * hidden.weight.len() as u64 + 5 * line.sums.len() as u64)?;
    let (mut level, mut slope) = (output.bias[0], 0.0);
    let mut kinks: Vec<(f64, f64, f64)> = Vec::new();
    let rates = product(hidden, direction);
    for ((s, &z), &v) in rates.into_iter().zip(&line.sums).zip(&output.weight) {
        // A unit at rest exactly at its kink is on from 0 if it rises.
        if z > 0.0 || (z >= 0.0 && s > 0.0) {
            level += v * z;
            slope += v * s;
        }
        let kink = -z / s;
        if kink > 0.0 && kink < end {
            let on = s.signum();
            kinks.push((kink, on * v * z, on * v * s));
        }
    }
    meter.pieces(kinks.len() + 1)?;
    meter.pay(sort_flops(kinks.len()) + 8 * kinks.len() as u64)?;
    kinks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut knots = vec![0.0];
    let mut values = vec![level];
    for (t, level_step, slope_step) in kinks {
        knots.push(t);
        values.push(level + slope * t);
        level += level_step;
        slope += slope_step;
    }
    knots.push(end);
    values.push(level + slope * end);
    Ok(Piecewise { knots, values })
}
