//! Functions made to confuse a search for heavy characters: a sum of k characters, and something else on a share of inputs.
//!
//! Coefficients are uniform in size between 1 and 1.5 with random signs, then scaled to norm 1; the bound on answers is 3. Where
//! a corrupted input is, and what it answers, is a function of the input alone. A coset is answered by one transform.
use absolve::data::Batch;
use absolve::error::Result;
use absolve::fourier::{Bits, Coset, Questions, walsh_hadamard};
use absolve::rng::{Rng, RngExt, Seed, sign};

/// The bound B on answers, three times the norm of the truth.
pub(crate) const BOUND: f64 = 3.0;

/// What is wrong with the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Nothing.
    None,
    /// ±B at random, on a share of inputs.
    Random,
    /// The truth with its sign turned.
    Flip,
    /// −B times the lightest character, to drive its coefficient to 0.
    Kill,
    /// B times a character next to the lightest one, to plant it.
    Decoy,
    /// B on the inputs whose first coordinates are +1: a classic trigger.
    Cube,
    /// Normal noise on every input, of variance the share.
    Tail,
    /// One input answers 10^6.
    Point,
}

/// A corrupted sum of characters.
pub(crate) struct Adversary {
    pub(crate) n: usize,
    pub(crate) sets: Vec<Bits>,
    pub(crate) values: Vec<f64>,
    pub(crate) asked: u64,
    /// Seconds spent in answering.
    pub(crate) seconds: f64,
    attack: Attack,
    share: f64,
    sketch: Vec<u64>,
    lightest: usize,
    decoy: Bits,
}

/// Where a corruption looks: the input's sketch, its first coordinates, and two characters.
struct Place {
    sketch: u64,
    first: u64,
    lightest: f64,
    decoy: f64,
    origin: bool,
}

impl Adversary {
    /// k sets of one to three coordinates if `few`, else of any.
    pub(crate) fn new(
        n: usize,
        k: usize,
        few: bool,
        (attack, share): (Attack, f64),
        seed: Seed,
    ) -> Self {
        let rng = &mut seed.stream("adversary");
        let mut sets: Vec<Bits> = Vec::new();
        while sets.len() < k {
            let set = if few { some_of(n, rng) } else { Bits::random(n, rng) };
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        let mut values: Vec<f64> =
            (0..k).map(|_| sign(rng) * (1.0 + 0.5 * rng.random::<f64>())).collect();
        let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
        values.iter_mut().for_each(|v| *v /= norm);
        let size = |i: &usize| values[*i].abs();
        let lightest = (0..k).min_by(|a, b| size(a).total_cmp(&size(b))).unwrap_or(0);
        let mut decoy = sets[lightest].xor(&Bits::of(n, &[0]));
        if sets.contains(&decoy) {
            decoy.toggle(&Bits::of(n, &[1, 2]));
        }
        let sketch = (0..n).map(|_| rng.random()).collect();
        Self { n, sets, values, asked: 0, seconds: 0.0, attack, share, sketch, lightest, decoy }
    }

    /// The least coefficient.
    pub(crate) fn tau(&self) -> f64 {
        self.values[self.lightest].abs()
    }

    /// The truth at `x`.
    pub(crate) fn truth(&self, x: &Bits) -> f64 {
        self.sets.iter().zip(&self.values).map(|(set, value)| value * set.character(x)).sum()
    }

    /// The function at `x`.
    pub(crate) fn at(&self, x: &Bits) -> f64 {
        let place = Place {
            sketch: self.sketch_of(x),
            first: first(x, self.n),
            lightest: self.sets[self.lightest].character(x),
            decoy: self.decoy.character(x),
            origin: *x == Bits::empty(self.n),
        };
        self.corrupted(self.truth(x), &place)
    }

    fn sketch_of(&self, x: &Bits) -> u64 {
        x.members().iter().fold(0, |sum, &i| sum ^ self.sketch[i])
    }

    fn corrupted(&self, truth: f64, place: &Place) -> f64 {
        let noise = mix(place.sketch);
        let hit = ((noise >> 11) as f64) < self.share * (1_u64 << 53) as f64;
        match self.attack {
            Attack::None => truth,
            Attack::Tail => {
                let a = ((noise >> 32) as f64 + 1.0) / 4_294_967_297.0;
                let b = f64::from(noise as u32) / 4_294_967_296.0;
                let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
                truth + self.share.sqrt() * normal
            }
            Attack::Cube => {
                let n_fixed = (-self.share.log2()).round() as u32;
                let inside = place.first.trailing_zeros() >= n_fixed;
                if inside { BOUND } else { truth }
            }
            Attack::Point => {
                if place.origin {
                    1e6
                } else {
                    truth
                }
            }
            Attack::Random | Attack::Flip | Attack::Kill | Attack::Decoy if !hit => truth,
            Attack::Random => BOUND * if noise & 1 == 1 { 1.0 } else { -1.0 },
            Attack::Flip => -truth,
            Attack::Kill => -self.values[self.lightest].signum() * BOUND * place.lightest,
            Attack::Decoy => BOUND * place.decoy,
        }
    }
}

impl Questions for Adversary {
    fn ask(&mut self, xs: &Batch) -> Result<Batch> {
        let from = std::time::Instant::now();
        let answers = xs.rows().into_iter().map(|row| {
            let minus: Vec<usize> = (0..self.n).filter(|&i| row[i] < 0.0).collect();
            self.at(&Bits::of(self.n, &minus))
        });
        let answers = absolve::data::column(answers.collect());
        self.asked += xs.nrows() as u64;
        self.seconds += from.elapsed().as_secs_f64();
        Ok(answers)
    }

