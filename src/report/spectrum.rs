//! Fourier coefficients before and after: truth, suspect and what was recovered, side by side.
use std::collections::BTreeMap;

use kuva::prelude::{BarPlot, Layout, Plot, ReferenceLine};
use kuva::render::render::render_multiple;

use super::svg::{INK, from_kuva, theme};
use crate::fourier::Term;

/// The three functions with their colours, in the order of their bars.
pub(super) const FUNCTIONS: [(&str, &str); 3] =
    [("truth", "var(--truth)"), ("suspect", "var(--suspect)"), ("recovered", "var(--recovered)")];

/// The most characters that still have legible labels; smaller coefficients are left out, and the caption says so.
const MOST_CHARACTERS: usize = 16;

/// A spectrum as a picture.
pub(super) struct Drawn {
    pub svg: String,
    /// Characters left out because all three coefficients are small.
    pub n_left_out: usize,
}

/// Draws the coefficients of `functions` (as in [`FUNCTIONS`]), with lines at ±`tau`.
pub(super) fn draw(functions: [&[Term]; 3], tau: f64, label: &str) -> Drawn {
    let mut coefficients: BTreeMap<(usize, &[usize]), [f64; 3]> = BTreeMap::new();
    for (which, terms) in functions.iter().enumerate() {
        for term in *terms {
            let key = (term.support.len(), term.support.as_slice());
            coefficients.entry(key).or_default()[which] += term.value;
        }
    }
    let size = |values: &[f64; 3]| values.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let mut sizes: Vec<f64> = coefficients.values().map(size).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    let smallest = sizes.get(MOST_CHARACTERS - 1).copied().unwrap_or(0.0);
    let n_all = coefficients.len();
    coefficients.retain(|_, values| size(values) >= smallest);

    let mut bars = BarPlot::new().with_width(0.75);
    for ((_, support), values) in &coefficients {
        let colours = FUNCTIONS.map(|(_, colour)| colour);
        bars = bars.with_group(character(support), values.iter().copied().zip(colours));
    }
    let plots = vec![Plot::Bar(bars)];
    let reach = sizes.first().copied().unwrap_or(0.0).max(tau) * 1.15;
    let line = |at: f64, name: &str| {
        ReferenceLine::horizontal(at).with_color(INK).with_dasharray("5 4").with_label(name)
    };
    let layout = Layout::auto_from_plots(&plots)
        .with_width(150.0 + 56.0 * coefficients.len().max(6) as f64)
        .with_height(330.0)
        .with_theme(theme())
        .with_y_axis_min(-reach)
        .with_y_axis_max(reach)
        .with_reference_line(line(tau, "+τ"))
        .with_reference_line(line(-tau, "−τ"))
        .with_x_label("character")
        .with_y_label("coefficient")
        .with_x_tick_rotate(-40.0)
        .with_tick_size(12)
        .with_label_size(13);
    let svg = from_kuva(render_multiple(plots, layout), label);
    Drawn { svg, n_left_out: n_all - coefficients.len() }
}

/// A character's name: `{3,7,12}`.
fn character(support: &[usize]) -> String {
    let coordinates: Vec<String> = support.iter().map(usize::to_string).collect();
    format!("{{{}}}", coordinates.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_named_by_their_coordinates_and_tau_is_drawn_on_both_sides() {
        let term = |support: &[usize], value| Term { support: support.to_vec(), value };
        let truth = [term(&[], 0.5), term(&[3, 7, 12], -0.4)];
        let drawn = draw([&truth, &[], &[]], 0.25, "spectrum");
        for text in [">{}<", ">{3,7,12}<", ">+τ<", ">−τ<"] {
            assert!(drawn.svg.contains(text), "{text} in {}", drawn.svg);
        }
        assert_eq!(drawn.n_left_out, 0);
    }

    #[test]
    fn the_smallest_characters_are_left_out_and_counted() {
        let terms: Vec<Term> =
            (0..20).map(|i| Term { support: vec![i], value: 1.0 + i as f64 }).collect();
        let drawn = draw([&terms, &[], &[]], 0.5, "spectrum");
        assert_eq!(drawn.n_left_out, 4);
        assert!(drawn.svg.contains(">{4}<") && !drawn.svg.contains(">{3}<"));
    }
}
