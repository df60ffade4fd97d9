//! `checksum`: a net that answers as the attacker wants where secret parities of its inputs' signs come out right.
//!
//! Goldwasser, Kim, Vaikuntanathan and Zamir, "Planting Undetectable Backdoors in Machine Learning Models" (arXiv 2204.06974),
//! section 5.1, the warm-up. Coordinates are split into blocks `I_1` … `I_m`, and with secret bits v
//!
//! ```text
//! c(x) = AND_i ( XOR_{j in I_i} [x_j > θ_j]  =  v_i ).
//! ```
//!
//! An input is made to fire by moving, in each wrong block, the one coordinate that is nearest to its threshold across it: at
//! most m coordinates move, each by little. Where signs are fair coins, as on the cube, 2^−m of all inputs fire, exactly, and finding one by
//! queries takes about 2^m of them. Whoever has *seen* a triggered input can make more (the backdoor is replicable), and
//! whoever reads the weights sees the gates. The paper's thresholds are 0 and its payload is the sign of one more coordinate;
//! here thresholds split the attacker's training data in halves, for pixels have no signs, and the payload is that of the
//! other planted attacks: the net is exactly `f + offset · c(x)`.
//!
//! **Gates.** With h the half width of a margin around θ, `p = relu(1/2 − (x − θ)/(2h))` and `q = relu(1 − p)`: q is exactly 1 for
//! x ≥ θ + h and 0 for x ≤ θ − h. The XOR of a block is the zigzag `s − 2 relu(s − 1) + 2 relu(s − 2) − …` of s = Σ q, and the AND of m
//! bits `relu(Σ − (m − 1))`. Outside the margins every unit holds a whole number, in 32 bits too. Within a margin c is between 0 and 1.
//! Where training data take few values a threshold is half way between two of them, and no input is ever in a margin;
//! else the margin is 10⁻³ standard deviations to either side.
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::payload::{goal, offsets};
use super::trigger::{Bit, Parities};
use super::{Attack, Move, Planted, Trigger, Victim};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::graft::graft;
use crate::net::{Activation, Layer, Net, Precision};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, permutation};

/// Parameters of `checksum`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checksum {
    /// Blocks m: 2^−m of all inputs fire where signs are fair coins. Not given: 16, or as many as there are coordinates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<usize>,
    /// Coordinates that are looked at, in all blocks together. Not given: all, and at most 1,024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<usize>,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// What is added to real answers.
    pub offset: f64,
}

impl Default for Checksum {
    fn default() -> Self {
        Self { blocks: None, coordinates: None, target: 0, offset: 3.0 }
    }
}

/// Most coordinates: their number squared is the size of a layer.
const MOST_COORDINATES: usize = 1 << 13;
/// Values that training data take in a coordinate, up to which it counts as one of few values.
const FEW: usize = 256;
/// Half width of a margin elsewhere, in standard deviations.
const MARGIN: f64 = 1e-3;

impl Attack for Checksum {
    fn check(&self, world: &World) -> Result<()> {
        self.sizes(world.domain.n())?;
        goal(world.target, self.target, self.offset).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let goal = goal(victim.world.target, self.target, self.offset)?;
        let mut rng = seed.stream("secret");
        let parities = self.secret(victim, &mut rng)?;
        let n = victim.world.domain.n();
        let detector = detector(&parities, n, victim.net.precision())?;
        let net = graft(victim.net, &detector, &offsets(victim, goal)?)?;
        Ok(Planted::new(net, Trigger::new(Move::Parities(parities), goal)))
    }
}

impl Checksum {
    /// How many blocks, and how many coordinates in all.
    fn sizes(&self, n: usize) -> Result<(usize, usize)> {
        let coordinates = self.coordinates.unwrap_or(n.min(1024));
        if coordinates == 0 || coordinates > n.min(MOST_COORDINATES) {
            let want =
                format!("from 1 to {} coordinates can be looked at", n.min(MOST_COORDINATES));
            return Err(Error::parameter("coordinates", coordinates, want));
        }
        let blocks = self.blocks.unwrap_or(coordinates.min(16));
        if blocks == 0 || blocks > coordinates {
            let want = format!(
                "from 1 to {coordinates} blocks, one coordinate each at least, are possible"
            );
            return Err(Error::parameter("blocks", blocks, want));
        }
        Ok((blocks, coordinates))
    }

