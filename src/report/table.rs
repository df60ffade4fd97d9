//! The terminal table: one row a (task, attack, mitigator), in groups of task and attack.
use super::beside::{RELEARN, beside_relearn};
use super::format::{NOTHING_MEASURED, ONE_MODEL, cost, of, share};
use super::group::by_task_and_attack;
use crate::stats::Estimate;
use crate::stats::unseen_kind;
use crate::study::summary::{Row, Summary};

/// Follows the number of models where training, the mitigator or the scorer failed on some.
pub(super) const FAILED_MARK: &str = "†";

/// Follows the number of models where the attack did not take hold of some.
pub(super) const ATTACK_FAILED_MARK: &str = "‡";

const HEADINGS: [&str; 12] = [
    "task",
    "attack",
    "mitigator",
    "access",
    "models",
    "clean risk",
    "attack success",
    "recovered",
    "queries",
    "work in F",
    "labels",
    "held",
];

/// The widest share there is, `100.0%`: shorter ones are moved right, so that decimal points stand in one line.
const SHARE_WIDTH: usize = 6;

/// The results as a table for the terminal, with a legend below. About 160 columns wide, more where costs differ between models; ends in a line break.
pub fn table(summary: &Summary) -> String {
    let groups = by_task_and_attack(&summary.rows);
    let lines: Vec<Vec<[String; 12]>> =
        groups.iter().map(|group| group.rows.iter().map(|row| cells(row)).collect()).collect();
    let mut widths = HEADINGS.map(width);
    for line in lines.iter().flatten() {
        for (widest, cell) in widths.iter_mut().zip(line) {
            *widest = (*widest).max(width(cell));
        }
    }
    let mut out = laid_out(&HEADINGS.map(str::to_owned), &widths);
    let rule = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
    out.push_str(&"─".repeat(rule));
    out.push('\n');
    for (i, (group, of)) in lines.iter().zip(&groups).enumerate() {
        if i > 0 {
            out.push('\n');
        }
        for line in group {
            out += &laid_out(line, &widths);
        }
        out += &beside_relearn(&of.rows);
    }
    out + "\n" + &legend(&summary.rows)
}

/// Models measured, and behind it those that were not, by the reason.
pub(super) fn models(row: &Row) -> String {
    let marked = |n: u64, mark: &str| if n > 0 { format!(" {mark}{n}") } else { String::new() };
    row.n_models.to_string()
        + &marked(row.n_failed, FAILED_MARK)
        + &marked(row.n_attack_failed, ATTACK_FAILED_MARK)
}

fn cells(row: &Row) -> [String; 12] {
    let aligned = |estimate| {
        let text = share(estimate);
        let value = text.split(' ').next().unwrap_or_default();
        " ".repeat(SHARE_WIDTH.saturating_sub(width(value))) + &text
    };
    [
        one_line(&row.task),
        one_line(&row.attack),
        one_line(&row.mitigator),
        one_line(&row.access),
        models(row),
        aligned(row.clean_risk),
        aligned(row.attack_success),
        aligned(row.recovered),
        two_costs(row.queries_per_answer, row.queries_before),
        two_costs(row.passes_per_answer, row.passes_before),
        cost(row.clean_labels),
        of(row.assumptions_held),
    ]
}

/// The cost of an answer, and behind it that before the first one, where there is any.
fn two_costs(per_answer: Option<Estimate>, before: Option<Estimate>) -> String {
    match before {
        Some(e) if e.value > 0.0 => format!("{} + {}", cost(per_answer), cost(before)),
        _ => cost(per_answer),
    }
}

