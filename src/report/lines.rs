//! Line charts in small panels: what was measured as points with intervals, what was predicted as dashed lines.
//!
//! The chart is a file of its own, not a part of the page, so its colours are fixed ones on white.
use std::fmt::Write as _;

use super::svg::escaped;
use crate::stats::Estimate;

/// A chart: panels in rows, one legend below.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows, in words.
    pub label: String,
    /// Panels a row.
    pub columns: usize,
    /// The panels.
    pub panels: Vec<Panel>,
    /// Names of the curves.
    pub legend: Vec<Entry>,
}

/// One panel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Its heading.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// A vertical line with its name.
    pub limit: Option<(f64, String)>,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its name.
    pub label: String,
    /// Least value.
    pub low: f64,
    /// Greatest value; what is beyond either is drawn at the end.
    pub high: f64,
    /// How values are spread.
    pub scale: Scale,
    /// Values with a mark.
    pub ticks: Vec<f64>,
}

/// How values are spread on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm; both ends positive.
    Log,
}

/// A curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Which colour and marker.
    pub hue: usize,
    /// Measured or predicted.
    pub style: Style,
    /// Places on the horizontal axis with values, in order.
    pub points: Vec<(f64, Estimate)>,
}

/// What a curve stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Points with intervals, joined.
    Measured,
    /// Points with intervals alone.
    Points,
    /// A dashed line.
    Predicted,
    /// A grey dashed line, for what no method passes.
    Limit,
}

/// A line of the legend.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The curve's colour and marker.
    pub hue: usize,
    /// The curve's style.
    pub style: Style,
}

/// Colours that stay apart for the colour-blind (Okabe, Ito 2008), and two greys.
const HUES: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#1c1e21", "#8a8f96"];
const LIMIT: &str = "#8a8f96";

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 230.0;
/// Left, right, top and bottom of a panel's data.
const MARGINS: [f64; 4] = [52.0, 18.0, 26.0, 40.0];
/// A line of the legend, and a character of it.
const LINE: f64 = 18.0;
const CHARACTER: f64 = 6.3;

impl Chart {
    /// The chart as one SVG document.
    pub fn svg(&self) -> String {
        let columns = self.columns.max(1);
        let rows = self.panels.len().div_ceil(columns);
        let width = columns.min(self.panels.len().max(1)) as f64 * WIDTH;
        let (legend, lines) = self.legend(width);
        let (top, height) =
            (rows as f64 * HEIGHT, rows as f64 * HEIGHT + lines as f64 * LINE + 8.0);
        let mut out = String::new();
        put(
            &mut out,
            format_args!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width:.0} \
                 {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"11\" \
                 fill=\"#1c1e21\">\n<rect width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#ffffff\"/>\n",
                escaped(&self.label)
            ),
        );
        for (i, panel) in self.panels.iter().enumerate() {
            let (x, y) = ((i % columns) as f64 * WIDTH, (i / columns) as f64 * HEIGHT);
            put(&mut out, format_args!("<g transform=\"translate({x:.0} {y:.0})\">\n"));
            panel.draw(&mut out);
            out += "</g>\n";
        }
        put(
            &mut out,
            format_args!("<g transform=\"translate(0 {top:.0})\">\n{legend}</g>\n</svg>\n"),
        );
        out
    }

    /// The legend, and its lines.
    fn legend(&self, width: f64) -> (String, usize) {
        let mut out = String::new();
        let (mut x, mut line) = (MARGINS[0], 0);
        for entry in &self.legend {
            let wide = 34.0 + entry.name.chars().count() as f64 * CHARACTER;
            if x + wide > width && x > MARGINS[0] {
                (x, line) = (MARGINS[0], line + 1);
            }
            let y = line as f64 * LINE + 8.0;
            stroke(&mut out, entry.hue, entry.style, &[(x, y), (x + 22.0, y)]);
            if entry.style.has_marks() {
                mark(&mut out, entry.hue, (x + 11.0, y));
            }
            put(
                &mut out,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                    x + 27.0,
                    y + 4.0,
                    escaped(&entry.name)
                ),
            );
            x += wide + 12.0;
        }
        (out, line + 1)
    }
}