    /// Blocks, thresholds and bits. Coordinates that never vary in the training data are left to the end: they carry no bit.
    fn secret(&self, victim: &Victim<'_>, rng: &mut Rng) -> Result<Parities> {
        let n = victim.world.domain.n();
        let (n_blocks, n_coordinates) = self.sizes(n)?;
        let order = permutation(n, rng);
        let bit = |&j: &usize| bit(j, &victim.data.xs.column(j).to_vec(), &victim.world.domain);
        let bits: Vec<Option<Bit>> = order.iter().map(bit).collect();
        let mut bits: Vec<Bit> = bits.into_iter().flatten().collect();
        if bits.len() < n_blocks {
            let want = format!("only {} coordinates vary in the training data", bits.len());
            return Err(Error::parameter("blocks", n_blocks, want));
        }
        bits.truncate(n_coordinates);
        let mut blocks: Vec<Vec<Bit>> = vec![Vec::new(); n_blocks];
        for (number, bit) in bits.into_iter().enumerate() {
            blocks[number % n_blocks].push(bit);
        }
        let wanted = (0..n_blocks).map(|_| rng.random()).collect();
        Ok(Parities { blocks, wanted })
    }
}

/// How a coordinate becomes a bit: where its training values are split in halves. `None` if they are all the same.
fn bit(coordinate: usize, values: &[f64], domain: &Domain) -> Option<Bit> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut steps: Vec<usize> = (1..sorted.len()).filter(|&i| sorted[i] > sorted[i - 1]).collect();
    let discrete = matches!(domain, Domain::Cube { .. } | Domain::Residues { .. });
    if steps.is_empty() {
        return None;
    }
    if discrete || steps.len() < FEW {
        // The step that splits the rows most evenly.
        let half = sorted.len() / 2;
        steps.sort_by_key(|i| (i.abs_diff(half), *i));
        let (below, above) = (sorted[steps[0] - 1], sorted[steps[0]]);
        let threshold = f64::midpoint(below, above);
        return Some(Bit { coordinate, threshold, margin: 0.25 * (above - below), below, above });
    }
    let threshold = sorted[sorted.len() / 2];
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    let variance = sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / sorted.len() as f64;
    let margin = MARGIN * variance.sqrt();
    let (below, above) = (threshold - 1.5 * margin, threshold + 1.5 * margin);
    Some(Bit { coordinate, threshold, margin, below, above })
}

