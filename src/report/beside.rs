//! Which mitigators of a group do better than relearning, and in what: the bar that each of them has to beat.
use super::format::{cost, share};
use crate::stats::Estimate;
use crate::study::summary::{NOTHING, Row};

/// The name of the mitigator that ignores the suspect.
pub(super) const RELEARN: &str = "relearn";
/// Columns beyond which a line is broken.
const WIDTH: usize = 150;

/// A quantity in which rows are compared with `relearn`.
struct Quantity {
    name: &'static str,
    of: fn(&Row) -> Option<Estimate>,
    more_is_better: bool,
}

const QUANTITIES: [Quantity; 4] = [
    Quantity { name: "recovered", of: |row| row.recovered, more_is_better: true },
    Quantity { name: "clean risk", of: |row| row.clean_risk, more_is_better: false },
    Quantity { name: "labels", of: |row| row.clean_labels, more_is_better: false },
    Quantity { name: "work of 1,000 answers", of: work, more_is_better: false },
];

/// Work in forward passes before the first answer and for 1,000 of them; its interval from both at once.
fn work(row: &Row) -> Option<Estimate> {
    let (before, each) = (row.passes_before?, row.passes_per_answer?);
    let sum = |of: fn(&Estimate) -> f64| of(&before) + 1000.0 * of(&each);
    Some(Estimate { value: sum(|e| e.value), low: sum(|e| e.low), high: sum(|e| e.high) })
}

/// Says under a group what `relearn` reached in it, and who was better at what: those whose whole interval is on the better
/// side of that of `relearn`. Empty without `relearn` or without anyone to compare.
pub(super) fn beside_relearn(rows: &[&Row]) -> String {
    let Some(bar) = rows.iter().find(|row| row.mitigator == RELEARN && row.n_models > 0) else {
        return String::new();
    };
    let others: Vec<&&Row> = rows
        .iter()
        .filter(|row| ![RELEARN, NOTHING].contains(&row.mitigator.as_str()) && row.n_models > 0)
        .collect();
    if others.is_empty() {
        return String::new();
    }
    let reached = match bar.recovered {
        Some(_) => format!("{} recovered", share(bar.recovered)),
        None => format!("{} clean risk", share(bar.clean_risk)),
    };
    let mut words: Vec<String> = vec![format!(
        "relearn: {reached} from {} labels and {} F.",
        cost(bar.clean_labels),
        cost(bar.passes_before)
    )];
    for Quantity { name, of, more_is_better } in QUANTITIES {
        let Some(bar) = of(bar) else { continue };
        let better = |row: &&&&Row| {
            of(row).is_some_and(|got| {
                if more_is_better { got.low > bar.high } else { got.high < bar.low }
            })
        };
        let names: Vec<&str> =
            others.iter().filter(better).map(|row| row.mitigator.as_str()).collect();
        let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        words.push(format!("Better in {name}: {names}."));
    }
    wrapped(&words.join(" "))
}

/// `text` in lines of at most [`WIDTH`] columns, each indented, where it has spaces to break at.
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        // A name may hold what a terminal would obey.
        let word: String = word
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(format!("  {word}")),
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn only_an_interval_that_is_clear_of_relearns_counts_as_better() {
        let summary = fixture::summary();
        let template = |name: &str, recovered: (f64, f64), labels: f64| Row {
            mitigator: name.into(),
            n_models: 2,
            recovered: Some(fixture::estimate(recovered.0, recovered.0, recovered.1)),
            clean_labels: Some(fixture::estimate(labels, labels, labels)),
            ..summary.rows[0].clone()
        };
        let rows = [
            template("relearn", (0.5, 0.6), 300.0),
            template("clear", (0.7, 0.8), 0.0),
            template("overlapping", (0.55, 0.9), 300.0),
            template("nothing", (0.9, 0.95), 0.0),
        ];
        let rows: Vec<&Row> = rows.iter().collect();
        let said = beside_relearn(&rows);
        assert!(said.contains("Better in recovered: clear."), "{said}");
        assert!(said.contains("Better in labels: clear."), "{said}");
        assert!(said.contains("Better in clean risk: nobody."), "{said}");
        assert!(said.contains("Better in work of 1,000 answers: nobody."), "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= WIDTH + 2));
        assert_eq!(beside_relearn(&rows[1..]), "");
    }
}
