//! Robust means: what must hold for every sample, and theorems against simulation.
use proptest::prelude::*;

use super::*;
use crate::rng::{Rng, RngExt, Seed, sign};
use crate::stats::{Proportion, binomial_tail};

/// Every estimator, with parameters that samples of 15 and more can be asked of.
fn all() -> Vec<RobustMean> {
    vec![
        RobustMean::Mean,
        RobustMean::Median,
        RobustMean::Trimmed { share: 0.2 },
        RobustMean::MedianOfMeans { groups: 5 },
        RobustMean::MeanOfMedians { size: 5 },
        RobustMean::Catoni { deviation: 10.0, failure: 0.1 },
        RobustMean::Huber { tuning: HUBER_TUNING },
    ]
}

/// Catoni's scale is a parameter in the units of the values.
fn scaled(estimator: RobustMean, by: f64) -> RobustMean {
    match estimator {
        RobustMean::Catoni { deviation, failure } => {
            RobustMean::Catoni { deviation: deviation * by.abs(), failure }
        }
        other => other,
    }
}

fn samples() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(-100.0..100.0_f64, 15..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(5), ..ProptestConfig::default() })]

    #[test]
    fn a_shift_and_a_scale_of_the_values_are_one_of_the_estimate(
        values in samples(), by in prop_oneof![-50.0..-0.02_f64, 0.02..50.0_f64], shift in -1e3..1e3_f64,
    ) {
        for estimator in all() {
            let plain = estimator.of(&mut values.clone()).unwrap();
            let mut moved: Vec<f64> = values.iter().map(|v| by * v + shift).collect();
            let got = scaled(estimator, by).of(&mut moved).unwrap();
            let want = by * plain + shift;
            prop_assert!((got - want).abs() <= 1e-10 * (1.0 + 100.0 * by.abs() + shift.abs()), "{estimator:?}: {got} for {want}");
        }
    }

    #[test]
    fn the_order_of_the_values_does_not_matter(values in samples(), seed in 0..u64::MAX) {
        let mut rng = Seed::new(seed).stream("order");
        for estimator in all() {
            let mut shuffled = values.clone();
            match estimator {
                // Any order inside groups, and of groups.
                RobustMean::MeanOfMedians { size } => {
                    shuffled.truncate(values.len() / size * size);
                    let mut groups: Vec<Vec<f64>> = shuffled.chunks(size).map(<[f64]>::to_vec).collect();
                    groups.iter_mut().for_each(|group| crate::rng::shuffle(group, &mut rng));
                    crate::rng::shuffle(&mut groups, &mut rng);
                    shuffled = groups.concat();
                }
                RobustMean::MedianOfMeans { groups } => {
                    shuffled.truncate(values.len() / groups * groups);
                    let size = shuffled.len() / groups;
                    let plain = estimator.of(&mut shuffled.clone()).unwrap();
                    shuffled.chunks_mut(size).for_each(|group| crate::rng::shuffle(group, &mut rng));
                    shuffled.rotate_left(size);
                    prop_assert!((estimator.of(&mut shuffled).unwrap() - plain).abs() < 1e-10);
                    continue;
                }
                _ => crate::rng::shuffle(&mut shuffled, &mut rng),
            }
            let plain = estimator.of(&mut values.clone()).unwrap();
            let got = estimator.of(&mut shuffled).unwrap();
            prop_assert!((got - plain).abs() < 1e-9, "{estimator:?}: {got} for {plain}");
        }
    }

    #[test]
    fn as_many_values_as_it_tolerates_may_be_anything(
        values in samples(), seed in 0..u64::MAX, far in prop_oneof![Just(f64::INFINITY), Just(f64::NAN), Just(-1e300), Just(f64::NEG_INFINITY)],
    ) {
        let mut rng = Seed::new(seed).stream("places");
        for estimator in all() {
            let n = values.len();
            let mut spoilt = values.clone();
            for place in crate::rng::permutation(n, &mut rng).into_iter().take(estimator.tolerates(n)) {
                spoilt[place] = far;
            }
            let got = estimator.of(&mut spoilt).unwrap();
            // All good values are in [−100, 100]; Huber's goes at most 2 · 1.345 · 1.4826 · 100 beyond, by its bound.
            let most = if matches!(estimator, RobustMean::Huber { .. }) { 500.0 } else { 100.0 };
            prop_assert!(got.abs() <= most, "{estimator:?}: {got}");
        }
    }

    #[test]
    fn one_more_in_the_worst_place_breaks_it(values in samples(), far in prop_oneof![Just(1e300), Just(-1e300), Just(f64::NAN)]) {
        for estimator in all() {
            // All in the first groups: the worst place for both grouped estimators. Means need one outlier a group.
            let n = values.len();
            let bad = estimator.tolerates(n) + 1;
            let (size, longer) = match estimator {
                RobustMean::MedianOfMeans { groups } => (n / groups, n % groups),
                _ => (1, 0),
            };
            let mut spoilt = values.clone();
            (0..bad).for_each(|i| spoilt[i * size + i.min(longer)] = far);
            if matches!(estimator, RobustMean::Huber { .. } | RobustMean::Median) {
                // Of an even number half is not yet a majority, but pulls the middle half-way.
                (0..=n / 2).for_each(|i| spoilt[i] = far);
            }
            let got = estimator.of(&mut spoilt).unwrap();
            // Catoni's goes by the logarithm only: ψ(α 1e300) ≈ 1380 against at most 80 values; beyond 100 all the same.
            prop_assert!(got.is_nan() || got.abs() > 100.0, "{estimator:?}: {got}");
        }
    }
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let says = |estimator: RobustMean, word: &str| {
        let said = estimator.of(&mut [1.0, 2.0]).unwrap_err().to_string();
        assert!(said.contains(word), "{said}");
    };
    says(RobustMean::Trimmed { share: 0.5 }, "share = 0.5");
    says(RobustMean::Trimmed { share: f64::NAN }, "share");
    says(RobustMean::MedianOfMeans { groups: 0 }, "groups");
    says(RobustMean::MedianOfMeans { groups: 3 }, "at least 3 values");
    says(RobustMean::MeanOfMedians { size: 4 }, "odd");
    says(RobustMean::MeanOfMedians { size: 3 }, "values = 2");
    says(RobustMean::Catoni { deviation: 0.0, failure: 0.1 }, "deviation");
    says(RobustMean::Catoni { deviation: 1.0, failure: 1.0 }, "failure");
    // 2 ln(2/0.1) = 5.99.
    says(RobustMean::Catoni { deviation: 1.0, failure: 0.1 }, "at least 6 values");
    says(RobustMean::Huber { tuning: f64::INFINITY }, "tuning");
    assert!(RobustMean::Mean.of(&mut []).is_err());
    assert!(group_size(100, 0.5, 0.01).unwrap_err().to_string().contains("below 1/2"));
    assert!(group_size(10, 0.49, 1e-9).unwrap_err().to_string().contains("more values"));
}

