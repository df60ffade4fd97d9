//! Where points of a plot and their names go so that none hides another. Geometry in pixels, y downwards.
//!
//! Kuva's own ways of placing labels put them on the interval bars of their points.

/// Points nearer than this would hide each other.
pub(super) const SIDE_BY_SIDE: f64 = 13.0;

/// Height of a line of names.
pub(super) const LINE: f64 = 15.0;

/// From a point to its name.
const GAP: f64 = 10.0;

/// A point with the bar of its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub x: f64,
    pub y: f64,
    /// The upper end of its bar.
    pub top: f64,
    /// The lower end of its bar.
    pub bottom: f64,
    /// How wide its name is.
    pub name: f64,
}

/// Moves spots that would hide each other side by side, and returns the middle of each name.
///
/// Spots of about the same x are a pile. The names of a pile stand on one side of it, from the top as its spots stand
/// from the left: on the right, or on the left where the right is taken or at the edge.
pub(super) fn set_apart(spots: &mut [Spot], (width, height): (f64, f64)) -> Vec<(f64, f64)> {
    let piles = piles(spots);
    for pile in &piles {
        spread(spots, pile);
    }
    let mut names: Vec<Option<(f64, f64)>> = vec![None; spots.len()];
    for pile in &piles {
        let places = [Side::Right, Side::Left].map(|side| beside(spots, pile, side, height));
        let cost = |place: &Vec<(f64, f64)>| conflicts(spots, pile, place, &names, width);
        let [right, left] = places;
        let best = if cost(&left) < cost(&right) { left } else { right };
        for (&i, place) in pile.iter().zip(best) {
            names[i] = Some(place);
        }
    }
    names.into_iter().flatten().collect()
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// Indices of spots of about the same x, each pile from the top, piles from the left.
fn piles(spots: &[Spot]) -> Vec<Vec<usize>> {
    let mut from_left: Vec<usize> = (0..spots.len()).collect();
    from_left.sort_by(|&a, &b| spots[a].x.total_cmp(&spots[b].x));
    let mut piles: Vec<Vec<usize>> = from_left
        .chunk_by(|&a, &b| spots[b].x - spots[a].x < SIDE_BY_SIDE)
        .map(<[usize]>::to_vec)
        .collect();
    for pile in &mut piles {
        pile.sort_by(|&a, &b| spots[a].y.total_cmp(&spots[b].y));
    }
    piles
}

/// Moves each spot of a pile to the right of those above it that it would hide.
fn spread(spots: &mut [Spot], pile: &[usize]) {
    let Some(left) = pile.iter().map(|&i| spots[i].x).reduce(f64::min) else { return };
    for (rank, &i) in pile.iter().enumerate() {
        let this = spots[i];
        let hidden = |&&j: &&usize| spots[j].bottom + SIDE_BY_SIDE > this.top;
        let n_hidden = pile[..rank].iter().filter(hidden).count();
        if n_hidden > 0 {
            spots[i].x = left + SIDE_BY_SIDE * n_hidden as f64;
        }
    }
}

/// The names of a pile on one of its sides, level with their spots as far as there is room.
fn beside(spots: &[Spot], pile: &[usize], side: Side, height: f64) -> Vec<(f64, f64)> {
    let xs = || pile.iter().map(|&i| spots[i].x);
    let mut names: Vec<(f64, f64)> = Vec::new();
    for &i in pile {
        let half = spots[i].name / 2.0 + GAP;
        let x = match side {
            Side::Right => xs().fold(f64::NEG_INFINITY, f64::max) + half,
            Side::Left => xs().fold(f64::INFINITY, f64::min) - half,
        };
        let below = names.last().map_or(f64::NEG_INFINITY, |above| above.1 + LINE);
        names.push((x, spots[i].y.max(below)));
    }
    // Names that were pushed below the axis push those above them up again.
    let mut floor = height - LINE / 2.0;
    for name in names.iter_mut().rev() {
        name.1 = name.1.min(floor);
        floor = name.1 - LINE;
    }
    names
}

/// How many names would lie over the edge, on a spot of another pile, or on a name of one.
fn conflicts(
    spots: &[Spot],
    pile: &[usize],
    place: &[(f64, f64)],
    names: &[Option<(f64, f64)>],
    width: f64,
) -> usize {
    let count = |(&i, &(x, y)): (&usize, &(f64, f64))| {
        let half = spots[i].name / 2.0;
        let over_edge = usize::from(x - half < 0.0 || x + half > width);
        let others = || (0..spots.len()).filter(|j| !pile.contains(j));
        let on_spot = |&j: &usize| {
            let other = &spots[j];
            (other.x - x).abs() < half + GAP
                && other.top - LINE / 2.0 < y + LINE / 2.0
                && other.bottom + LINE / 2.0 > y - LINE / 2.0
        };
        let on_name = |&j: &usize| {
            names[j].is_some_and(|(other_x, other_y)| {
                (other_x - x).abs() < half + spots[j].name / 2.0 && (other_y - y).abs() < LINE
            })
        };
        over_edge + others().filter(on_spot).count() + others().filter(on_name).count()
    };
    pile.iter().zip(place).map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(x: f64, y: f64) -> Spot {
        Spot { x, y, top: y, bottom: y, name: 60.0 }
    }

    #[test]
    fn equal_spots_stand_side_by_side_and_their_names_below_each_other() {
        let mut spots =
            [spot(100.0, 270.0), spot(100.0, 270.0), spot(100.0, 270.0), spot(100.0, 20.0)];
        let names = set_apart(&mut spots, (400.0, 275.0));
        assert_eq!(spots.map(|s| s.x.round() as i64), [100, 113, 126, 100]);
        // The lowest name ends with the axis at 275, half a line below its middle; those above it are a line apart.
        let ys: Vec<f64> = names.iter().map(|name| name.1).collect();
        let wanted = [237.5, 252.5, 267.5, 20.0];
        assert!(ys.iter().zip(wanted).all(|(y, wanted)| (y - wanted).abs() < 1e-9), "{ys:?}");
        // All on the right of the rightmost spot at 126: ten pixels away, thirty to the middle.
        assert!(names.iter().all(|name| (name.0 - 166.0).abs() < 1e-9), "{names:?}");
    }

    #[test]
    fn a_name_keeps_off_its_neighbour_and_off_the_edge() {
        // The right of the first holds the second; the right of the second is over the edge.
        let mut spots =
            [spot(150.0, 100.0), spot(210.0, 200.0), spot(380.0, 100.0), spot(210.0, 100.0)];
        let names = set_apart(&mut spots, (400.0, 275.0));
        let xs: Vec<i64> = names.iter().map(|name| name.0.round() as i64).collect();
        assert_eq!(xs, [110, 250, 340, 250]);
    }
}
