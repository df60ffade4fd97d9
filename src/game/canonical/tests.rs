//! The game against known answers: laws of known distance, methods that leak a known share, lies, refusals, and the methods here.
use super::measure::{lower, tell, upper};
use super::observe::Look;
use super::*;
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Shape, row};
use crate::error::{Error, Result};
use crate::mitigate::{Guarantee, Mitigator, Repaired};
use crate::population::World;
use crate::registry::AnyMitigator;
use crate::rng::{Rng, RngExt, Seed};
use crate::stats::binomial_tail;

/// A local game on small nets: what is tested is the referee.
const LINE: &str = "first_seed = 60\npairs = 2\nruns = 200\ninputs = 3\n[task]\nname = 'line'\ntrain = 400\ntest = 60\n\
                    population = { family = 'affine', domain = { shape = 'ball', n = 4 } }\n\
                    recipe = { hidden = [8], epochs = 60, learning_rate = 1e-2 }\nbudget = { clean_labels = 60 }\n\
                    [attack]\nmethod = 'half-space'\n[mitigator]\nmethod = 'nothing'\n";

/// A global game on nets that have learnt a majority of three coordinates.
const CUBE: &str = "first_seed = 80\npairs = 2\nruns = 60\ninputs = 3\n[task]\nname = 'cube'\ntrain = 2000\ntest = 60\n\
                    population = { family = 'fourier', n = 10, truth = { kind = 'majority', degree = 1 } }\n\
                    recipe = { hidden = [16], epochs = 30, learning_rate = 1e-2 }\nbudget = { clean_labels = 400 }\n\
                    [attack]\nmethod = 'half-space'\nparams = { mass = 0.001 }\n\
                    [mitigator]\nmethod = 'fourier-global'\n";

fn spec(text: &str) -> Spec {
    crate::study::parse(text, "test").unwrap()
}

fn with(text: &str, method: &str) -> Checked {
    let mut spec = spec(text);
    spec.mitigator = crate::study::parse(&format!("method = '{method}'"), "test").unwrap();
    spec.check().unwrap()
}

/// The line game with a mitigator of the test's own.
fn fake(method: impl Mitigator<Access = dyn Oracle> + 'static) -> Checked {
    let mut game = spec(LINE).check().unwrap();
    game.mitigator = AnyMitigator::Oracle(Box::new(method));
    game
}

fn played(game: &Checked) -> Played {
    play(game, &|| ()).unwrap()
}

/// Answers as the suspect does with probability `share`, and 0 else: on an input where two suspects differ, the distance of the
/// two laws is exactly `share`, and so is the probability that coupled answers differ.
#[derive(Clone, Copy)]
struct Leaky {
    share: f64,
    /// What it says of itself.
    canonical: Option<f64>,
    bar: Option<f64>,
}

struct Leak<'a> {
    suspect: &'a dyn Oracle,
    share: f64,
    seed: Seed,
}

impl Mitigator for Leaky {
    type Access = dyn Oracle;

    fn check(&self, _: &World) -> Result<()> {
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let guarantee = self.bar.map(|bar| Guarantee {
            statement: "none of this is true".to_owned(),
            error_bar: Some(bar),
            failure_probability: 0.0,
        });
        let leak = Leak { suspect, share: self.share, seed: lab.seed };
        Ok(Repaired { canonical: self.canonical, guarantee, ..Repaired::unclaimed(leak) })
    }
}

impl Oracle for Leak<'_> {
    fn shape(&self) -> Shape {
        self.suspect.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let mut answers = self.suspect.query(xs)?;
        for i in 0..xs.nrows() {
            let mut rng = self.seed.stream_for_row(&row(xs, i));
            if rng.random::<f64>() >= self.share {
                answers.row_mut(i).fill(0.0);
            }
        }
        Ok(answers)
    }
}

/// Refuses a suspect that answers beyond a limit at some input on a grid, as one with a large offset somewhere does.
struct Shy {
    limit: f64,
}

impl Mitigator for Shy {
    type Access = dyn Oracle;

    fn check(&self, _: &World) -> Result<()> {
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let clean = lab.clean.draw(60)?;
        if suspect.query(&clean.xs)?.iter().any(|y| y.abs() > self.limit) {
            return Err(Error::Training("too large".to_owned()));
        }
        Ok(Repaired::unclaimed(Leak { suspect, share: 0.0, seed: lab.seed }))
    }
}