#[test]
fn an_estimator_is_a_parameter() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Method {
        mean: RobustMean,
    }
    for mean in all() {
        let method = Method { mean };
        let text = toml::to_string(&method).unwrap();
        assert_eq!(toml::from_str::<Method>(&text).unwrap(), method, "{text}");
    }
    let read: Method = toml::from_str("mean = { kind = \"mean-of-medians\", size = 9 }").unwrap();
    assert_eq!(read.mean, RobustMean::MeanOfMedians { size: 9 });
    assert!(toml::from_str::<Method>("mean = { kind = \"huber\", tuning = 1, c = 2 }").is_err());
}

#[test]
fn failures_and_group_sizes_are_the_closed_forms() {
    // By exact rational arithmetic, apart from this crate: N = 3000.
    let size = |size| RobustMean::MeanOfMedians { size };
    for (m, share, want) in [
        (3, 0.05, 0.999_308_335),
        (5, 0.05, 0.501_064_119),
        (9, 0.05, 0.011_002_207),
        (15, 0.05, 3.659_080e-5),
        (9, 0.2, 0.998_619_496),
        (15, 0.2, 0.572_479_307),
        (21, 0.2, 0.128_695_443),
        (31, 0.2, 0.008_427_536),
    ] {
        let got = size(m).spoilt(3000, share).unwrap();
        assert!((got - want).abs() < 1e-9, "{m}, {share}: {got}");
    }
    for (share, want) in
        [(0.01, 5), (0.05, 11), (0.1, 15), (0.2, 31), (0.3, 71), (0.4, 243), (0.45, 751)]
    {
        assert_eq!(group_size(3000, share, 0.01).unwrap(), want, "{share}");
    }
    // A group of 3 has a bad majority with probability 3 ε² − 2 ε³.
    assert!((bad_majority(3, 0.1) - 0.028).abs() < 1e-15);
    // Three groups of one: at least two bad.
    let got = RobustMean::MedianOfMeans { groups: 3 }.spoilt(3, 0.1).unwrap();
    assert!((got - 0.028).abs() < 1e-15);
    // Groups of 2 and of 1: bad with 0.19 and 0.1; of two groups one bad spoils the mean of the middle: 1 − 0.81 · 0.9.
    let got = RobustMean::MedianOfMeans { groups: 2 }.spoilt(3, 0.1).unwrap();
    assert!((got - 0.271).abs() < 1e-12, "{got}");
    assert!((RobustMean::Mean.spoilt(2, 0.1).unwrap() - 0.19).abs() < 1e-12);
    // Of 4 values, over one: 1 − 0.9⁴ − 4 · 0.1 · 0.9³.
    let got = RobustMean::Trimmed { share: 0.25 }.spoilt(4, 0.1).unwrap();
    assert!((got - 0.0523).abs() < 1e-12, "{got}");
    // The fewest groups: two fewer are too few, and at a third of outliers most groups hold a single value.
    let groups = group_count(3000, 0.05, 0.01).unwrap();
    let spoilt = |groups| RobustMean::MedianOfMeans { groups }.spoilt(3000, 0.05).unwrap();
    assert!(groups % 2 == 1 && spoilt(groups) <= 0.01 && spoilt(groups - 20) > 0.01, "{groups}");
    assert!(group_count(3000, 1.0 / 3.0, 0.01).unwrap() > 1500);
    let t = trimmed_share(3000, 0.05, 0.01).unwrap();
    let past = |t: f64| binomial_tail(3000, 0.05, (t * 3000.0).round() as u64 + 1);
    assert!(past(t) <= 0.01 && past(t - 1.0 / 3000.0) > 0.01);
}

