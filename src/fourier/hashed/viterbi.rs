//! The convolutional code of rate 1/2 and constraint length 7 (generators 133 and 171, octal), read by the soft Viterbi
//! algorithm (Viterbi, IEEE Trans. Inform. Theory 1967): the message whose signs have the largest product with what was
//! measured. The register starts and ends empty, so n bits take n + 6 steps of two signs. Cost: 64 states a step.

/// Steps after the message that empty the register.
const TAIL: usize = 6;
/// Which of the register's seven bits each of the two signs adds up; bit 6 is the newest.
const TAPS: [u32; 2] = [0o133, 0o171];
/// States: the register without its newest bit.
const STATES: usize = 64;

/// The message bits that each sign adds up, sign by sign.
pub(super) fn checks(n: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::with_capacity(2 * (n + TAIL));
    for step in 0..n + TAIL {
        for taps in TAPS {
            let tapped = (0..7).filter(|bit| taps >> bit & 1 == 1);
            let times = tapped.filter_map(|bit| (step + bit).checked_sub(TAIL));
            all.push(times.filter(|&time| time < n).collect());
        }
    }
    all
}

/// Operations of one reading of n bits: two products a branch are sums of known signs; two additions, a comparison a state.
pub(super) fn flops(n: usize) -> u64 {
    (n + TAIL) as u64 * STATES as u64 * 5
}

/// The n bits whose signs, a set bit −1, have the largest product with `soft`, times `polarity`.
pub(super) fn decode(soft: &[f64], n: usize, polarity: f64) -> Vec<bool> {
    // The sign pair of a register content: its index into the four sums of a step.
    let pair: [usize; 2 * STATES] = std::array::from_fn(|register| {
        let odd = |taps: u32| (register as u32 & taps).count_ones() as usize & 1;
        2 * odd(TAPS[0]) + odd(TAPS[1])
    });
    let steps = n + TAIL;
    let mut best = [f64::NEG_INFINITY; STATES];
    best[0] = 0.0;
    let mut choices = vec![0_u64; steps];
    for (step, choice) in choices.iter_mut().enumerate() {
        let (a, b) = (polarity * soft[2 * step], polarity * soft[2 * step + 1]);
        let sums = [a + b, a - b, b - a, -a - b];
        let mut next = [f64::NEG_INFINITY; STATES];
        // In the tail only a bit 0 is sent: the lower half of the states.
        let reached = if step < n { STATES } else { STATES / 2 };
        for (state, next) in next.iter_mut().enumerate().take(reached) {
            let older = [2 * state, 2 * state + 1];
            let [zero, one] = older.map(|register| best[register % STATES] + sums[pair[register]]);
            *next = if one > zero { one } else { zero };
            *choice |= u64::from(one > zero) << state;
        }
        best = next;
    }
    let mut bits = vec![false; n];
    let mut state = 0;
    for step in (0..steps).rev() {
        if step < n {
            bits[step] = state >= STATES / 2;
        }
        state = (2 * state) % STATES + (choices[step] >> state & 1) as usize;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, normal, sign};

    fn encode(bits: &[bool]) -> Vec<f64> {
        let odd = |check: &Vec<usize>| check.iter().filter(|&&i| bits[i]).count() % 2 == 1;
        checks(bits.len()).iter().map(|check| if odd(check) { -1.0 } else { 1.0 }).collect()
    }

    #[test]
    fn messages_come_back_through_heavy_noise_in_either_polarity() {
        // Noise of 0.45 a sign turns one sign in 76 (Q(2.22)). The code's free distance is 10, with 36 wrong bits on the paths
        // of that distance: a bit fails with probability about 36 Q(√10/0.45) = 36 · 1.1e-12, and one of the 816 here with 3e-8.
        let mut rng = Seed::new(1).stream("viterbi");
        for n in [1, 7, 100, 300] {
            let bits: Vec<bool> = (0..n).map(|_| sign(&mut rng) > 0.0).collect();
            let sent = encode(&bits);
            for polarity in [-1.0, 1.0] {
                let exact: Vec<f64> = sent.iter().map(|s| polarity * s * 0.01).collect();
                assert_eq!(decode(&exact, n, polarity), bits);
                let noisy: Vec<f64> =
                    exact.iter().map(|s| 100.0 * s + 0.45 * normal(&mut rng)).collect();
                assert_eq!(decode(&noisy, n, polarity), bits, "n = {n}");
            }
        }
    }
}