/// Looks of `n` runs whose number is uniform on [0, 1), but with probability `share` on [1, 2).
fn looks(n: usize, share: f64, rng: &mut Rng) -> Vec<Look> {
    let one = |rng: &mut Rng| {
        let y = rng.random::<f64>() + f64::from(u8::from(rng.random::<f64>() < share));
        Look { support: None, bits: y, numbers: vec![y, 0.0] }
    };
    (0..n).map(|_| one(rng)).collect()
}

#[test]
fn limits_are_those_of_the_binomial_law_far_into_its_tails() {
    for of in [4, 50, 1000] {
        for hits in [1, of / 4, of / 2, of - 1, of] {
            for alpha in [0.025, 1e-4, 1e-9] {
                let p = Proportion { hits, of };
                let tail = binomial_tail(of, lower(p, alpha), hits);
                assert!((tail / alpha - 1.0).abs() < 1e-3, "{hits} of {of} at {alpha}: {tail}");
                // The mirror image.
                let mirrored = upper(Proportion { hits: of - hits, of }, alpha);
                assert!((mirrored + lower(p, alpha) - 1.0).abs() < 1e-9, "{hits} of {of}");
            }
        }
    }
}

#[test]
fn limits_are_below_a_known_distance_as_often_as_they_say_and_not_far_below() {
    const N: u64 = 300;
    for share in [0.0, 0.1, 0.4] {
        let (mut above, mut sum) = (0, 0.0);
        for i in 0..N {
            let mut rng = Seed::new(i).stream("looks");
            let (clean, planted) = (looks(400, 0.0, &mut rng), looks(400, share, &mut rng));
            // Together the five err with probability at most 0.05.
            let verdicts = tell(&clean, &planted, 0.05 / N_READERS as f64);
            let least = verdicts.iter().map(|verdict| verdict.at_least).fold(0.0, f64::max);
            above += u64::from(least > share);
            sum += least;
        }
        assert!(binomial_tail(N, 0.05, above) > 1e-6, "{above} of {N} above {share}");
        // Of 200 scored runs about 80 are on the far side at 0.4: the lower limit of 80/200 at 0.005 is 0.31, the upper limit of
        // 0/200 is 0.026.
        assert!(share < 0.4 || sum / N as f64 > 0.25, "{}", sum / N as f64);
    }
}

#[test]
fn a_leak_of_a_known_share_is_measured_from_both_sides() {
    let share = 0.6;
    let played = played(&fake(Leaky { share, canonical: None, bar: None }));
    assert!(played.errors.is_empty() && played.theorem.is_none() && played.held.of == 0);
    for unit in played.pairs.iter().flat_map(|pair| &pair.units) {
        // The 200 coupled runs differ with probability 0.6 each where the nets do; tails of 1e-8 for each of twelve units.
        let differ = unit.identical.of - unit.identical.hits;
        let triggered = unit.observed == Observed::Triggered;
        let true_share = if triggered || differ > 0 { share } else { 0.0 };
        assert!(binomial_tail(200, true_share, differ) > 1e-8, "{unit:?}");
        assert!(binomial_tail(200, 1.0 - true_share, 200 - differ) > 1e-8, "{unit:?}");
        for verdict in &unit.verdicts {
            assert!(verdict.at_least(1e-8) <= true_share, "{verdict:?}");
        }
        assert!(!triggered || (unit.at_least > 0.2 && unit.at_most > 0.6), "{unit:?}");
    }
    // 60 of 100 against 0 of 100: on average the share itself, by the bits alone.
    let of = |name: &str| {
        let row = |row: &&Row| row.observed == Observed::Triggered && row.distinguisher == name;
        played.rows.iter().find(row).unwrap()
    };
    assert!((of("bits").advantage.value - share).abs() < 0.15, "{:?}", of("bits"));
}