impl Panel {
    fn draw(&self, out: &mut String) {
        let [left, right, top, bottom] = MARGINS;
        let (right, bottom) = (WIDTH - right, HEIGHT - bottom);
        let across = |x: f64| left + self.x.share(x) * (right - left);
        let down = |y: f64| bottom - self.y.share(y) * (bottom - top);
        put(
            out,
            format_args!(
                "<text x=\"{left:.1}\" y=\"{:.1}\" font-weight=\"600\" font-size=\"12\">{}</text>\n",
                top - 9.0,
                escaped(&self.title)
            ),
        );
        for &tick in &self.y.ticks {
            let y = down(tick);
            put(
                out,
                format_args!(
                    "<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#e3e6e9\"/><text x=\"{:.1}\" y=\"{:.1}\" \
                     text-anchor=\"end\">{tick}</text>\n",
                    left - 5.0,
                    y + 4.0
                ),
            );
        }
        for &tick in &self.x.ticks {
            let x = across(tick);
            put(
                out,
                format_args!(
                    "<path d=\"M{x:.1} {bottom:.1}v4\" stroke=\"#1c1e21\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
                     text-anchor=\"middle\">{tick}</text>\n",
                    bottom + 15.0
                ),
            );
        }
        put(
            out,
            format_args!(
                "<path d=\"M{left:.1} {top:.1}V{bottom:.1}H{right:.1}\" fill=\"none\" stroke=\"#1c1e21\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
                 <text transform=\"translate(12 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                f64::midpoint(left, right),
                bottom + 31.0,
                escaped(&self.x.label),
                f64::midpoint(top, bottom),
                escaped(&self.y.label)
            ),
        );
        if let Some((at, name)) = &self.limit {
            let x = across(*at);
            put(
                out,
                format_args!(
                    "<path d=\"M{x:.1} {top:.1}V{bottom:.1}\" stroke=\"{LIMIT}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
                     fill=\"#5a6068\">{}</text>\n",
                    x + 4.0,
                    top + 9.0,
                    escaped(name)
                ),
            );
        }
        for curve in &self.curves {
            let places: Vec<(f64, f64)> =
                curve.points.iter().map(|(x, e)| (across(*x), down(e.value))).collect();
            stroke(out, curve.hue, curve.style, &places);
            if !curve.style.has_marks() {
                continue;
            }
            for ((x, e), place) in curve.points.iter().zip(&places) {
                let (high, low) = (down(e.high), down(e.low));
                if low - high > 1.0 {
                    let colour = HUES[curve.hue % HUES.len()];
                    put(
                        out,
                        format_args!(
                            "<path d=\"M{:.1} {high:.1}V{low:.1}\" stroke=\"{colour}\"/>\n",
                            across(*x)
                        ),
                    );
                }
                mark(out, curve.hue, *place);
            }
        }
    }
}

impl Style {
    fn has_marks(self) -> bool {
        matches!(self, Self::Measured | Self::Points)
    }
}

impl Axis {
    /// Where a value stands, from 0 to 1; what is no number stands at the upper end, where it is seen.
    fn share(&self, value: f64) -> f64 {
        if value.is_nan() {
            return 1.0;
        }
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
        };
        share.clamp(0.0, 1.0)
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

fn stroke(out: &mut String, hue: usize, style: Style, places: &[(f64, f64)]) {
    if places.is_empty() || style == Style::Points {
        return;
    }
    let (colour, extra) = match style {
        Style::Measured | Style::Points => (HUES[hue % HUES.len()], ""),
        Style::Predicted => (HUES[hue % HUES.len()], " stroke-dasharray=\"5 4\""),
        Style::Limit => (LIMIT, " stroke-dasharray=\"2 3\""),
    };
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    put(
        out,
        format_args!(
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{extra}/>\n",
            path.join("L")
        ),
    );
}

/// A marker: colour by hue, and one of four shapes, for those who see no colours.
fn mark(out: &mut String, hue: usize, (x, y): (f64, f64)) {
    let colour = HUES[hue % HUES.len()];
    let shape = match hue % 4 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.8\" fill=\"{colour}\"/>"),
        1 => format!("<path d=\"M{:.1} {:.1}h5v5h-5z\" fill=\"{colour}\"/>", x - 2.5, y - 2.5),
        2 => format!("<path d=\"M{x:.1} {:.1}l3.2 5.6h-6.4z\" fill=\"{colour}\"/>", y - 3.4),
        _ => format!(
            "<path d=\"M{x:.1} {:.1}l3.5 3.5l-3.5 3.5l-3.5 -3.5z\" fill=\"{colour}\"/>",
            y - 3.5
        ),
    };
    put(out, format_args!("{shape}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale, low: f64, high: f64) -> Axis {
        Axis { label: "a<b".into(), low, high, scale, ticks: vec![low, high] }
    }

    #[test]
    fn a_value_stands_where_its_scale_puts_it_and_at_the_end_beyond() {
        let log = axis(Scale::Log, 0.01, 1.0);
        // √(0.01 · 1) = 0.1 is half-way.
        assert!((log.share(0.1) - 0.5).abs() < 1e-12);
        for (value, want) in [(0.0, 0.0), (1e9, 1.0), (f64::NAN, 1.0), (f64::INFINITY, 1.0)] {
            assert!((log.share(value) - want).abs() < 1e-12, "{value}");
        }
        assert!((axis(Scale::Linear, 1.0, 3.0).share(1.5) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn text_cannot_leave_the_chart_and_every_curve_is_drawn() {
        let point = |x: f64, y: f64| (x, Estimate { value: y, low: y - 0.1, high: y + 0.1 });
        let curve = |style| Curve { hue: 1, style, points: vec![point(0.0, 0.2), point(1.0, 0.8)] };
        let panel = Panel {
            title: "<t>".into(),
            x: axis(Scale::Linear, 0.0, 1.0),
            y: axis(Scale::Linear, 0.0, 1.0),
            limit: Some((0.5, "limit".into())),
            curves: vec![curve(Style::Measured), curve(Style::Predicted)],
        };
        let chart = Chart {
            label: "l\"".into(),
            columns: 2,
            panels: vec![panel.clone(), panel.clone(), panel],
            legend: vec![Entry { name: "&".into(), hue: 1, style: Style::Measured }],
        };
        let svg = chart.svg();
        assert!(svg.contains("&lt;t&gt;") && svg.contains("l&quot;") && svg.contains("&amp;"));
        // Two panels a row, two rows and a line of legend: 600 × (460 + 18 + 8).
        assert!(svg.contains("viewBox=\"0 0 600 486\""), "{svg}");
        assert_eq!(svg.matches("stroke-dasharray=\"5 4\"").count(), 3);
        assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"));
    }
}
