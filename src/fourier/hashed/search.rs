//! The search itself: guide pilots, tables until they are explained, then a fresh certificate.
//!
//! All choices here are heuristic (how large a table, which code, when to try for a certificate): they are made before the
//! certificate's pilots are drawn, so they can cost questions and cannot spoil its proof.
use super::asker::Asker;
use super::basis::Basis;
use super::code::{Codes, Kind};
use super::peel::Peeler;
use super::pilot::{Pilot, energy, fourth_power, median};
use super::plan::{MOST_BITS, Plan, Seen};
use super::table::Table;
use super::{Certificate, HashedFound, HashedSearch, Known, Promised};
use crate::data::wide;
use crate::error::Result;
use crate::fourier::{Bits, Questions, Term};
use crate::rng::{Rng, RngExt};

/// Guide pilots: the middle of three is asked for everything.
const GUIDES: usize = 3;
/// Points of a guide pilot over the energy in units of τ²: heavy bins then have a quarter of the bins at most.
const GUIDE_LOAD: f64 = 4.0;
/// And over the noise in these units: a heavy bin then stands four standard deviations out.
const GUIDE_NOISE: f64 = 64.0;
/// Pairs that tell whether the weight lies on few coordinates, the share of coordinates turned round in a pair, and the
/// correlation from which it does: sets of degree 3 keep 0.8³ = 0.51, of degree 8 at most 0.17.
const PAIRS: usize = 128;
const TURNED: f64 = 0.1;
const CORRELATED: f64 = 0.2;
/// Heavy bins a bin of a table: a little over the load at which peeling of three tables gets through (1.22 a table and set).
const LOAD: f64 = 1.2;
/// Certificates tried in a row while most guides are explained: one that noise opened is worth another before a table is.
const RETRIES: usize = 3;
/// Tables of the short code that may bring little before it is given up.
const MOST_STRIKES: usize = 2;
/// Tables after which a search that is not done gives up.
const MOST_TABLES: usize = 60;

/// One run.
pub(super) struct Run<'a, 'q> {
    search: &'a HashedSearch,
    among: Vec<usize>,
    asker: Asker<'q>,
    rng: &'a mut Rng,
    guides: Vec<Pilot>,
    tables: Vec<Table>,
    known: Vec<Known>,
    noise2: f64,
    n_attempts: u32,
    n_numbers: usize,
    last: Vec<Vec<f64>>,
}