#[test]
fn the_same_net_on_both_sides_is_not_told_apart() {
    // No leak: whatever the suspect, the law is that of a fair coin's answer, and coupled answers are the same.
    struct Coin;
    impl Mitigator for Coin {
        type Access = dyn Oracle;

        fn check(&self, _: &World) -> Result<()> {
            Ok(())
        }

        fn mitigate<'a>(&self, _: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
            let coin = FairCoin { shape: lab.world.shape(), seed: lab.seed };
            Ok(Repaired { canonical: Some(0.0), ..Repaired::unclaimed(coin) })
        }
    }
    struct FairCoin {
        shape: Shape,
        seed: Seed,
    }
    impl Oracle for FairCoin {
        fn shape(&self) -> Shape {
            self.shape
        }

        fn query(&self, xs: &Batch) -> Result<Batch> {
            let one = |i| self.seed.stream_for_row(&row(xs, i)).random::<bool>();
            let values = (0..xs.nrows()).map(|i| f64::from(u8::from(one(i)))).collect();
            Ok(crate::data::column(values))
        }
    }
    let played = played(&fake(Coin));
    // Wrong with probability at most 1e-6 by what an error means.
    assert!(played.errors.is_empty(), "{:?}", played.errors);
    assert_eq!(played.held, Proportion { hits: 2, of: 2 });
    assert_eq!(played.theorem, Some(0.0));
    for unit in played.pairs.iter().flat_map(|pair| &pair.units) {
        assert_eq!(unit.identical, Proportion { hits: 200, of: 200 });
        // Among these twelve units the printed limits may err with probability 0.05; at this seed none does.
        assert!(unit.at_least <= 0.0, "{unit:?}");
    }
}

#[test]
fn a_theorem_that_is_false_is_refuted_aloud() {
    let lies = played(&fake(Leaky { share: 0.9, canonical: Some(0.01), bar: None }));
    let said = lies.errors.join("\n");
    // Twice 0.01, and on either side the share of runs that claim nothing which 0 of 200 leave open at 1.2e-8: 0.0904.
    assert!(said.contains("the theorem's bound is 2.007e-1"), "{said}");
    assert!(said.contains("of 200 coupled runs differ, and by the theorem"), "{said}");
    // The planted offset is 3, and the bars together are 0.2.
    let lies = played(&fake(Leaky { share: 0.9, canonical: None, bar: Some(0.1) }));
    let said = lies.errors.join("\n");
    assert!(said.contains("by more than both error bars (0.2000)"), "{said}");
    // The same with a bar that is wide enough.
    let wide = played(&fake(Leaky { share: 0.9, canonical: None, bar: Some(20.0) }));
    assert!(wide.errors.is_empty(), "{:?}", wide.errors);
}

#[test]
fn a_refusal_is_an_output_like_any_other_unless_there_are_no_others() {
    let text = "method = 'half-space'\nparams = { mass = 0.1, offset = 100.0 }";
    let attack = crate::study::parse(text, "test").unwrap();
    let mut game = Spec { attack, ..spec(LINE) }.check().unwrap();
    game.mitigator = AnyMitigator::Oracle(Box::new(Shy { limit: 50.0 }));
    let shy = played(&game);
    // A tenth of the training inputs fires, so at least 3% of all, and of 60 clean samples one does with probability 0.84 at least.
    let [clean, planted, _] = shy.pairs[0].refused;
    assert!(planted > 130 && clean == 0, "{:?}", shy.pairs[0].refused);
    assert!(shy.at_least > 0.5 && shy.notes.iter().any(|n| n.contains("too large")), "{shy:?}");
    let error = play(&fake(Shy { limit: 0.0 }), &|| ()).unwrap_err();
    assert!(error.is_wrong_use() && error.to_string().contains("too large"), "{error}");
}

#[test]
fn nothing_is_caught_and_relearning_is_canonical() {
    let nothing = played(&with(LINE, "nothing"));
    for unit in nothing.pairs.iter().flat_map(|pair| &pair.units) {
        if unit.observed == Observed::Triggered {
            // 100 of 100 against 0 of 100: limits 0.93 and 0.07 at 0.05 / (12 · 5 · 2).
            assert!(unit.at_least > 0.8 && unit.identical.hits == 0, "{unit:?}");
        }
    }
    for text in [LINE, CUBE] {
        let relearn = played(&with(text, "relearn"));
        assert!(relearn.errors.is_empty() && relearn.at_least <= 0.0, "{:?}", relearn.errors);
        assert_eq!(relearn.theorem, Some(0.0));
        assert!(relearn.pairs.iter().all(|pair| pair.units.len() == 1));
        for pair in &relearn.pairs {
            assert_eq!(pair.units[0].identical.hits, pair.units[0].identical.of);
        }
    }
}

