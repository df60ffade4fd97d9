//! Codes: which delays of a coset are asked, and how a set is read from the signs that it has at them.
//!
//! A table of hashed answers holds, for every delay d, the bins of the coset shifted by d. A set alone in its bin shows there
//! its coefficient times its sign at the shift, times its sign at d: a codeword, up to one unknown sign. Three codes read it:
//!
//! | code | delays | reads | noise that it stands |
//! |---|---|---|---|
//! | few coordinates ([`super::bch`]) | 1 + 3 log₂ n | sets of at most 3 | a sign is right if its bin is |
//! | identity: none, and n rows of a random basis | n + 1 | any set | likewise |
//! | convolutional ([`super::viterbi`]) in that basis | 2n + 12 | any set | about log n times as much |
//!
//! Decoding is heuristic: against a function with structure it may find nothing, or something wrong. What is read is checked
//! against other cosets, and in the end by the certificate, which trusts no code.
use super::basis::Basis;
use super::bch::{self, Field};
use super::viterbi;
use crate::fourier::Bits;

/// Least reliable signs that are also read the other way round by the code of few coordinates: all 2^3 choices.
const DOUBTED: usize = 3;

/// Which code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sets of at most three coordinates.
    Few,
    /// One sign a bit.
    Identity,
    /// Rate 1/2, soft decisions.
    Convolutional,
}

/// A code with its delays.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) kind: Kind,
    pub(super) delays: Vec<Bits>,
    n: usize,
}

/// The codes of one search: they share a random basis. They read sets of some coordinates of the cube, by default of all: delays
/// turn those alone, and a set with other coordinates in it is read as if it had them not.
#[derive(Debug)]
pub(super) struct Codes {
    n_cube: usize,
    among: Vec<usize>,
    basis: Basis,
    field: Option<Field>,
    few: Code,
    identity: Code,
    convolutional: Code,
}

impl Codes {
    /// Codes of the sets of `among`, coordinates of a cube of `n_cube` dimensions, in a basis of as many.
    pub(super) fn new(n_cube: usize, among: Vec<usize>, basis: Basis) -> Self {
        let n = among.len();
        let in_basis = |check: &Vec<usize>| {
            let mut delay = Bits::empty(n);
            check.iter().for_each(|&i| delay.toggle(&basis.rows[i]));
            delay
        };
        let none = || Bits::empty(n);
        let identity = std::iter::once(none()).chain(basis.rows.iter().cloned()).collect();
        let convolutional = viterbi::checks(n).iter().map(in_basis).collect();
        let field = (n <= bch::MOST).then(|| Field::of(n));
        let checks = field.as_ref().map(Field::checks).unwrap_or_default();
        let few =
            std::iter::once(none()).chain(checks.iter().map(|check| Bits::of(n, check))).collect();
        let code = |kind, delays: Vec<Bits>| {
            let delays = delays.iter().map(|delay| placed(n_cube, &among, delay)).collect();
            Code { kind, delays, n }
        };
        Self {
            few: code(Kind::Few, few),
            identity: code(Kind::Identity, identity),
            convolutional: code(Kind::Convolutional, convolutional),
            n_cube,
            basis,
            field,
            among,
        }
    }

    pub(super) fn of(&self, kind: Kind) -> &Code {
        match kind {
            Kind::Few => &self.few,
            Kind::Identity => &self.identity,
            Kind::Convolutional => &self.convolutional,
        }
    }

    /// The sets that the signs of `soft`, one a delay, may belong to.
    pub(super) fn candidates(&self, kind: Kind, soft: &[f64]) -> Vec<Bits> {
        let read = self.read(kind, soft);
        read.iter().map(|set| placed(self.n_cube, &self.among, set)).collect()
    }

    /// The same as sets of so many coordinates as are read.
    fn read(&self, kind: Kind, soft: &[f64]) -> Vec<Bits> {
        let n = self.identity.n;
        let polarities = [1.0, -1.0];
        let from_bits = |bits: Vec<bool>| {
            let members: Vec<usize> = (0..n).filter(|&i| bits[i]).collect();
            self.basis.set_of(&Bits::of(n, &members))
        };
        match kind {
            Kind::Few => self.few_coordinates(soft),
            Kind::Identity => polarities
                .map(|p| from_bits(soft[1..].iter().map(|v| p * v * soft[0] < 0.0).collect()))
                .to_vec(),
            Kind::Convolutional => {
                polarities.map(|p| from_bits(viterbi::decode(soft, n, p))).to_vec()
            }
        }
    }

    /// As the signs say, and with any of the least reliable ones turned round (Chase, IEEE Trans. Inform. Theory 1972).
    fn few_coordinates(&self, soft: &[f64]) -> Vec<Bits> {
        let (Some(field), n) = (&self.field, self.few.n) else { return Vec::new() };
        let mut doubtful: Vec<usize> = (0..soft.len() - 1).collect();
        doubtful.sort_by(|&a, &b| soft[a + 1].abs().total_cmp(&soft[b + 1].abs()));
        doubtful.truncate(DOUBTED);
        let mut found: Vec<Bits> = Vec::new();
        for polarity in [1.0, -1.0] {
            let odd: Vec<bool> = soft[1..].iter().map(|v| polarity * v * soft[0] < 0.0).collect();
            for turned in 0..1_usize << doubtful.len() {
                let mut parities = odd.clone();
                for (bit, &i) in doubtful.iter().enumerate() {
                    parities[i] ^= turned >> bit & 1 == 1;
                }
                if let Some(set) = field.decode(&parities).map(|set| Bits::of(n, &set))
                    && !found.contains(&set)
                {
                    found.push(set);
                }
            }
        }
        found
    }
}

/// A set of some coordinates as a set of the cube's.
fn placed(n_cube: usize, among: &[usize], set: &Bits) -> Bits {
    let members: Vec<usize> = set.members().into_iter().map(|i| among[i]).collect();
    Bits::of(n_cube, &members)
}

impl Code {
    /// The sign of `set` at every delay.
    pub(super) fn signs(&self, set: &Bits) -> Vec<f64> {
        self.delays.iter().map(|delay| set.character(delay)).collect()
    }

    /// Operations of one reading.
    pub(super) fn flops(&self) -> u64 {
        let n_delays = self.delays.len() as u64;
        match self.kind {
            Kind::Few => n_delays + 16 * 4 * self.n as u64,
            Kind::Identity => 4 * n_delays,
            Kind::Convolutional => 2 * viterbi::flops(self.n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Seed, normal};

    #[test]
    fn every_code_reads_back_a_set_from_its_signs_up_to_the_common_one() {
        let mut rng = Seed::new(3).stream("code");
        for n in [4, 30, 100] {
            let codes = Codes::new(n, (0..n).collect(), Basis::random(n, &mut rng));
            for kind in [Kind::Few, Kind::Identity, Kind::Convolutional] {
                let any = Bits::random(n, &mut rng);
                let set = if kind == Kind::Few { Bits::of(n, &[0, n - 1]) } else { any };
                for value in [0.2, -0.2] {
                    let code = codes.of(kind);
                    let noise = |rng: &mut _| 0.02 * normal(rng);
                    let soft: Vec<f64> =
                        code.signs(&set).iter().map(|s| value * s + noise(&mut rng)).collect();
                    // Noise of a tenth turns a sign with probability Q(10) < 1e-23.
                    assert!(codes.candidates(kind, &soft).contains(&set), "{kind:?} n = {n}");
                }
            }
        }
    }
}
