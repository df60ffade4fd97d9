//! Real images: 1,797 handwritten digits of 8×8 pixels, embedded in the crate.
//!
//! The test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI, CC BY 4.0), in the file
//! that scikit-learn ships; see `data/README.md`.
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use super::split::{Finite, cut, stratified_order};
use super::{Part, Population, Promise, World};
use crate::data::{Labeled, Target, argmax, stack};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Seed;

/// Images.
const N_IMAGES: usize = 1797;
/// Pixels an image.
const N_PIXELS: usize = 64;
/// Classes.
const N_CLASSES: usize = 10;
/// Pixel values run from 0 to this.
const MAX_PIXEL: f64 = 16.0;

/// The digits, split at random into training, clean and test parts with equal shares of every class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DigitsFamily {
    /// Images to train on.
    pub train: usize,
    /// Clean images for mitigators; what is left is for testing.
    pub clean: usize,
}

impl Default for DigitsFamily {
    fn default() -> Self {
        Self { train: 1000, clean: 300 }
    }
}

impl DigitsFamily {
    // A finite family is a constant, but its siblings' worlds depend on their parameters.
    #[expect(clippy::unused_self, reason = "the same shape as the other families")]
    pub(super) fn world(&self) -> World {
        World {
            domain: Domain::Range { n: N_PIXELS, low: 0.0, high: 1.0 },
            target: Target::Classes(N_CLASSES),
            promise: Promise::Nothing,
            cutoff: 0.5,
        }
    }

    pub(super) fn available(&self, part: Part) -> usize {
        match part {
            Part::Train => self.train,
            Part::Clean => self.clean,
            Part::Test => N_IMAGES.saturating_sub(self.train.saturating_add(self.clean)),
        }
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        if self.train.saturating_add(self.clean) >= N_IMAGES {
            let want =
                format!("train + clean must leave some of the {N_IMAGES} images for testing");
            return Err(Error::parameter("train", self.train, want));
        }
        let all = images()?;
        let classes = all.ys.rows().into_iter().map(|label| argmax(&label.to_vec()));
        let order = stratified_order(classes, N_CLASSES, &mut seed.stream("split"));
        let parts = cut(&order, [Part::Train, Part::Clean, Part::Test].map(|p| self.available(p)));
        Ok(Box::new(Finite { world: self.world(), rows: all, parts }))
    }
}

/// All images with one-hot labels, pixels scaled to [0, 1]; read once.
fn images() -> Result<&'static Labeled> {
    static IMAGES: OnceLock<Result<Labeled, String>> = OnceLock::new();
    let read = IMAGES.get_or_init(|| parse(include_bytes!("../../data/digits.csv.gz")));
    read.as_ref()
        .map_err(|why| Error::Spec { place: "the embedded digits".to_owned(), why: why.clone() })
}

fn parse(gz: &[u8]) -> Result<Labeled, String> {
    let mut text = String::new();
    GzDecoder::new(gz).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let mut pixels = Vec::with_capacity(N_IMAGES);
    let mut labels = Vec::with_capacity(N_IMAGES);
    for (number, line) in text.lines().enumerate() {
        let numbers: Vec<f64> =
            line.split(',').map(|field| field.trim().parse().unwrap_or(f64::NAN)).collect();
        match numbers.split_last() {
            Some((class, rest))
                if rest.len() == N_PIXELS && numbers.iter().all(|x| x.is_finite()) =>
            {
                pixels.push(rest.iter().map(|x| x / MAX_PIXEL).collect());
                labels.push(Target::Classes(N_CLASSES).label_of(*class as usize));
            }
            _ => return Err(format!("line {} is not 64 pixels and a class", number + 1)),
        }
    }
    if pixels.len() != N_IMAGES {
        return Err(format!("{N_IMAGES} images wanted, {} found", pixels.len()));
    }
    Ok(Labeled { xs: stack(N_PIXELS, pixels), ys: stack(N_CLASSES, labels) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::Cursor;

    #[test]
    fn the_data_are_the_known_ones() {
        // The class counts of the testing set, as the UCI page of the data set gives them.
        let all = images().unwrap();
        let mut counts = [0; N_CLASSES];
        all.ys.rows().into_iter().for_each(|y| counts[argmax(&y.to_vec())] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert!(all.xs.iter().all(|x| (0.0..=1.0).contains(x)));
    }

    #[test]
    fn parts_do_not_overlap_and_keep_the_class_shares() {
        let population = DigitsFamily::default().build(Seed::new(1)).unwrap();
        let mut seen = Vec::new();
        for part in [Part::Train, Part::Clean, Part::Test] {
            let n = population.available(part).unwrap();
            let mut cursor = Cursor::new(Seed::new(2).stream("draw"));
            let drawn = population.draw(part, n, &mut cursor).unwrap();
            assert!(population.draw(part, 1, &mut cursor).is_err());
            for class in 0..N_CLASSES {
                let count = drawn.ys.column(class).sum();
                let share = count / n as f64;
                assert!((share - 0.1).abs() < 0.02, "{part:?}: class {class} has {share}");
            }
            seen.extend(drawn.xs.rows().into_iter().map(|x| format!("{x}")));
        }
        assert_eq!(seen.len(), N_IMAGES);
        let distinct = |mut rows: Vec<String>| {
            rows.sort();
            rows.dedup();
            rows.len()
        };
        let all: Vec<String> =
            images().unwrap().xs.rows().into_iter().map(|x| format!("{x}")).collect();
        assert_eq!(distinct(seen), distinct(all));
    }

    #[test]
    fn the_split_of_a_seed_is_what_it_was_in_earlier_versions() {
        let population = DigitsFamily::default().build(Seed::new(1)).unwrap();
        let mut cursor = Cursor::new(Seed::new(2).stream("draw"));
        let drawn = population.draw(Part::Train, 12, &mut cursor).unwrap();
        let classes: Vec<usize> =
            drawn.ys.rows().into_iter().map(|y| argmax(&y.to_vec())).collect();
        // Read off version 0.1.0.
        assert_eq!(classes, [5, 6, 9, 3, 6, 3, 4, 2, 2, 3, 2, 0]);
    }

    #[test]
    fn a_split_that_leaves_no_test_data_is_refused() {
        let family = DigitsFamily { train: 1500, clean: 297 };
        assert!(family.build(Seed::new(1)).is_err());
    }
}
