//! The figure of robust means: errors by law and place of the outliers, and below how often fixed estimators leave the bar.
use super::{Cell, FIXED, Law, Measured, Outliers, fixed_name};
use crate::report::lines::{Axis, Chart, Curve, Entry, Panel, Scale, Style};
use crate::robust::unavoidable_bias;
use crate::stats::Estimate;

/// The estimators whose errors are drawn, in the order of their colours.
const DRAWN: [&str; 8] = [
    "mean of medians, tuned",
    "median of means, 55 groups",
    "median of means, tuned",
    "median",
    "trimmed, tuned",
    "huber",
    "mean",
    "catoni",
];

/// Ends of the axis of errors, in bars.
const ERRORS: (f64, f64) = (0.003, 3.0);

/// Draws what was measured.
pub fn figure(measured: &Measured) -> Chart {
    let spec = &measured.spec;
    let mut panels = Vec::new();
    for &outliers in &spec.outliers {
        panels.extend(spec.laws.iter().map(|&law| errors(measured, law, outliers)));
    }
    if spec.outliers.contains(&Outliers::Far) {
        panels.extend(spec.laws.iter().map(|&law| failures(measured, law)));
    }
    let entry =
        |(hue, name): (usize, &str)| Entry { name: name.to_owned(), hue, style: Style::Measured };
    let mut legend: Vec<Entry> = DRAWN.into_iter().enumerate().map(entry).collect();
    let limit = "ε/(1 − ε): no method's worst case is less".to_owned();
    legend.push(Entry { name: limit, hue: 0, style: Style::Limit });
    legend.extend(FIXED.into_iter().enumerate().map(|(hue, estimator)| Entry {
        name: format!("{}: predicted (line), measured (points)", fixed_name(estimator)),
        hue,
        style: Style::Predicted,
    }));
    Chart {
        label: "Root mean square errors of robust means against the share of outliers, and how often they leave the bar"
            .to_owned(),
        columns: spec.laws.len(),
        panels,
        legend,
    }
}

/// The axis of shares.
fn shares(measured: &Measured) -> Axis {
    let most = measured.spec.shares.iter().copied().fold(0.1, f64::max);
    let ticks = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5].into_iter().filter(|tick| *tick <= most);
    Axis {
        label: "share ε of outliers".to_owned(),
        low: 0.0,
        high: most,
        scale: Scale::Linear,
        ticks: ticks.collect(),
    }
}

/// The cells of one curve.
fn cells<'a>(
    measured: &'a Measured,
    (law, outliers): (Law, Outliers),
    name: &'a str,
) -> impl Iterator<Item = &'a Cell> {
    let these =
        move |cell: &&Cell| cell.law == law && cell.outliers == outliers && cell.name == name;
    measured.cells.iter().filter(these)
}

fn exact(value: f64) -> Estimate {
    Estimate { value, low: value, high: value }
}

fn errors(measured: &Measured, law: Law, outliers: Outliers) -> Panel {
    let curve = |(hue, name): (usize, &'static str)| Curve {
        hue,
        style: Style::Measured,
        points: cells(measured, (law, outliers), name)
            .map(|cell| (cell.share, exact(cell.rms)))
            .collect(),
    };
    let mut curves: Vec<Curve> = DRAWN.into_iter().enumerate().map(curve).collect();
    // The one that the figure is about is drawn last.
    curves.reverse();
    let shares_axis = shares(measured);
    let steps = (1..=60).map(|i| shares_axis.high * f64::from(i) / 60.0);
    let limit = steps.map(|share| (share, exact(unavoidable_bias(share, 1.0)))).collect();
    curves.insert(0, Curve { hue: 0, style: Style::Limit, points: limit });
    Panel {
        title: format!("{}, outliers {}", law.name(), outliers.name().replace('-', " ")),
        x: shares_axis,
        y: Axis {
            label: "RMS error, in bars (cut at 0.003 and 3)".to_owned(),
            low: ERRORS.0,
            high: ERRORS.1,
            scale: Scale::Log,
            ticks: vec![0.01, 0.1, 1.0],
        },
        limit: None,
        curves,
    }
}

fn failures(measured: &Measured, law: Law) -> Panel {
    let mut curves = Vec::new();
    for (hue, estimator) in FIXED.into_iter().enumerate() {
        let name = fixed_name(estimator);
        let points = cells(measured, (law, Outliers::Far), &name)
            .map(|cell| (cell.share, cell.outside.estimate()))
            .collect();
        let steps = (0..=120).map(|i| shares(measured).high * f64::from(i) / 120.0);
        let predicted = steps
            .filter_map(|share| Some((share, exact(estimator.spoilt(measured.spec.n, share)?))))
            .collect();
        curves.push(Curve { hue, style: Style::Predicted, points: predicted });
        curves.push(Curve { hue, style: Style::Points, points });
    }
    Panel {
        title: format!("{}, outliers far: failures", law.name()),
        x: shares(measured),
        y: Axis {
            label: "P[error over one bar]".to_owned(),
            low: 0.0,
            high: 1.0,
            scale: Scale::Linear,
            ticks: vec![0.0, 0.25, 0.5, 0.75, 1.0],
        },
        limit: None,
        curves,
    }
}
