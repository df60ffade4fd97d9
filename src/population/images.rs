//! Images from idx files: Fashion-MNIST, MNIST, and any folder of the same make.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache::{remember, stamp};
use super::catalogue::{Known, NAMES, missing};
use super::idx::{self, Idx};
use super::split::{Finite, Rows, Testing, cut, sizes, stratified_order};
use super::{Part, Population, Promise, World};
use crate::data::{Batch, Labeled, Target};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Seed;

/// Largest value of a pixel.
const MAX_PIXEL: f64 = 255.0;

/// Images of any folder with idx files: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and for testing the same with
/// `t10k`, if they are there; each may be spelled `.idx3-ubyte` and end in `.gz`.
///
/// Pixels are scaled to [0, 1]. There are as many classes as the largest label says, counted from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdxFamily {
    /// The folder, from the working directory if it is relative.
    pub folder: PathBuf,
    /// What the names of the files begin with, such as `emnist-letters-`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Images to train on. Not given: five in six of the training images, or three in five where no test images are apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// Clean images for mitigators. Not given: all other training images, or half of them where no test images are apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<usize>,
}

/// A data set that is known by name, found in one of the usual places and checked against its digests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnownFamily {
    /// Its folder. Not given: the first of the usual places that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Images to train on. Not given: 50,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// Clean images for mitigators. Not given: all other training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean: Option<usize>,
}

/// All images of a folder, those for testing last.
#[derive(Debug)]
struct Images {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    n_pixels: usize,
    n_classes: usize,
    /// How many come from the training files.
    n_train: usize,
    /// Digest of the digests of all files.
    fingerprint: String,
}

/// A folder with the split that is asked of it.
#[derive(Debug)]
pub(super) struct Source {
    images: Arc<Images>,
    train: Option<usize>,
    clean: Option<usize>,
}

impl IdxFamily {
    pub(super) fn source(&self) -> Result<Source> {
        let images = images(&self.folder, &self.prefix, None)?;
        Ok(Source { images, train: self.train, clean: self.clean })
    }
}

impl KnownFamily {
    pub(super) fn source(&self, known: &'static Known) -> Result<Source> {
        let folder = self.folder.clone().map_or_else(|| known.folder(), Ok)?;
        let images = images(&folder, "", Some(known))?;
        Ok(Source { images, train: self.train, clean: self.clean })
    }
}

impl Source {
    fn sizes(&self) -> Result<[usize; 3]> {
        let n_test = self.images.labels.len() - self.images.n_train;
        let testing = if n_test > 0 { Testing::Apart(n_test) } else { Testing::Rest };
        sizes(self.images.n_train, self.train, self.clean, testing)
    }

    pub(super) fn world(&self) -> Result<World> {
        self.sizes()?;
        Ok(World {
            domain: Domain::Range { n: self.images.n_pixels, low: 0.0, high: 1.0 },
            target: Target::Classes(self.images.n_classes),
            promise: Promise::Nothing,
            cutoff: 0.5,
        })
    }

    pub(super) fn available(&self, part: Part) -> Result<usize> {
        Ok(self.sizes()?[part as usize])
    }

    pub(super) fn fingerprint(&self) -> String {
        self.images.fingerprint.clone()
    }

    pub(super) fn build(self, seed: Seed) -> Result<Box<dyn Population>> {
        let (world, sizes) = (self.world()?, self.sizes()?);
        let (n_train, k) = (self.images.n_train, self.images.n_classes);
        let (train, test) = self.images.labels.split_at(n_train);
        let order = |labels: &[u8], stream: &str| {
            stratified_order(labels.iter().map(|y| usize::from(*y)), k, &mut seed.stream(stream))
        };
        let mut parts = cut(&order(train, "split"), sizes);
        if !test.is_empty() {
            parts[Part::Test as usize] =
                order(test, "test split").into_iter().map(|i| n_train + i).collect();
        }
        Ok(Box::new(Finite { world, rows: self.images, parts }))
    }
}

impl Rows for Images {
    fn take(&self, rows: &[usize]) -> Labeled {
        let mut xs = Batch::zeros((rows.len(), self.n_pixels));
        let mut ys = Batch::zeros((rows.len(), self.n_classes));
        for (place, &i) in rows.iter().enumerate() {
            let pixels = &self.pixels[i * self.n_pixels..][..self.n_pixels];
            for (x, pixel) in xs.row_mut(place).iter_mut().zip(pixels) {
                *x = f64::from(*pixel) / MAX_PIXEL;
            }
            ys[[place, usize::from(self.labels[i])]] = 1.0;
        }
        Labeled { xs, ys }
    }
}

