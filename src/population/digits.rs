//! Real images: 1,797 handwritten digits of 8×8 pixels, embedded in the crate.
//!
//! The test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, UCI, CC BY 4.0), in the file
//! that scikit-learn ships; see `data/README.md`.
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use super::{Cursor, Part, Population, Promise, Truth, World};
use crate::data::{Labeled, Target, stack};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::{Rng, Seed, shuffle};

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
        let order = stratified_order(all, &mut seed.stream("split"));
        let (train, rest) = order.split_at(self.train);
        let (clean, test) = rest.split_at(self.clean);
        let parts = [train, clean, test].map(|rows| all.select(rows));
        Ok(Box::new(Digits { world: self.world(), parts }))
    }
}

#[derive(Debug)]
struct Digits {
    world: World,
    parts: [Labeled; 3],
}

impl Digits {
    fn part(&self, part: Part) -> &Labeled {
        &self.parts[part as usize]
    }
}

impl Population for Digits {
    fn world(&self) -> &World {
        &self.world
    }

    fn draw(&self, part: Part, n: usize, cursor: &mut Cursor) -> Result<Labeled> {
        let all = self.part(part);
        let left = all.len() - cursor.drawn;
        if n > left {
            return Err(Error::Exhausted { part: part.name(), left, asked: n });
        }
        let rows: Vec<usize> = (cursor.drawn..cursor.drawn + n).collect();
        cursor.drawn += n;
        Ok(all.select(&rows))
    }

    fn available(&self, part: Part) -> Option<usize> {
        Some(self.part(part).len())
    }

    fn truth(&self) -> Option<&Truth> {
        None
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

/// An order in which every stretch holds the classes in nearly equal shares: classes are shuffled within, then images are
/// sorted by how far through their own class they come.
fn stratified_order(all: &Labeled, rng: &mut Rng) -> Vec<usize> {
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); N_CLASSES];
    for (i, label) in all.ys.rows().into_iter().enumerate() {
        by_class[crate::data::argmax(&label.to_vec())].push(i);
    }
    let mut placed: Vec<(f64, usize)> = Vec::with_capacity(all.len());
    for members in &mut by_class {
        shuffle(members, rng);
        let n = members.len() as f64;
        placed.extend(members.iter().enumerate().map(|(k, &i)| ((k as f64 + 0.5) / n, i)));
    }
    placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut order: Vec<usize> = placed.into_iter().map(|(_, i)| i).collect();
    // Within a stretch the classes now come in a fixed rhythm; shuffling short stretches takes it out again and keeps
    // the shares.
    for stretch in order.chunks_mut(10 * N_CLASSES) {
        shuffle(stretch, rng);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::argmax;

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
    fn a_split_that_leaves_no_test_data_is_refused() {
        let family = DigitsFamily { train: 1500, clean: 297 };
        assert!(family.build(Seed::new(1)).is_err());
    }
}
