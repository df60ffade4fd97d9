//! Heat maps of one share: a mitigator a row, an attack a column, the number in each cell.
//!
//! Drawn by hand. Kuva 0.6 stretches the colours over the values that happen to be there (here 0 and 100% have to look
//! the same on every page), has no cell without a value, and prints every number in black with two decimals, also on
//! the darkest colours and without its interval.
use std::fmt::Write as _;

use super::format::{NOTHING_MEASURED, percent, share};
use super::svg::{INK, LINE, escaped, framed};
use crate::stats::Estimate;

const CELL_HEIGHT: f64 = 42.0;
const MIN_CELL_WIDTH: f64 = 96.0;
const HEADING_HEIGHT: f64 = 28.0;
const GAP: f64 = 3.0;

/// Pixels for one character of 13-pixel text; a generous mean, since the page's font is the reader's.
const CHARACTER: f64 = 7.6;

/// A colour as red, green and blue.
type Rgb = [f64; 3];

/// Light to dark, of one hue, so that it survives colour blindness and a grey printer.
#[derive(Clone, Copy)]
pub(super) struct Ramp([Rgb; 3]);

/// For attack success. (`ColorBrewer` "Oranges", ends and middle.)
pub(super) const ORANGES: Ramp =
    Ramp([[255.0, 245.0, 235.0], [253.0, 141.0, 60.0], [127.0, 39.0, 4.0]]);

/// For clean risk. (`ColorBrewer` "Blues", ends and middle.)
pub(super) const BLUES: Ramp =
    Ramp([[247.0, 251.0, 255.0], [107.0, 174.0, 214.0], [8.0, 48.0, 107.0]]);

/// What a heat map shows.
pub(super) struct HeatMap<'a> {
    /// The picture in words.
    pub label: String,
    /// Names of the rows, from the top.
    pub rows: Vec<&'a str>,
    /// Names of the columns, from the left.
    pub columns: Vec<&'a str>,
    /// One share a cell, by row; `None` where nothing was measured.
    pub cells: Vec<Vec<Option<Estimate>>>,
    /// The share that gets the darkest colour.
    pub darkest: f64,
    /// The colours.
    pub ramp: Ramp,
}

impl HeatMap<'_> {
    /// The picture.
    pub(super) fn svg(&self) -> String {
        let longest = |names: &[&str]| {
            names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64 * CHARACTER
        };
        let left = longest(&self.rows) + 12.0;
        let wide = MIN_CELL_WIDTH.max(longest(&self.columns) + 10.0);
        let mut body = String::new();
        for (j, name) in self.columns.iter().enumerate() {
            let x = left + (j as f64 + 0.5) * wide;
            text(&mut body, (x, HEADING_HEIGHT - 10.0), "middle", name);
        }
        for (i, (name, cells)) in self.rows.iter().zip(&self.cells).enumerate() {
            let top = HEADING_HEIGHT + i as f64 * CELL_HEIGHT;
            text(&mut body, (left - 10.0, top + CELL_HEIGHT / 2.0 + 3.0), "end", name);
            for (j, cell) in cells.iter().enumerate() {
                body += &self.cell(*cell, (left + j as f64 * wide, top), wide);
            }
        }
        let width = left + self.columns.len() as f64 * wide;
        framed(width, HEADING_HEIGHT + self.rows.len() as f64 * CELL_HEIGHT, &self.label, &body)
    }

    fn cell(&self, cell: Option<Estimate>, (x, y): (f64, f64), wide: f64) -> String {
        let (width, height) = (wide - GAP, CELL_HEIGHT - GAP);
        let (middle, base) = (x + width / 2.0, y + height / 2.0);
        let Some(estimate) = cell.filter(|e| e.value.is_finite()) else {
            return format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"none\" \
                 stroke=\"{LINE}\" stroke-dasharray=\"4 4\"/><text x=\"{middle:.1}\" y=\"{:.1}\" \
                 font-size=\"13\" text-anchor=\"middle\">{NOTHING_MEASURED}</text>",
                x + 0.5,
                y + 0.5,
                width - 1.0,
                height - 1.0,
                base + 4.0
            );
        };
        let colour = self.ramp.at(estimate.value / self.darkest);
        let ink = if luminance(colour) > EQUAL_CONTRAST { "#111" } else { "#fff" };
        let (value, interval) = (percent(estimate.value), share(Some(estimate)));
        let interval = interval.split_once(' ').map_or("", |(_, interval)| interval);
        format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{}\"/>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" font-size=\"14\" font-weight=\"600\" \
             text-anchor=\"middle\" fill=\"{ink}\">{value}</text>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"middle\" \
             fill=\"{ink}\">{interval}</text>",
            hex(colour),
            base - 1.0,
            base + 13.0
        )
    }
}

impl Ramp {
    fn at(self, t: f64) -> Rgb {
        let t = 2.0 * t.clamp(0.0, 1.0);
        let (from, to, t) = match self.0 {
            [light, middle, _] if t < 1.0 => (light, middle, t),
            [_, middle, dark] => (middle, dark, t - 1.0),
        };
        [0, 1, 2].map(|i| from[i] + t * (to[i] - from[i]))
    }

    /// The colours as a CSS gradient from light to dark, for a legend.
    pub(super) fn css(self) -> String {
        let [light, middle, dark] = self.0.map(hex);
        format!("linear-gradient(to right, {light}, {middle}, {dark})")
    }
}

/// The luminance on which black and white text are equally legible: (L + 0.05)² = 0.05 · 1.05, by WCAG 2.
const EQUAL_CONTRAST: f64 = 0.179;

/// Relative luminance by WCAG 2.
fn luminance(colour: Rgb) -> f64 {
    let linear = colour.map(|part| {
        let part = part / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn hex(colour: Rgb) -> String {
    let [r, g, b] = colour.map(|part| part.round() as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn text(body: &mut String, (x, y): (f64, f64), anchor: &str, content: &str) {
    let content = escaped(content);
    // Writing to a string cannot fail.
    let _ = write!(
        body,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"13\" text-anchor=\"{anchor}\" fill=\"{INK}\">{content}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_cell(cell: Option<Estimate>) -> String {
        let map = HeatMap {
            label: "l".into(),
            rows: vec!["<r>"],
            columns: vec!["c"],
            cells: vec![vec![cell]],
            darkest: 1.0,
            ramp: ORANGES,
        };
        map.svg()
    }

    #[test]
    fn zero_is_the_lightest_colour_and_a_missing_cell_has_none() {
        let zero = one_cell(Some(Estimate { value: 0.0, low: 0.0, high: 0.004 }));
        assert!(zero.contains("fill=\"#fff5eb\"") && zero.contains(">0.0%<"), "{zero}");
        assert!(zero.contains(">[0.0, 0.4]<"), "{zero}");
        let missing = one_cell(None);
        assert!(missing.contains("stroke-dasharray") && missing.contains(">–<"), "{missing}");
        assert!(!missing.contains('%') && missing.contains("&lt;r&gt;"), "{missing}");
    }

    #[test]
    fn text_is_white_on_dark_cells_and_black_on_light_ones() {
        let all = one_cell(Some(Estimate { value: 1.0, low: 0.9, high: 1.0 }));
        assert!(all.contains("fill=\"#7f2704\"") && all.contains("fill=\"#fff\">100.0%"), "{all}");
        let half = one_cell(Some(Estimate { value: 0.5, low: 0.4, high: 0.6 }));
        assert!(
            half.contains("fill=\"#fd8d3c\"") && half.contains("fill=\"#111\">50.0%"),
            "{half}"
        );
    }
}
