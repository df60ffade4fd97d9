//! What protection costs: attack success against work an answer, one panel an attack.
use std::sync::Arc;

use kuva::prelude::{Layout, MarkerShape, Plot, ScatterPlot, TickFormat, VolcanoLabelStyle};
use kuva::render::render::render_multiple;

use super::format::human;
use super::names::{LINE, SIDE_BY_SIDE, Spot, set_apart};
use super::svg::{from_kuva, plain, theme};
use crate::study::summary::Row;

/// One access level in a plot: its name in records, colour and marker. Colours are Okabe and Ito's, which stay apart
/// for the colour-blind; `page.html` holds them, a lighter set for dark pages. Shapes say the same without colour.
pub(super) struct AccessStyle {
    pub access: &'static str,
    pub colour: &'static str,
    marker: MarkerShape,
    /// The marker as a character, for legends in text.
    pub sign: &'static str,
}

/// The access levels in order of what they reveal.
pub(super) const ACCESS_STYLES: [AccessStyle; 3] = [
    AccessStyle {
        access: "black box",
        colour: "var(--black-box)",
        marker: MarkerShape::Circle,
        sign: "●",
    },
    AccessStyle {
        access: "gradients",
        colour: "var(--gradients)",
        marker: MarkerShape::Triangle,
        sign: "▲",
    },
    AccessStyle {
        access: "white box",
        colour: "var(--white-box)",
        marker: MarkerShape::Square,
        sign: "■",
    },
];

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 340.0;

/// What of the width and height kuva leaves to the data, near enough to keep names apart.
const DATA_WIDTH: f64 = 430.0;
const DATA_HEIGHT: f64 = 275.0;

/// The axis begins this factor below the cheapest point.
const ROOM: f64 = 10.0;

/// The upper end of the axis of shares: room for a marker and its name at 100%.
const TOP: f64 = 1.06;

/// The width of one character of a name, in pixels.
const CHARACTER: f64 = 6.8;

/// A mitigator in the plot: its place, and the arms of its interval.
struct Point<'a> {
    row: &'a Row,
    x: f64,
    y: f64,
    arms: (f64, f64),
}

/// The panel of one (task, attack), or `None` where no mitigator has both numbers.
pub(super) fn panel(rows: &[&Row], label: &str) -> Option<String> {
    let mut points: Vec<Point<'_>> = rows.iter().filter_map(|row| point(row)).collect();
    // A cost of exactly 0 has no place on a logarithmic axis; it goes one decade left of the cheapest other.
    let cheapest = points.iter().map(|p| p.x).filter(|&x| x > 0.0).fold(f64::INFINITY, f64::min);
    let stand_in = if cheapest.is_finite() { cheapest / 10.0 } else { 1.0 };
    points.iter_mut().filter(|p| p.x <= 0.0).for_each(|p| p.x = stand_in);
    if points.is_empty() {
        return None;
    }
    let low = points.iter().map(|p| p.x).fold(f64::INFINITY, f64::min) / ROOM;
    let high = high_end(&points, low);
    let names = place(&mut points, (low, high));

    let mut plots: Vec<Plot> = ACCESS_STYLES.iter().filter_map(|s| series(&points, s)).collect();
    // Names are a series of their own, invisible but for its labels: kuva's own placing puts them on intervals.
    let named = ScatterPlot::new()
        .with_data(names)
        .with_size(0.0)
        .with_marker_opacity(0.0)
        .with_labels(points.iter().map(|p| plain(&p.row.mitigator)))
        .with_label_style(VolcanoLabelStyle::Exact);
    plots.push(Plot::Scatter(named));
    let layout = Layout::auto_from_plots(&plots)
        .with_width(WIDTH)
        .with_height(HEIGHT)
        .with_theme(theme())
        .with_log_x()
        .with_x_axis_min(low)
        .with_x_axis_max(high)
        .with_y_axis_min(0.0)
        .with_y_axis_max(TOP)
        .with_y_tick_step(0.25)
        .with_x_label("work an answer, in forward passes (F)")
        .with_y_label("attack success")
        .with_x_tick_format(TickFormat::Custom(Arc::new(human)))
        .with_y_tick_format(TickFormat::Custom(Arc::new(|y| format!("{:.0}%", 100.0 * y))))
        .with_tick_size(12)
        .with_label_size(13)
        .with_body_size(12);
    Some(from_kuva(render_multiple(plots, layout), label))
}

