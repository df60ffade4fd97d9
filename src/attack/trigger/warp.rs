//! Warping: pixels of a square image are taken from places nearby, as a smooth field says.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Pixel (y, x) of the result is the bilinear mean of the image around its `place`, in rows and columns from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warp {
    /// Side of the images in pixels.
    pub side: usize,
    /// Where every pixel is taken from, image row by image row: its row and its column, from 0 to `side` − 1.
    pub places: Vec<(f64, f64)>,
}

impl Movement for Warp {
    fn width(&self, n: usize) -> Result<usize> {
        if self.side == 0 || self.side.checked_mul(self.side) != Some(n) || self.places.len() != n {
            let want = format!("inputs of {n} pixels need their square root, and a place a pixel");
            return Err(Error::parameter("side", self.side, want));
        }
        let last = (self.side - 1) as f64;
        let inside = |at: f64| (0.0..=last).contains(&at);
        match self.places.iter().find(|(y, x)| !(inside(*y) && inside(*x))) {
            Some(odd) => {
                let want = format!("rows and columns from 0 to {last} are needed");
                Err(Error::parameter("places", format!("{odd:?}"), want))
            }
            None => Ok(n),
        }
    }

    fn apply(&self, x: Vec<f64>, _: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        Ok(self.places.iter().map(|place| self.sample(&x, *place)).collect())
    }
}

impl Warp {
    /// The bilinear mean of the four pixels around a place inside the image.
    fn sample(&self, image: &[f64], (row, column): (f64, f64)) -> f64 {
        let last = self.side - 1;
        let (top, left) = (row as usize, column as usize);
        let (down, right) = (row - top as f64, column - left as f64);
        let at = |y: usize, x: usize| image[y.min(last) * self.side + x.min(last)];
        let upper = (1.0 - right) * at(top, left) + right * at(top, left + 1);
        let lower = (1.0 - right) * at(top + 1, left) + right * at(top + 1, left + 1);
        (1.0 - down) * upper + down * lower
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn a_place_between_four_pixels_gives_their_mean_and_the_identity_gives_the_image() {
        let image = vec![0.0, 0.2, 0.4, 1.0];
        let domain = Domain::Range { n: 4, low: 0.0, high: 1.0 };
        let mut rng = Seed::new(1).stream("test");
        let mut of = |places| {
            let warp = Warp { side: 2, places };
            warp.width(4).unwrap();
            warp.apply(image.clone(), &domain, &mut rng).unwrap()
        };
        let identity = vec![(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)];
        assert_eq!(of(identity), image);
        let moved = of(vec![(0.5, 0.5), (0.0, 0.25), (0.5, 0.0), (1.0, 1.0)]);
        let want = [0.4, 0.05, 0.2, 1.0];
        assert!(moved.iter().zip(want).all(|(m, w)| (m - w).abs() < 1e-12), "{moved:?}");
        assert!(Warp { side: 2, places: vec![(0.0, 1.1); 4] }.width(4).is_err());
        assert!(Warp { side: 2, places: vec![(f64::NAN, 0.0); 4] }.width(4).is_err());
        assert!(Warp { side: usize::MAX, places: vec![] }.width(4).is_err());
    }
}