#[test]
fn the_bias_of_medians_is_the_largest_there_is() {
    // Against a search: no coin does worse, and the best of a fine grid nearly attains it.
    for (m, share) in [(3, 0.05), (9, 0.2), (15, 0.05), (15, 0.3), (101, 0.1)] {
        let k = m / 2 + 1;
        let at = |p: f64| 2.0 * (binomial_tail(m, p, k) - binomial_tail(m, (1.0 - share) * p, k));
        let best = (0..=4000).map(|i| at(f64::from(i) / 4000.0)).fold(0.0, f64::max);
        let got = bias_of_medians(m as usize, share);
        assert!(got >= best - 1e-12 && got < best + 1e-4, "{m}, {share}: {got} for {best}");
    }
    assert!((unavoidable_bias(1.0 / 3.0, 1.0) - 0.5).abs() < 1e-15);
}

/// Draws of a good part, with its mean, half-width and spread.
type Law = (fn(&mut Rng) -> f64, f64, f64, Spread);

const LAWS: [Law; 3] = [
    (|rng| 2.0 * rng.random::<f64>() - 1.0, 0.0, 1.0, Spread::Symmetric),
    (sign, 0.0, 1.0, Spread::Symmetric),
    // Bernoulli(0.1): mean 0.1, within 0.9 of it.
    (|rng| f64::from(u8::from(rng.random::<f64>() < 0.1)), 0.1, 0.9, Spread::Any),
];

/// A sample with outliers at `at`, independently, with probability `share`.
fn sample((draw, ..): &Law, n: usize, (share, at): (f64, f64), rng: &mut Rng) -> Vec<f64> {
    let one = |rng: &mut Rng| if rng.random::<f64>() < share { at } else { draw(rng) };
    (0..n).map(|_| one(rng)).collect()
}

/// Rejects if so many hits or more have a probability of at most 1e-6 under `p`.
fn too_many(hits: Proportion, p: f64) -> bool {
    binomial_tail(hits.of, p, hits.hits) <= 1e-6
}