/// The upper end of the axis of costs: as far beyond the dearest point as the longest name is wide.
fn high_end(points: &[Point<'_>], low: f64) -> f64 {
    let dearest = points.iter().map(|p| p.x).fold(low, f64::max);
    let longest = points.iter().map(|p| p.row.mitigator.chars().count()).max().unwrap_or(0);
    let room = longest as f64 * CHARACTER + (points.len() + 1) as f64 * SIDE_BY_SIDE;
    let share = (1.0 - room / DATA_WIDTH).max(0.2);
    low * (dearest / low).powf(1.0 / share)
}

/// Moves points that would hide each other, and returns where names go, both on the axes; `range` is that of costs.
fn place(points: &mut [Point<'_>], (low, high): (f64, f64)) -> Vec<(f64, f64)> {
    let across = |x: f64| (x / low).ln() / (high / low).ln() * DATA_WIDTH;
    let cost = |pixels: f64| low * (high / low).powf(pixels / DATA_WIDTH);
    let down = |y: f64| (TOP - y) / TOP * DATA_HEIGHT;
    let share = |pixels: f64| TOP - pixels / DATA_HEIGHT * TOP;
    let spot = |p: &Point<'_>| Spot {
        x: across(p.x),
        y: down(p.y),
        top: down(p.y + p.arms.1),
        bottom: down(p.y - p.arms.0),
        name: p.row.mitigator.chars().count() as f64 * CHARACTER,
    };
    let mut spots: Vec<Spot> = points.iter().map(spot).collect();
    let names = set_apart(&mut spots, (DATA_WIDTH, DATA_HEIGHT));
    for (point, spot) in points.iter_mut().zip(&spots) {
        point.x = cost(spot.x);
    }
    // Kuva puts the base line of a label where its point is; the middle of the letters is a third of a line above.
    names.into_iter().map(|(x, y)| (cost(x), share(y + LINE / 3.0))).collect()
}

fn point(row: &Row) -> Option<Point<'_>> {
    let success = row.attack_success.filter(|e| e.value.is_finite())?;
    let work = row.passes_per_answer.filter(|e| e.value.is_finite())?;
    let arms =
        (success.value - success.low.clamp(0.0, 1.0), success.high.clamp(0.0, 1.0) - success.value);
    Some(Point { row, x: work.value, y: success.value, arms })
}

fn series(points: &[Point<'_>], style: &AccessStyle) -> Option<Plot> {
    let of_access: Vec<&Point<'_>> =
        points.iter().filter(|point| point.row.access == style.access).collect();
    (!of_access.is_empty()).then(|| {
        let series = ScatterPlot::new()
            .with_data(of_access.iter().map(|p| (p.x, p.y)))
            .with_y_err_asymmetric(of_access.iter().map(|p| p.arms))
            .with_color(style.colour)
            .with_marker(style.marker)
            .with_size(6.0);
        Plot::Scatter(series)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{estimate, row};

    fn at(success: f64, work: f64) -> Row {
        Row {
            attack_success: Some(estimate(success, success, success)),
            passes_per_answer: Some(estimate(work, work, work)),
            ..row("t", "a", "name")
        }
    }

    #[test]
    fn a_point_that_hides_none_keeps_its_cost() {
        let rows = [at(0.9, 1.0), at(0.1, 1.0), at(0.1, 40.0), at(0.1, 1.0)];
        let mut points: Vec<Point<'_>> = rows.iter().filter_map(point).collect();
        place(&mut points, (0.1, 400.0));
        let moved: Vec<bool> = points
            .iter()
            .zip([1.0, 1.0, 40.0, 1.0])
            .map(|(p, x)| (p.x / x - 1.0).abs() > 1e-9)
            .collect();
        assert_eq!(moved, [false, false, false, true]);
    }

    #[test]
    fn a_panel_needs_both_numbers_and_places_costs_of_zero() {
        let unmeasured = row("t", "a", "m");
        assert!(panel(&[&unmeasured], "l").is_none());
        let free = at(0.5, 0.0);
        let svg = panel(&[&free], "l").expect("a panel of one free mitigator");
        assert!(svg.contains(">name<") && !svg.contains("NaN"), "{svg}");
    }
}