impl<'a, 'q> Run<'a, 'q> {
    pub(super) fn new(
        search: &'a HashedSearch,
        among: Vec<usize>,
        questions: &'q mut dyn Questions,
        rng: &'a mut Rng,
    ) -> Self {
        let HashedSearch { n, bound, most_queries: most, .. } = *search;
        let asker = Asker { questions, n, bound, spent: 0, most };
        let (guides, tables, known, last) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            search,
            among,
            asker,
            rng,
            guides,
            tables,
            known,
            noise2: 0.0,
            n_attempts: 0,
            n_numbers: 0,
            last,
        }
    }

    /// Searches, and says what was found and whether it is certified.
    pub(super) fn find(mut self) -> Result<HashedFound> {
        let certificate = match self.certify()? {
            Ok(certificate) => certificate,
            Err(why) => Certificate::Open { why },
        };
        let of_pilots = |look: fn(&[f64]) -> f64| {
            self.last.iter().map(|bins| look(bins)).sum::<f64>() / self.last.len().max(1) as f64
        };
        let n_points: usize = self.last.iter().map(Vec::len).sum();
        let (mean, fourth) = (of_pilots(energy), of_pilots(fourth_power));
        let asked: usize = self.tables.iter().map(Table::len).sum();
        let mut terms: Vec<Term> =
            self.known.iter().map(|k| Term { support: k.set.members(), value: k.value }).collect();
        terms.sort_by(|a, b| (a.support.len(), &a.support).cmp(&(b.support.len(), &b.support)));
        Ok(HashedFound {
            terms,
            certificate,
            value_error: (mean / asked.max(1) as f64).sqrt(),
            residual: mean,
            residual_error: (fourth / n_points.max(1) as f64).sqrt(),
            queries: self.asker.spent,
            n_tables: self.tables.len(),
            n_numbers: self.n_numbers,
        })
    }

    /// A certificate, or why there is none.
    fn certify(&mut self) -> Result<std::result::Result<Certificate, String>> {
        if let Some(why) = self.ask_guides()? {
            return Ok(Err(why));
        }
        let mut strikes = if self.lies_on_few_coordinates()? { 0 } else { MOST_STRIKES };
        let basis = Basis::random(self.among.len(), self.rng);
        let codes = Codes::new(self.search.n, self.among.clone(), basis);
        let n_heavy = self.n_heavy();
        let mut larger = 0;
        let most = 16.0 * (self.search.bound / self.search.tau).powi(2);
        let most_listed = (most as usize).saturating_add(64);
        loop {
            for _ in 0..RETRIES {
                if self.n_heavy() > 0 {
                    break;
                }
                match self.attempt()? {
                    Attempt::Shut(certificate) => return Ok(Ok(certificate)),
                    Attempt::Impossible(why) => return Ok(Err(why)),
                    Attempt::Opened => {}
                }
            }
            if self.tables.len() == MOST_TABLES {
                return Ok(Err(format!("{MOST_TABLES} tables left heavy weight unexplained")));
            }
            if self.known.len() > most_listed {
                return Ok(Err(format!(
                    "{} characters look heavy, more than 16 B²/τ² can be",
                    self.known.len()
                )));
            }
            let few = strikes < MOST_STRIKES;
            let left = self.n_heavy().max(1);
            let before = self.known.len();
            let (kind, m) = self.next_table(&codes, few, n_heavy.min(2 * left));
            let m = (m + larger).min(self.search.n).min(MOST_BITS);
            let code = codes.of(kind);
            let queries = (code.delays.len() as u64) << m;
            if !self.asker.affords(queries) {
                return Ok(Err(self.out_of_budget("the next table", queries)));
            }
            let mut table = Table::ask(code, m, &mut self.asker, self.rng)?;
            self.asker.questions.work((2 * code.delays.len() * self.known.len()) as u64)?;
            table.subtract_all(&self.known);
            self.tables.push(table);
            let numbers =
                self.tables.iter().map(Table::len).chain(self.guides.iter().map(Pilot::len));
            self.n_numbers = self.n_numbers.max(numbers.sum());
            self.decode(&codes)?;
            if self.known.len() > before + if few { left / 8 } else { 0 } {
                continue;
            }
            // Little came of it. The table may be too small for the noise, a guide may show noise or hold two sets in one bin,
            // or the sets may be too large for the short code.
            larger += 1;
            strikes += 1;
            if strikes == MOST_STRIKES && few {
                larger = 0;
            }
            let bits = self.guides[0].len().ilog2() as usize + 1;
            if let Some(why) = self.renew_guides(bits.min(self.search.n).min(MOST_BITS))? {
                return Ok(Err(why));
            }
            // What the old guides did not confirm is looked at again.
            self.tables.iter_mut().for_each(|table| table.changed.fill(true));
            self.decode(&codes)?;
        }
    }

    /// Peels and refits all tables.
    fn decode(&mut self, codes: &Codes) -> Result<()> {
        let (threshold, noise2) = (self.search.tau / 2.0, self.noise2);
        let peeler = Peeler { codes, threshold, noise2, pilots: &self.guides };
        peeler.peel(&mut self.tables, &mut self.known, self.asker.questions)?;
        peeler.refit(&mut self.tables, &mut self.known, self.asker.questions)?;
        self.noise2 = self.noise_of_guides().max(self.noise_of_tables());
        Ok(())
    }

    /// Asks the pilots that tell noise and number of heavy characters; says why, if it cannot.
    fn ask_guides(&mut self) -> Result<Option<String>> {
        let HashedSearch { n, tau, .. } = *self.search;
        let smallest = 6.min(n);
        if !self.asker.affords(1 << smallest) {
            return Ok(Some(self.out_of_budget("the first pilot", 1 << smallest)));
        }
        let first = Pilot::ask(smallest, &mut self.asker, self.rng)?;
        let load = GUIDE_LOAD * energy(&first.residual(&[])) / tau.powi(2);
        let mut bits = bits_for(load, n).max(5.min(n));
        loop {
            let why = self.renew_guides(bits)?;
            if why.is_some() {
                return Ok(why);
            }
            let need = bits_for(GUIDE_NOISE * self.noise2 / tau.powi(2), n);
            if need <= bits {
                return Ok(None);
            }
            bits = need;
        }
    }

    /// Asks fresh guides in place of those there are; says why, if it cannot.
    fn renew_guides(&mut self, bits: usize) -> Result<Option<String>> {
        let queries = (GUIDES as u64) << bits;
        if !self.asker.affords(queries) {
            return Ok(Some(self.out_of_budget("the guide pilots", queries)));
        }
        let guides = (0..GUIDES).map(|_| Pilot::ask(bits, &mut self.asker, self.rng));
        self.guides = guides.collect::<Result<_>>()?;
        self.noise2 = self.noise_of_guides().max(self.noise_of_tables());
        Ok(None)
    }

    /// Whether much of the weight lies on sets of few coordinates: the correlation of answers at points that differ in one
    /// coordinate of ten. Sets of many coordinates are blind to it.
    fn lies_on_few_coordinates(&mut self) -> Result<bool> {
        let n = self.search.n;
        let (points, answers) = self.guides[0].points_and_answers();
        let points = &points[..points.len().min(PAIRS)];
        if !self.asker.affords(points.len() as u64) {
            return Ok(false);
        }
        let mut rows = Vec::with_capacity(points.len() * n);
        for point in points {
            let mut turned = Bits::empty(n);
            (0..n).filter(|_| self.rng.random::<f64>() < TURNED).for_each(|i| turned.insert(i));
            rows.extend(point.xor(&turned).signs(n));
        }
        let others = self.asker.rows(&wide(n, rows))?;
        let squares: f64 = answers[..points.len()].iter().map(|a| a * a).sum();
        let products: f64 = answers.iter().zip(&others).map(|(a, b)| a * b).sum();
        Ok(products > CORRELATED * squares)
    }

    /// Variance of an answer's part that is spread over all bins: the energy of bins below the threshold.
    fn noise_of_guides(&self) -> f64 {
        let threshold = self.search.tau / 2.0;
        let light = |guide: &Pilot| {
            let bins = guide.residual(&self.known);
            bins.iter().filter(|v| v.abs() < threshold).map(|v| v * v).sum::<f64>()
        };
        self.guides.iter().map(light).sum::<f64>() / self.guides.len().max(1) as f64
    }

    /// The same from the tables in which most bins hold no character any more; 0 if there is none.
    fn noise_of_tables(&self) -> f64 {
        let left = self.n_heavy();
        let clear = self.tables.iter().filter(|table| 4 * left <= table.n_bins());
        clear.map(Table::noise2).fold(0.0, f64::max)
    }

    /// How many bins of a guide are heavy beyond what is known.
    fn n_heavy(&self) -> usize {
        let threshold = self.search.tau / 2.0;
        let count = |guide: &Pilot| {
            guide.residual(&self.known).iter().filter(|v| v.abs() >= threshold).count() as f64
        };
        median(self.guides.iter().map(count).collect()) as usize
    }

    /// Code and size of the next table, for so many sets.
    fn next_table(&self, codes: &Codes, few: bool, n_sets: usize) -> (Kind, usize) {
        let n = self.search.n;
        let load = (n_sets as f64 / LOAD).log2().round().max(2.0) as usize;
        let in_noise = self.noise2 / self.search.tau.powi(2);
        // A hard sign is right for all of d delays if its bin stands √(2 ln 10d) out; the code gains what 3.6 says.
        let hard = |d: f64| load.max(bits_for(2.0 * d.ln() * in_noise, n));
        let n_delays = |kind: Kind| codes.of(kind).delays.len() as f64;
        let size = |kind: Kind| match kind {
            Kind::Few => hard(1.5 * n_delays(kind)),
            Kind::Identity => hard(10.0 * n_delays(kind)),
            Kind::Convolutional => load.max(bits_for(3.6 * in_noise, n)),
        };
        if few {
            return (Kind::Few, size(Kind::Few));
        }
        let cost = |kind: &Kind| codes.of(*kind).delays.len() << size(*kind);
        let cheaper = if cost(&Kind::Identity) <= cost(&Kind::Convolutional) {
            Kind::Identity
        } else {
            Kind::Convolutional
        };
        (cheaper, size(cheaper))
    }

    /// Plans a certificate on what is known now, and asks its fresh pilots. Attempt a may fail with a share 3/4^a of the
    /// failure probability: these add up to 1, and those before it to 1 − 4^(1−a).
    fn attempt(&mut self) -> Result<Attempt> {
        self.n_attempts += 1;
        let share = 0.75 * 0.25_f64.powf(f64::from(self.n_attempts) - 1.0);
        let HashedSearch { n, tau, bound, failure, .. } = *self.search;
        let residuals: Vec<Vec<f64>> =
            self.guides.iter().map(|g| g.residual(&self.known)).collect();
        let mean = |look: fn(&[f64]) -> f64| {
            residuals.iter().map(|r| look(r)).sum::<f64>() / residuals.len() as f64
        };
        let (in_guides, fourth) = (mean(energy), mean(fourth_power));
        let (squares, values) = self.tables.iter().fold((0.0, 0.0), |(squares, values), table| {
            (squares + table.squares(), values + table.len() as f64)
        });
        // Tables hold many more points than guides; how heavy the tail is, guides tell, or the bound does.
        let in_tables = if values > 0.0 { squares / values } else { 0.0 };
        let kurtosis = if in_guides > 0.0 { fourth / in_guides } else { bound.powi(2) };
        let seen = Seen {
            n,
            tau,
            bound,
            failure: failure * share,
            listed: self.known.len(),
            sizes: self.known.iter().map(|k| k.value.abs()).sum(),
            energy: in_guides.max(in_tables),
            fourth_power: kurtosis * in_guides.max(in_tables),
            noise2: self.noise_of_guides().max(in_tables.min(self.noise2)),
        };
        // What the search saw decides which promise is worth proving under: beyond twice its square distance the stronger
        // one is refuted anyway.
        let refuted = seen.energy > 2.0 * tau.powi(2) / 16.0;
        let promise = if refuted { Promised::Spectrum } else { Promised::MeanSquare };
        let Some(plan) = Plan::cheapest(&seen, promise) else {
            return Ok(Attempt::Impossible(format!(
                "no certificate of pilots of at most 2^{} points can be had: the noise is too large for them, or the cube too small \
                 (then ask all of it: search = \"transform\")",
                MOST_BITS.min(n)
            )));
        };
        if !self.asker.affords(plan.queries()) {
            return Ok(Attempt::Impossible(self.out_of_budget("the certificate", plan.queries())));
        }
        self.last.clear();
        for _ in 0..plan.n_pilots {
            let pilot = Pilot::ask(plan.m, &mut self.asker, self.rng)?;
            let residual = pilot.residual(&self.known);
            let accepts = residual.iter().all(|v| v.abs() < plan.threshold)
                && energy(&residual) <= plan.most_energy;
            self.last.push(residual);
            self.guides.push(pilot);
            if !accepts {
                return Ok(Attempt::Opened);
            }
        }
        Ok(Attempt::Shut(Certificate::Shut {
            promise,
            // All attempts together.
            failure: plan.failure + failure * (1.0 - share / 0.75),
            n_pilots: plan.n_pilots,
            n_points: 1 << plan.m,
        }))
    }

    fn out_of_budget(&self, what: &str, queries: u64) -> String {
        format!(
            "{what} would take {queries} queries, and {} of at most {} are spent",
            self.asker.spent, self.asker.most
        )
    }
}

/// How an attempt at a certificate ended.
enum Attempt {
    Shut(Certificate),
    Opened,
    Impossible(String),
}

/// The least number of bits with at least so many values, at most n and [`MOST_BITS`].
fn bits_for(values: f64, n: usize) -> usize {
    (values.max(1.0).log2().ceil() as usize).min(n).min(MOST_BITS)
}

#[cfg(test)]
mod tests;