#[test]
fn no_bound_is_exceeded_more_often_than_it_says() {
    // 3 laws × 5 positions × about 7 bounds: a false alarm in all of them together has a probability below 1e-4.
    let (n, share, failure, n_trials) = (600, 0.05, 0.02, 200);
    let mut n_bounds = 0;
    for (which, law) in LAWS.iter().enumerate() {
        let (_, mean, half_width, spread) = *law;
        let setting = Contamination { n, share, half_width, spread, failure };
        let estimators = [
            RobustMean::Median,
            RobustMean::Trimmed { share: trimmed_share(n, share, 0.5 * failure).unwrap() },
            RobustMean::MedianOfMeans { groups: 201 },
            RobustMean::MeanOfMedians { size: group_size(n, share, 0.5 * failure).unwrap() },
            RobustMean::Huber { tuning: HUBER_TUNING },
        ];
        let bar = mean + half_width;
        for at in [bar, -bar, 1e9, f64::NAN, 3.0 * bar] {
            let mut rng = Seed::new(17 + which as u64).stream("bounds");
            let trials: Vec<Vec<f64>> =
                (0..n_trials).map(|_| sample(law, n, (share, at), &mut rng)).collect();
            for estimator in estimators {
                let bound = estimator.bound(&setting).unwrap().error;
                assert!(bound.is_finite() && bound > 0.0, "{estimator:?}");
                n_bounds += 1;
                let off = |values: &Vec<f64>| {
                    // Rounding of a mean of 600 values.
                    (estimator.of(&mut values.clone()).unwrap() - mean).abs() > bound + 1e-12
                };
                let hits = Proportion::count(trials.iter().map(off));
                assert!(!too_many(hits, failure), "{estimator:?} at {at}: {hits:?} beyond {bound}");
            }
        }
        let clean = Contamination { share: 0.0, ..setting };
        for estimator in [RobustMean::Mean, RobustMean::Catoni { deviation: 1.0, failure }] {
            let bound = estimator.bound(&clean).unwrap().error;
            assert!(estimator.bound(&setting).is_none());
            let mut rng = Seed::new(29).stream("clean");
            let off = |_| {
                let mut values = sample(law, n, (0.0, 0.0), &mut rng);
                (estimator.of(&mut values).unwrap() - mean).abs() > bound
            };
            let hits = Proportion::count((0..n_trials).map(off));
            assert!(!too_many(hits, failure), "{estimator:?}: {hits:?} beyond {bound}");
        }
    }
    assert_eq!(n_bounds, 75);
}

#[test]
fn far_outliers_spoil_as_often_as_predicted() {
    // Both tails at 1e-6 for each of 13: a false alarm anywhere has a probability below 3e-5.
    let (n, n_trials) = (3000, 400);
    let cases = [3, 5, 9, 15].map(|size| (RobustMean::MeanOfMedians { size }, 0.05));
    let more = [9, 15, 21, 31].map(|size| (RobustMean::MeanOfMedians { size }, 0.2));
    let groups = [55, 151, 201, 301].map(|groups| (RobustMean::MedianOfMeans { groups }, 0.05));
    let first = [(RobustMean::MedianOfMeans { groups: 55 }, 0.01)];
    for (estimator, share) in [&cases[..], &more, &groups, &first].concat() {
        let mut rng = Seed::new(41).stream("far");
        let predicted = estimator.spoilt(n, share).unwrap();
        let off = |_| {
            let mut values = sample(&LAWS[0], n, (share, 1e6), &mut rng);
            estimator.of(&mut values).unwrap().abs() > 1.0
        };
        let hits = Proportion::count((0..n_trials).map(off));
        let too_few = binomial_tail(hits.of, 1.0 - predicted, hits.of - hits.hits) <= 1e-6;
        assert!(!too_many(hits, predicted) && !too_few, "{estimator:?}: {hits:?} for {predicted}");
    }
}

#[test]
fn one_sided_outliers_shift_medians_of_uniforms_as_order_statistics_say() {
    // A group of m with j far ones above, j a minority: its median is the k-th least of m − j uniforms on [−1, 1], of mean
    // 2k/(m − j + 1) − 1. The mean over j, given that it is a minority, against 20000 groups: deviation at most
    // 1/√20000, and 5 of those.
    let (m, share, groups) = (15_u64, 0.05, 20_000);
    let k = m.div_ceil(2);
    let of = |j: u64| binomial_tail(m, share, j) - binomial_tail(m, share, j + 1);
    let mean: f64 =
        (0..k).map(|j| of(j) * (2.0 * k as f64 / (m - j + 1) as f64 - 1.0)).sum::<f64>();
    let want = mean / (1.0 - bad_majority(m as usize, share));
    // The limit of large groups is ε/(1 − ε): near it, for uniforms.
    assert!((want - unavoidable_bias(share, 1.0)).abs() < 0.004, "{want}");
    let mut rng = Seed::new(43).stream("shift");
    let mut values = sample(&LAWS[0], 15 * groups, (share, 1e6), &mut rng);
    let got = RobustMean::MeanOfMedians { size: 15 }.of(&mut values).unwrap();
    assert!((got - want).abs() < 5.0 / (groups as f64).sqrt(), "{got} for {want}");
    assert!(want <= bias_of_medians(15, share));
}
