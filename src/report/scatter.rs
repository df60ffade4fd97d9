//! What protection costs: attack success against work an answer, one panel an attack.
use kuva::prelude::{Layout, MarkerShape, Plot, ScatterPlot, TickFormat, VolcanoLabelStyle};
use kuva::render::render::render_multiple;

use super::format::human;
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

/// The axis goes this factor beyond the cheapest and the dearest point, so that labels have room.
const ROOM: f64 = 10.0;

/// A mitigator in the plot: cost, share, arms of its interval.
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
    let high = points.iter().map(|p| p.x).fold(0.0, f64::max) * ROOM;

    let mut plots: Vec<Plot> = ACCESS_STYLES.iter().filter_map(|s| series(&points, s)).collect();
    // All names in one invisible series: kuva keeps labels apart only within a series. Its points are larger than the
    // visible ones, so that names keep off them.
    let names = ScatterPlot::new()
        .with_data(points.iter().map(|p| (p.x, p.y)))
        .with_size(11.0)
        .with_marker_opacity(0.0)
        .with_labels(points.iter().map(|p| plain(&p.row.mitigator)))
        .with_label_style(VolcanoLabelStyle::Repel);
    plots.push(Plot::Scatter(names));
    let layout = Layout::auto_from_plots(&plots)
        .with_width(WIDTH)
        .with_height(HEIGHT)
        .with_theme(theme())
        .with_log_x()
        .with_x_axis_min(low)
        .with_x_axis_max(high)
        .with_y_axis_min(0.0)
        .with_y_axis_max(1.0)
        .with_y_tick_step(0.25)
        .with_x_label("work an answer, in forward passes (F)")
        .with_y_label("attack success")
        .with_x_tick_format(TickFormat::Custom(std::sync::Arc::new(human)))
        .with_y_tick_format(TickFormat::Custom(std::sync::Arc::new(|y| {
            format!("{:.0}%", 100.0 * y)
        })))
        .with_tick_size(12)
        .with_label_size(13)
        .with_body_size(12);
    Some(from_kuva(render_multiple(plots, layout), label))
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
