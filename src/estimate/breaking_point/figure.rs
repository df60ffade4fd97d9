//! The figure of a sweep: failures measured, claimed and predicted against what is assumed.
use super::Swept;
use crate::report::lines::{Axis, Chart, Curve, Entry, Panel, Scale, Style};
use crate::stats::Estimate;

const MEASURED: usize = 0;
const PREDICTED: usize = 1;
const CLAIMED: usize = 2;

/// Values of a logarithmic axis that may have a mark.
const DECADES: [f64; 11] = [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0, 100.0];

/// Draws a sweep, once with even and once with logarithmic rates.
pub fn figure(swept: &Swept) -> Chart {
    let spec = &swept.spec;
    let at = |i: usize| swept.points[i].at;
    let (least, most) = (at(0), at(swept.points.len() - 1));
    let exact = |value| Estimate { value, low: value, high: value };
    let all = &swept.points;
    let measured = all.iter().map(|p| (p.at, p.failed.estimate())).collect();
    let predicted = all.iter().filter_map(|p| Some((p.at, exact(p.predicted?)))).collect();
    let mut claimed: Vec<(f64, Estimate)> =
        all.iter().filter(|p| p.inside).filter_map(|p| Some((p.at, exact(p.claimed?)))).collect();
    if let Some((_, claim)) = claimed.last().copied() {
        claimed.push((swept.limit.min(most), claim));
    }
    let curves = vec![
        Curve { hue: CLAIMED, style: Style::Predicted, points: claimed },
        Curve { hue: PREDICTED, style: Style::Predicted, points: predicted },
        Curve { hue: MEASURED, style: Style::Measured, points: measured },
    ];
    let wide = least > 0.0 && most / least > 20.0;
    let ticks = if wide {
        DECADES.into_iter().filter(|tick| (least..=most).contains(tick)).collect()
    } else {
        even_ticks(most)
    };
    let x = Axis {
        label: format!("{}, assumed ≤ {}", spec.axis.name(), swept.limit),
        low: if wide { least } else { 0.0 },
        high: most,
        scale: if wide { Scale::Log } else { Scale::Linear },
        ticks,
    };
    let panel = |title: &str, y: Axis| Panel {
        title: title.to_owned(),
        x: x.clone(),
        y,
        limit: Some((swept.limit, "limit".to_owned())),
        curves: curves.clone(),
    };
    let rate =
        |low, scale, ticks| Axis { label: "P[failure]".to_owned(), low, high: 1.0, scale, ticks };
    let entry = |name: &str, hue, style| Entry { name: name.to_owned(), hue, style };
    let mut legend = vec![
        entry("measured, 95% interval", MEASURED, Style::Measured),
        entry("claimed within the limit", CLAIMED, Style::Predicted),
    ];
    if all.iter().any(|p| p.predicted.is_some()) {
        legend.push(entry("predicted, an upper bound", PREDICTED, Style::Predicted));
    }
    Chart {
        label: format!("{}: {}", spec.name, spec.question),
        columns: 2,
        panels: vec![
            panel(&spec.name, rate(0.0, Scale::Linear, vec![0.0, 0.25, 0.5, 0.75, 1.0])),
            panel(
                "the same, logarithmic",
                rate(1e-4, Scale::Log, vec![1e-4, 1e-3, 0.01, 0.1, 1.0]),
            ),
        ],
        legend,
    }
}

/// Up to six even marks from 0.
fn even_ticks(most: f64) -> Vec<f64> {
    let decade = 10_f64.powf(most.log10().floor());
    let step = [0.1, 0.2, 0.5, 1.0, 2.0]
        .map(|share| share * decade)
        .into_iter()
        .find(|step| most / step <= 6.0)
        .unwrap_or(decade);
    let n = (most / step + 1e-9).floor() as u32;
    // 3 · 0.1 is 0.30000000000000004.
    (0..=n).map(|i| (f64::from(i) * step * 1e9).round() / 1e9).collect()
}

#[cfg(test)]
mod tests {
    use super::even_ticks;

    #[test]
    fn marks_are_even_and_few() {
        assert_eq!(even_ticks(0.45), vec![0.0, 0.1, 0.2, 0.3, 0.4]);
        assert_eq!(even_ticks(1.0), vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(even_ticks(60.0), vec![0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    }
}