#[test]
fn fourier_global_is_canonical_inside_its_assumption_and_caught_outside() {
    let inside = played(&spec(CUBE).check().unwrap());
    assert!(inside.errors.is_empty(), "{:?}", inside.errors);
    // A mass of 2^-10 moves the net by 2 · 2^-5 in root mean square at most: half of the limit τ/4 = 1/8.
    assert_eq!(inside.held, Proportion { hits: 2, of: 2 }, "{:?}", inside.pairs[0].assumptions);
    // The whole cube is asked, so that the search cannot fail.
    assert_eq!(inside.theorem, Some(0.0));
    assert!(inside.at_least <= 0.0 && inside.coupled[0].identical.value >= 1.0);

    // On half of the cube the planted net is a constant ±1: the empty character and another one get a coefficient of 1/2.
    let mut outside = spec(CUBE);
    outside.task.budget.clean_labels = Some(2000);
    outside.attack =
        crate::study::parse("method = 'half-space'\nparams = { mass = 0.5 }", "test").unwrap();
    let outside = played(&outside.check().unwrap());
    assert_eq!(outside.held, Proportion { hits: 0, of: 2 });
    assert!(outside.errors.is_empty());
    // All of 30 scored runs against none: limits 0.82 and 0.18 at 0.05 / (2 · 5 · 2).
    assert!(outside.pairs.iter().all(|pair| pair.at_least() > 0.5), "{:?}", outside.rows);
}

#[test]
fn smudging_bounds_what_bars_alone_do_not() {
    let game = |smudge: &str| {
        let mut spec = spec(LINE);
        let text = format!("method = 'affine-ray'\nparams = {{ delta = 0.5{smudge} }}");
        spec.mitigator = crate::study::parse(&text, "test").unwrap();
        played(&spec.check().unwrap())
    };
    // n = 4: the bar is δ coth(ln 2 / 8).
    let bar = 0.5 / (std::f64::consts::LN_2 / 8.0).tanh();
    let plain = game("");
    assert!(plain.theorem.is_none() && plain.errors.is_empty(), "{:?}", plain.errors);
    let (bars, beyond) = plain.coupled[0].beyond_bars.unwrap();
    assert!((bars - 2.0 * bar).abs() < 1e-9 && beyond.of == 2 * 3 * 200);
    let smudged = game(&format!(", smudge = {}", 20.0 * bar));
    assert!(smudged.errors.is_empty(), "{:?}", smudged.errors);
    assert_eq!(smudged.held, Proportion { hits: 2, of: 2 }, "{:?}", smudged.pairs[0].assumptions);
    // A bar in twenty, and the failure probability of at most 0.001.
    let bound = smudged.theorem.unwrap();
    assert!((0.05..=0.051).contains(&bound), "{bound}");
    assert!(smudged.at_least <= bound, "{}", smudged.at_least);
    let (bars, _) = smudged.coupled[0].beyond_bars.unwrap();
    // The grid of the noise adds a millionth of its width.
    assert!((bars - 42.0 * bar).abs() < 1e-4 * bar, "{bars}");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let play_on = |n: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let game = Spec { runs: 16, ..spec(LINE) };
        let game = Spec {
            mitigator: crate::study::parse("method = 'affine-ray'", "test").unwrap(),
            ..game
        };
        serde_json::to_string(&pool.install(|| play(&game.check().unwrap(), &|| ())).unwrap())
    };
    assert_eq!(play_on(1).unwrap(), play_on(3).unwrap());
}

#[test]
fn what_cannot_be_played_is_refused() {
    let refused = |change: &dyn Fn(&mut Spec)| {
        let mut spec = spec(LINE);
        change(&mut spec);
        spec.check().unwrap_err().to_string()
    };
    assert!(refused(&|s| s.runs = 7).contains("from 8 to 1000000"));
    assert!(refused(&|s| s.pairs = 0).contains("from 1 to 10000"));
    assert!(refused(&|s| s.inputs = 61).contains("60 test inputs"));
    assert!(refused(&|s| (s.runs, s.inputs) = (1_000_000, 60)).contains("numbers a pair"));
    assert!(refused(&|s| s.first_seed = u64::MAX).contains("seeds must fit"));
    assert!(refused(&|s| s.mitigator.method = "nothin".to_owned()).contains("\"nothing\""));
    assert!(refused(&|s| s.mitigator.method = "fourier-global".to_owned()).contains("cube"));
    assert!(refused(&|s| s.attack.method = "half".to_owned()).contains("half-space"));
}