/// The images of a folder, checked against `known` if that is given.
fn images(folder: &Path, prefix: &str, known: Option<&'static Known>) -> Result<Arc<Images>> {
    let find = |name: &str| {
        let name = format!("{prefix}{name}");
        idx::find(folder, &name).ok_or_else(|| missing(folder, &name))
    };
    let mut paths = vec![find(NAMES[0])?, find(NAMES[1])?];
    match (find(NAMES[2]), find(NAMES[3])) {
        (Ok(images), Ok(labels)) => paths.extend([images, labels]),
        (Err(_), Err(_)) if known.is_none() => {}
        (images, labels) => {
            images?;
            labels?;
        }
    }
    let mut key = format!("idx {:?}\n", known.map(|known| known.name));
    for path in &paths {
        key += &stamp(path)?;
    }
    remember(&key, || read(&paths, known))
}

fn read(paths: &[PathBuf], known: Option<&'static Known>) -> Result<Images> {
    let mut all: Option<Images> = None;
    let mut digests = String::new();
    for (pair, paths) in paths.chunks(2).enumerate() {
        let [images, labels] = [idx::read(&paths[0])?, idx::read(&paths[1])?];
        for (place, read) in [&images, &labels].into_iter().enumerate() {
            if let Some(known) = known {
                known.check(2 * pair + place, &paths[place], &read.sha256)?;
            }
            digests += &read.sha256;
        }
        let n_pixels = check_pair(&paths[0], &images, &paths[1], &labels)?;
        match &mut all {
            None => {
                let n_train = labels.bytes.len();
                let (pixels, labels) = (images.bytes, labels.bytes);
                let fingerprint = String::new();
                all = Some(Images { pixels, labels, n_pixels, n_classes: 0, n_train, fingerprint });
            }
            Some(all) if all.n_pixels == n_pixels => {
                all.pixels.extend(images.bytes);
                all.labels.extend(labels.bytes);
            }
            Some(all) => {
                let why = format!(
                    "its images have {n_pixels} pixels, those to train on {}",
                    all.n_pixels
                );
                return Err(Error::file(&paths[0], why));
            }
        }
    }
    let mut all = all.expect("there are always files to train on");
    all.n_classes = 1 + all.labels.iter().copied().max().map_or(0, usize::from);
    if all.labels.iter().all(|label| *label == all.labels[0]) {
        let why = format!("every label is {}; two classes are needed", all.labels[0]);
        return Err(Error::file(&paths[1], why));
    }
    all.fingerprint = digests;
    Ok(all)
}

