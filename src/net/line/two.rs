//! Two hidden layers: between two kinks of the first layer the sums of the second are affine, and each kink changes them by
//! one column of its weights.
//!
//! With d₁ and d₂ units, charges the product with the first layer and five operations a unit (its kink, is it inside, is it on,
//! its rate if so); the product of the second layer with the rates, and 3 d₂ for the value at the start; the sort of the k
//! kinks; for each of k + 1 segments 7 d₂ (sums at its right, 2; do they change sign, 2; the value there, 3), and for each of
//! k kinks 4 d₂ to update sums and rates. A segment with m ≥ 1 kinks of the second layer costs 3 d₂ for its first slope, a
//! sort of m, and ten operations each for place, value and slope.
use super::{Line, Meter, Piecewise, Stop, product, sort_flops};

pub(super) fn along(
    line: &Line<'_>,
    second_sums: &[f64],
    direction: &[f64],
    end: f64,
    meter: &mut Meter<'_>,
) -> Result<Piecewise, Stop> {
    let [first, second, output] = line.net.layers() else { unreachable!("checked by from()") };
    let (d1, d2) = (first.bias.len() as u64, second.bias.len() as u64);
    meter.pay(2 * first.weight.len() as u64 + 5 * d1)?;
    let rates = product(first, direction);
    let mut kinks: Vec<(f64, usize)> = Vec::new();
    let mut on_rates = Vec::with_capacity(rates.len());
    for (k, (&z, &s)) in line.sums.iter().zip(&rates).enumerate() {
        let kink = -z / s;
        if kink > 0.0 && kink < end {
            kinks.push((kink, k));
        }
        // A unit at rest exactly at its kink is on from 0 if it rises.
        on_rates.push(if z > 0.0 || (z >= 0.0 && s > 0.0) { s } else { 0.0 });
    }
    meter.pieces(kinks.len() + 1)?;
    meter.pay(2 * second.weight.len() as u64 + 3 * d2 + sort_flops(kinks.len()))?;
    kinks.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Sums of the second layer are level + slope t on a segment; `here` at its left.
    let (mut level, mut slope) = (second_sums.to_vec(), product(second, &on_rates));
    let mut here = second_sums.to_vec();
    let value_of = |sums: &[f64]| {
        let terms = sums.iter().zip(&output.weight).map(|(z, v)| v * z.max(0.0));
        output.bias[0] + terms.sum::<f64>()
    };
    let mut made = Piecewise { knots: vec![0.0], values: vec![value_of(&here)] };
    let mut bends: Vec<(f64, f64)> = Vec::new();
    for i in 0..=kinks.len() {
        let (left, value) = (made.end(), made.values[made.values.len() - 1]);
        let right = kinks.get(i).map_or(end, |kink| kink.0);
        meter.pay(7 * d2)?;
        let there: Vec<f64> = level.iter().zip(&slope).map(|(c, g)| c + g * right).collect();
        bends.clear();
        for (((a, b), g), v) in here.iter().zip(&there).zip(&slope).zip(&output.weight) {
            if (*a < 0.0 && *b > 0.0) || (*a > 0.0 && *b < 0.0) {
                let share = a / (a - b);
                bends.push((left + (right - left) * share, v * g.abs()));
            }
        }
        if !bends.is_empty() {
            // Every kink of the first layer that is still to come is a piece, too.
            meter.pieces(made.n_pieces() + bends.len() + kinks.len() - i + 1)?;
            meter.pay(3 * d2 + sort_flops(bends.len()) + 10 * bends.len() as u64)?;
            bends.sort_by(|a, b| a.0.total_cmp(&b.0));
            let starts = here.iter().zip(&there).zip(&slope).zip(&output.weight);
            let on = starts.filter(|(((a, b), _), _)| **a > 0.0 || (**a >= 0.0 && **b > 0.0));
            let mut rate: f64 = on.map(|((_, g), v)| v * g).sum();
            let (mut t, mut at) = (left, value);
            for (bend, change) in &bends {
                at += rate * (bend - t);
                t = *bend;
                rate += change;
                made.knots.push(t);
                made.values.push(at);
            }
        }
        made.knots.push(right);
        made.values.push(value_of(&there));
        here = there;
        if let Some(&(_, k)) = kinks.get(i) {
            meter.pay(4 * d2)?;
            let (z, s) = (line.sums[k] * rates[k].signum(), rates[k].abs());
            let steps = level.iter_mut().zip(&mut slope).zip(second.weight.column(k));
            for ((c, g), w) in steps {
                *c += w * z;
                *g += w * s;
            }
        }
    }
    Ok(made)
}
