//! Grey images as SVG, and the outline of what a trigger changed in one.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::svg::framed;

/// The side of an image on the page, in pixels of the screen.
const SIDE: f64 = 112.0;

/// Differences below half of one of 256 grey levels cannot be seen.
const VISIBLE: f64 = 0.5 / 255.0;

/// The pixels in which two images differ visibly.
pub(super) fn changed(plain: &[f64], triggered: &[f64]) -> Vec<bool> {
    plain.iter().zip(triggered).map(|(a, b)| (a - b).abs() > VISIBLE).collect()
}

/// An image of `width` pixels a row, each from 0 (black) to 1 (white), with a line round the `outlined` ones.
pub(super) fn image(pixels: &[f64], outlined: &[bool], width: usize, label: &str) -> String {
    let width = width.max(1);
    let height = pixels.len().div_ceil(width);
    let scale = SIDE / width.max(height).max(1) as f64;
    // One path a grey level, made of horizontal runs: a tenth of one element a pixel.
    let mut levels: BTreeMap<u8, String> = BTreeMap::new();
    for (y, row) in pixels.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| level(*a) == level(*b)) {
            let _ =
                write!(levels.entry(level(run[0])).or_default(), "M{x} {y}h{0}v1h-{0}z", run.len());
            x += run.len();
        }
    }
    let mut body = format!("<g transform=\"scale({scale:.3})\" shape-rendering=\"crispEdges\">");
    for (grey, path) in &levels {
        let _ = write!(body, "<path fill=\"#{grey:02x}{grey:02x}{grey:02x}\" d=\"{path}\"/>");
    }
    let border = border(outlined, width);
    if !border.is_empty() {
        let _ = write!(
            body,
            "<path d=\"{border}\" fill=\"none\" stroke=\"var(--outline)\" stroke-width=\"{:.3}\" \
             stroke-linecap=\"square\"/>",
            2.0 / scale
        );
    }
    body += "</g>";
    framed(width as f64 * scale, height as f64 * scale, label, &body)
}

fn level(grey: f64) -> u8 {
    (255.0 * grey.clamp(0.0, 1.0)).round() as u8
}

/// The edges between pixels that are in the set and pixels that are not.
fn border(set: &[bool], width: usize) -> String {
    let height = set.len().div_ceil(width);
    let within = |x: Option<usize>, y: Option<usize>| match (x, y) {
        (Some(x), Some(y)) if x < width => set.get(y * width + x).copied().unwrap_or(false),
        _ => false,
    };
    let mut path = String::new();
    for y in 0..height {
        for x in 0..width {
            if !within(Some(x), Some(y)) {
                continue;
            }
            if !within(Some(x), y.checked_sub(1)) {
                let _ = write!(path, "M{x} {y}h1");
            }
            if !within(Some(x), Some(y + 1)) {
                let _ = write!(path, "M{x} {}h1", y + 1);
            }
            if !within(x.checked_sub(1), Some(y)) {
                let _ = write!(path, "M{x} {y}v1");
            }
            if !within(Some(x + 1), Some(y)) {
                let _ = write!(path, "M{} {y}v1", x + 1);
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_one_run_and_levels_are_hexadecimal() {
        // Two rows of two pixels: black black, white grey.
        let svg = image(&[0.0, 0.0, 1.0, 0.5], &[], 2, "an image");
        assert!(svg.contains("fill=\"#000000\" d=\"M0 0h2v1h-2z\""), "{svg}");
        assert!(svg.contains("fill=\"#ffffff\" d=\"M0 1h1v1h-1z\""), "{svg}");
        assert!(svg.contains("fill=\"#808080\" d=\"M1 1h1v1h-1z\""), "{svg}");
        assert!(!svg.contains("--outline"));
    }

    #[test]
    fn the_outline_goes_round_a_region_and_not_through_it() {
        // Two changed pixels side by side have six edges of unit length on their border, not eight.
        let path = border(&[true, true, false, false], 2);
        assert_eq!(path.matches('M').count(), 6, "{path}");
        assert_eq!(changed(&[0.0, 0.5], &[0.001, 0.6]), [false, true]);
    }
}