/// The pixels of an image, if images and labels fit together.
fn check_pair(images_at: &Path, images: &Idx, labels_at: &Path, labels: &Idx) -> Result<usize> {
    if images.sizes.len() < 2 {
        return Err(Error::file(images_at, "it holds one number an image; labels, perhaps?"));
    }
    if labels.sizes.len() != 1 {
        let why = format!("labels have one size, it has {:?}; images, perhaps?", labels.sizes);
        return Err(Error::file(labels_at, why));
    }
    if images.sizes[0] != labels.sizes[0] {
        let why = format!(
            "it holds {} labels, and {} {} images",
            labels.sizes[0],
            images_at.display(),
            images.sizes[0]
        );
        return Err(Error::file(labels_at, why));
    }
    Ok(images.sizes[1..].iter().product())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::data::argmax;
    use crate::population::Cursor;
    use crate::population::catalogue::FASHION_MNIST;
    use crate::population::idx::tests::{gzip, idx};

    /// A folder of `n` images to train on and 8 to test on: two pixels, the number and the class of the image.
    fn folder(n: u8) -> tempfile::TempDir {
        let dir = tempfile::TempDir::new().unwrap();
        let pair = |start: u8, n: u8| {
            let pixels: Vec<u8> = (start..start + n).flat_map(|i| [i, i % 4]).collect();
            let labels: Vec<u8> = (start..start + n).map(|i| i % 4).collect();
            [idx(&[n.into(), 1, 2], &pixels), idx(&[n.into()], &labels)]
        };
        let [images, labels] = pair(0, n);
        fs::write(dir.path().join("train-images.idx3-ubyte.gz"), gzip(&images)).unwrap();
        fs::write(dir.path().join(NAMES[1]), labels).unwrap();
        let [images, labels] = pair(100, 8);
        fs::write(dir.path().join(NAMES[2]), images).unwrap();
        fs::write(dir.path().join(NAMES[3]), labels).unwrap();
        dir
    }

    fn family(dir: &tempfile::TempDir) -> IdxFamily {
        IdxFamily {
            folder: dir.path().to_owned(),
            prefix: String::new(),
            train: Some(40),
            clean: None,
        }
    }

    /// Numbers of the images of a part, each checked against its label.
    fn numbers(population: &dyn Population, part: Part) -> Vec<u8> {
        let n = population.available(part).unwrap();
        let mut cursor = Cursor::new(Seed::new(2).stream("draw"));
        let drawn = population.draw(part, n, &mut cursor).unwrap();
        let mut numbers = Vec::new();
        for (x, y) in drawn.xs.rows().into_iter().zip(drawn.ys.rows()) {
            assert!((x[1] - argmax(&y.to_vec()) as f64 / 255.0).abs() < 1e-12);
            numbers.push((x[0] * 255.0).round() as u8);
        }
        numbers
    }

    #[test]
    fn test_images_come_from_their_own_files_and_the_others_are_split() {
        let dir = folder(80);
        let source = family(&dir).source().unwrap();
        assert_eq!(source.world().unwrap().target, Target::Classes(4));
        let population = source.build(Seed::new(1)).unwrap();
        let [train, clean, mut test] =
            [Part::Train, Part::Clean, Part::Test].map(|part| numbers(&*population, part));
        assert_eq!((train.len(), clean.len()), (40, 40));
        // Stratified: a stretch of ten of each class.
        assert_eq!(train.iter().filter(|i| *i % 4 == 3).count(), 10);
        let mut both = [train, clean].concat();
        both.sort_unstable();
        assert_eq!(both, (0..80).collect::<Vec<u8>>());
        test.sort_unstable();
        assert_eq!(test, (100..108).collect::<Vec<u8>>());
    }

    #[test]
    fn without_test_files_what_is_left_is_for_testing() {
        let dir = folder(80);
        fs::remove_file(dir.path().join(NAMES[2])).unwrap();
        let error = family(&dir).source().unwrap_err().to_string();
        assert!(error.contains("no t10k-images-idx3-ubyte"), "{error}");
        fs::remove_file(dir.path().join(NAMES[3])).unwrap();
        let population = family(&dir).source().unwrap().build(Seed::new(1)).unwrap();
        assert_eq!(numbers(&*population, Part::Test).len(), 20);
    }

    #[test]
    fn files_that_do_not_fit_together_are_refused_by_name() {
        let dir = folder(80);
        let refused = |name: &str, bytes: Vec<u8>, said: &str| {
            let path = dir.path().join(name);
            let before = fs::read(&path).unwrap();
            fs::write(&path, bytes).unwrap();
            let error = family(&dir).source().unwrap_err().to_string();
            assert!(error.contains(said) && error.contains(name), "{error}");
            fs::write(&path, before).unwrap();
        };
        refused(NAMES[1], idx(&[79], &[1; 79]), "holds 79 labels");
        refused(NAMES[1], idx(&[80, 1], &[1; 80]), "labels have one size");
        refused(NAMES[2], idx(&[8], &[1; 8]), "one number an image");
        refused(NAMES[2], idx(&[8, 3], &[1; 24]), "its images have 3 pixels");
        let known = KnownFamily { folder: Some(dir.path().to_owned()), ..KnownFamily::default() };
        let error = known.source(&FASHION_MNIST).unwrap_err().to_string();
        assert!(error.contains("is not train-images-idx3-ubyte of fashion-mnist"), "{error}");
        let prefixed = IdxFamily { prefix: "emnist-".to_owned(), ..family(&dir) };
        let error = prefixed.source().unwrap_err().to_string();
        assert!(error.contains("no emnist-train-images-idx3-ubyte in this folder"), "{error}");
    }

    #[test]
    fn the_fingerprint_is_that_of_the_content() {
        let (one, same, other) = (folder(80), folder(80), folder(84));
        let of = |dir| family(dir).source().unwrap().fingerprint();
        let images = fs::read(same.path().join("train-images.idx3-ubyte.gz")).unwrap();
        fs::write(same.path().join(NAMES[0]), {
            let mut plain = Vec::new();
            let mut gz = flate2::read::GzDecoder::new(&images[..]);
            std::io::Read::read_to_end(&mut gz, &mut plain).unwrap();
            plain
        })
        .unwrap();
        assert_eq!(of(&one), of(&same), "compressed or not");
        assert_ne!(of(&one), of(&other));
    }
}
