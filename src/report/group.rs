//! Rows put together by task and attack, whatever the order in which their cells ran.
use crate::study::summary::Row;

/// The rows of one (task, attack).
pub(super) struct Group<'a> {
    pub task: &'a str,
    pub attack: &'a str,
    pub rows: Vec<&'a Row>,
}

/// The rows by task and attack, each in the order of first appearance.
pub(super) fn by_task_and_attack(rows: &[Row]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for task in tasks(rows) {
        let start = groups.len();
        for row in rows.iter().filter(|row| row.task == task) {
            match groups[start..].iter_mut().find(|group| group.attack == row.attack) {
                Some(group) => group.rows.push(row),
                None => groups.push(Group { task, attack: &row.attack, rows: vec![row] }),
            }
        }
    }
    groups
}

/// The tasks in the order of first appearance.
pub(super) fn tasks(rows: &[Row]) -> Vec<&str> {
    first_appearances(rows.iter().map(|row| row.task.as_str()))
}

/// Each name once, in the order of first appearance.
pub(super) fn first_appearances<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