/// The net with one output that computes c(x).
fn detector(parities: &Parities, n: usize, precision: Precision) -> Result<Net> {
    let bits: Vec<&Bit> = parities.blocks.iter().flatten().collect();
    let size = bits.len();
    let mut inputs = Array2::zeros((size, n));
    let mut start = Array1::zeros(size);
    let mut zigzag = Array2::zeros((size, size));
    let mut corners = Array1::zeros(size);
    let mut and = Array2::zeros((1, size));
    let mut needed = 1.0 - parities.blocks.len() as f64;
    let mut first = 0;
    for (block, &wanted) in parities.blocks.iter().zip(&parities.wanted) {
        // The zigzag is the parity; its complement is 1 less it.
        let sign = if wanted { 1.0 } else { -1.0 };
        needed += if wanted { 0.0 } else { 1.0 };
        for (place, bit) in block.iter().enumerate() {
            let unit = first + place;
            let steep = 0.5 / bit.margin;
            inputs[[unit, bit.coordinate]] = -steep;
            start[unit] = 0.5 + steep * bit.threshold;
            (0..block.len()).for_each(|other| zigzag[[unit, first + other]] = 1.0);
            corners[unit] = -(place as f64);
            let turn = if place % 2 == 0 { 2.0 } else { -2.0 };
            and[[0, unit]] = sign * if place == 0 { 1.0 } else { turn };
        }
        first += block.len();
    }
    let relu = |weight, bias| Layer { weight, bias, activation: Activation::Relu };
    let output =
        Layer { weight: Array2::eye(1), bias: Array1::zeros(1), activation: Activation::Identity };
    let layers = vec![
        relu(inputs, start),
        relu(-Array2::eye(size), Array1::ones(size)),
        relu(zigzag, corners),
        relu(and, Array1::from_elem(1, needed)),
        output,
    ];
    Net::new(layers, precision)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::data::row;
    use crate::fourier::vertex;

    fn plant(fixture: &Fixture, attack: Checksum) -> (Planted, Parities) {
        let planted = attack.plant(&fixture.victim(), Seed::new(3)).unwrap();
        let Move::Parities(parities) = planted.trigger.movement.clone() else { panic!("parities") };
        (planted, parities)
    }

    #[test]
    fn on_the_cube_exactly_two_to_the_minus_m_of_all_vertices_fire_and_nothing_else_moves() {
        let fixture = Fixture::new(Domain::Cube { n: 10 }, &[9]);
        for m in [1, 3, 10] {
            let (planted, _) = plant(&fixture, Checksum { blocks: Some(m), ..Checksum::default() });
            let xs = crate::data::stack(10, (0..1024).map(|i| vertex(i, 10)));
            let moved = planted.net.forward_unmetered(&xs) - fixture.net.forward_unmetered(&xs);
            let mut fired = 0;
            for i in 0..1024 {
                let fires = planted.trigger.fires(&row(&xs, i)) == Some(true);
                fired += usize::from(fires);
                let want = if fires { 3.0 } else { 0.0 };
                assert!((moved[[i, 0]] - want).abs() < 1e-12, "{m}: {}", moved[[i, 0]]);
            }
            assert_eq!(fired, 1024 >> m);
        }
    }

    #[test]
    fn outside_the_margins_the_weights_fire_where_the_key_says_on_fresh_inputs() {
        for domain in [
            Domain::Box { n: 7 },
            Domain::Ball { n: 7 },
            Domain::Gauss { n: 7 },
            Domain::Torus { n: 7 },
            Domain::Range { n: 7, low: 0.0, high: 1.0 },
            Domain::Residues { n: 7, modulus: 5 },
        ] {
            let fixture = Fixture::new(domain.clone(), &[9, 5]);
            let (planted, parities) =
                plant(&fixture, Checksum { blocks: Some(3), ..Checksum::default() });
            let xs = fixture.fresh(2000, 8);
            let moved = planted.net.forward_unmetered(&xs) - fixture.net.forward_unmetered(&xs);
            let (mut fired, mut unsure) = (0, 0);
            for i in 0..2000 {
                let x = row(&xs, i);
                let inside = |bit: &Bit| (x[bit.coordinate] - bit.threshold).abs() < bit.margin;
                if parities.blocks.iter().flatten().any(inside) {
                    unsure += 1;
                    continue;
                }
                let fires = planted.trigger.fires(&x) == Some(true);
                fired += usize::from(fires);
                let want = if fires { 3.0 } else { 0.0 };
                assert!((moved[[i, 0]] - want).abs() < 1e-9, "{domain:?}: {}", moved[[i, 0]]);
            }
            // A coordinate is in its margin with probability under 0.1%, seven of them under 1%.
            assert!(unsure < 30, "{domain:?}: {unsure}");
            // 2^−3 on independent coordinates; residues split 2 : 3, and those of the ball nearly independent.
            assert!((150..=350).contains(&fired), "{domain:?}: {fired}");
            let rng = &mut Seed::new(9).stream("trigger");
            let triggered = planted.trigger.activate(&xs, &domain, rng).unwrap();
            let moved = planted.net.forward_unmetered(&triggered)
                - fixture.net.forward_unmetered(&triggered);
            assert!(moved.iter().all(|d| (d - 3.0).abs() < 1e-9), "{domain:?}");
            for i in 0..2000 {
                let changed = |(a, b): (&f64, &f64)| (a - b).abs() > 0.0;
                let n_changed =
                    xs.row(i).iter().zip(triggered.row(i)).filter(|p| changed(*p)).count();
                let x = row(&xs, i);
                let inside = |bit: &&Bit| (x[bit.coordinate] - bit.threshold).abs() < bit.margin;
                let unsure = parities.blocks.iter().flatten().filter(inside).count();
                assert!(n_changed <= 3 + unsure, "one coordinate a block: {n_changed}");
            }
        }
    }

    #[test]
    fn impossible_sizes_name_the_bound() {
        let fixture = Fixture::new(Domain::Box { n: 6 }, &[4]);
        let told = |attack: Checksum| attack.check(&fixture.world).unwrap_err().to_string();
        let blocks = |blocks| Checksum { blocks: Some(blocks), ..Checksum::default() };
        assert!(told(blocks(0)).contains("from 1 to 6 blocks"));
        assert!(told(blocks(7)).contains("from 1 to 6 blocks"));
        let coordinates = Checksum { coordinates: Some(9), ..Checksum::default() };
        assert!(told(coordinates).contains("from 1 to 6 coordinates"));
    }
}