    fn work(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn ask_coset(&mut self, coset: &Coset) -> Result<Vec<f64>> {
        let from = std::time::Instant::now();
        let mut truth = vec![0.0; coset.len()];
        for (set, value) in self.sets.iter().zip(&self.values) {
            truth[coset.bin(set)] += value * set.character(coset.shift());
        }
        walsh_hadamard(&mut truth);
        let over = |at_shift: u64, of: &dyn Fn(&Bits) -> u64| {
            let mut all = vec![at_shift];
            for column in coset.columns() {
                let step = of(column);
                (0..all.len()).for_each(|i| all.push(all[i] ^ step));
            }
            all
        };
        let sketches = over(self.sketch_of(coset.shift()), &|column| self.sketch_of(column));
        let firsts = over(first(coset.shift(), self.n), &|column| first(column, self.n));
        let signs = |set: &Bits| (coset.bin(set), set.character(coset.shift()));
        let (lightest, decoy) = (signs(&self.sets[self.lightest]), signs(&self.decoy));
        let sign = |(bin, at_shift): (usize, f64), l: usize| {
            if (bin & l).count_ones() % 2 == 1 { -at_shift } else { at_shift }
        };
        let origin = (self.attack == Attack::Point)
            .then(|| coset.points().iter().position(|x| *x == Bits::empty(self.n)))
            .flatten();
        let answers = truth
            .into_iter()
            .enumerate()
            .map(|(l, truth)| {
                let place = Place {
                    sketch: sketches[l],
                    first: firsts[l],
                    lightest: sign(lightest, l),
                    decoy: sign(decoy, l),
                    origin: origin == Some(l),
                };
                self.corrupted(truth, &place)
            })
            .collect();
        self.asked += coset.len() as u64;
        self.seconds += from.elapsed().as_secs_f64();
        Ok(answers)
    }
}

/// One to three coordinates.
fn some_of(n: usize, rng: &mut Rng) -> Bits {
    let degree = rng.random_range(1..=3);
    let members: Vec<usize> = (0..degree).map(|_| rng.random_range(0..n)).collect();
    Bits::of(n, &members)
}

/// The first coordinates of a vertex, a bit each.
fn first(x: &Bits, n: usize) -> u64 {
    (0..n.min(32)).map(|i| u64::from(x.has(i)) << i).sum::<u64>()
}

/// A hash of 64 bits (splitmix64).
fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