fn laid_out(cells: &[String; 12], widths: &[usize; 12]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, wide)| cell.clone() + &" ".repeat(wide - width(cell)))
        .collect();
    padded.join("  ").trim_end().to_owned() + "\n"
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// `name` with its control characters spelled out: a terminal would obey them.
fn one_line(name: &str) -> String {
    name.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

/// What so many models cannot say.
pub(super) fn unseen(rows: &[Row]) -> String {
    let n_models = rows.iter().map(|row| row.n_models).max().unwrap_or(0);
    let share = 100.0 * unseen_kind(n_models);
    format!(
        "The intervals are about models like these: a kind of model that none of {n_models} is of may still be up to {share:.1}% of all."
    )
}

fn legend(rows: &[Row]) -> String {
    let mut lines = vec![
        "Every number is a mean over independently trained models; [a, b] is its 95% interval. For shares that is the union".to_owned(),
        "of Student's t over models and Clopper-Pearson over all pooled answers; for costs Student's t, or no interval where all models cost the same.".to_owned(),
        unseen(rows),
        "models: measured. clean risk: wrong answers on clean inputs. attack success, recovered: triggered inputs answered as the attacker wants, and rightly.".to_owned(),
        "queries, work: an answer, + before the first answer. F: one forward pass of the model under test. labels: clean labelled samples used.".to_owned(),
        format!("held: models on which every assumption of the mitigator's theorem held, of those checked. {NOTHING_MEASURED}: not measured."),
    ];
    if rows.iter().any(|row| row.mitigator == RELEARN) {
        lines.push("better: the whole interval lies on the better side of that of relearn, which never asks the suspect anything.".to_owned());
    }
    if rows.iter().any(|row| row.n_models == 1) {
        lines.push(format!(
            "{ONE_MODEL}: one model, so nothing is known of the spread over models."
        ));
    }
    if rows.iter().any(|row| row.n_failed > 0) {
        lines.push(format!("{FAILED_MARK}n: training, the mitigator or the scorer failed on n models, which count for nobody's success."));
    }
    if rows.iter().any(|row| row.n_attack_failed > 0) {
        lines.push(format!(
            "{ATTACK_FAILED_MARK}n: n models left out because the attack did not take hold of them."
        ));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// The cells of the line of one mitigator, split at gaps of two spaces or more.
    fn line_of(table: &str, attack: &str, mitigator: &str) -> Vec<String> {
        let line = table
            .lines()
            .find(|line| line.contains(attack) && line.contains(mitigator))
            .expect("the mitigator has a line");
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn every_cell_of_a_line_is_what_the_row_says() {
        let table = table(&fixture::summary());
        assert_eq!(
            line_of(&table, "badnets", "fine-prune"),
            [
                fixture::HOSTILE,
                "badnets",
                "fine-prune",
                "white box",
                "2 †1",
                "5.0% [4.0, 6.0]",
                "12.3% [10.1, 14.5]",
                "–",
                "0",
                "1 + 42k [41k, 43k]",
                "2000",
                "–"
            ]
        );
        assert_eq!(
            line_of(&table, "badnets", "fourier-global")[3..],
            [
                "black box",
                "2",
                "–",
                "0.0% [0.0, 0.4]",
                "98.0% [96.0, 100.0]",
                "0 + 1.3M",
                "0.01 + 1.3M",
                "0",
                "1/2"
            ]
        );
        assert_eq!(line_of(&table, "badnets", "nothing")[4], "2 ‡1");
    }

    #[test]
    fn one_model_has_no_interval_over_models_and_the_legend_says_so() {
        let mut summary = fixture::summary();
        let table_of = table(&summary);
        assert_eq!(
            line_of(&table_of, "half-space", "affine-ray")[8..10],
            ["12 [n=1]", "12.5 [n=1]"]
        );
        assert!(table_of.contains("[n=1]: one model"));
        assert!(table_of.contains("‡n: n models left out"));
        summary.rows.truncate(1);
        let shorter = table(&summary);
        assert!(!shorter.contains("n=1") && !shorter.contains('†') && !shorter.contains('‡'));
    }

    #[test]
    fn groups_are_set_apart_and_shares_stand_point_under_point() {
        let table = table(&fixture::summary());
        let body: Vec<&str> = table.lines().skip(2).take(8).collect();
        // Groups of 1, 3 and 1 rows, a blank line after each.
        let blank: Vec<bool> = body.iter().map(|line| line.is_empty()).collect();
        assert_eq!(blank, [false, true, false, false, false, true, false, true]);
        let column = |line: &str, share: &str| {
            let byte = line.find(share).expect("the share is in the line");
            line[..byte].chars().count() + share.find('.').expect("a decimal point")
        };
        assert_eq!(column(body[2], "97.5%"), column(body[4], "0.0%"));
    }

    #[test]
    fn no_line_is_much_wider_than_a_terminal_and_control_characters_are_spelled_out() {
        let mut summary = fixture::summary();
        summary.rows[0].task = "a\u{1b}[2Jb\n".into();
        let table = table(&summary);
        assert!(table.contains("a\\u{1b}[2Jb\\n") && !table.contains('\u{1b}'));
        assert!(table.lines().all(|line| width(line) <= 170), "{table}");
    }
}
