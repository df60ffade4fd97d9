//! What the target column of a table says, and what it means.
use std::collections::BTreeMap;

use super::Labelling;
use crate::data::Target;

/// Labels, row by row.
#[derive(Debug, PartialEq)]
pub(super) enum Labels {
    /// Numbers of classes.
    Classes {
        /// The class of every row.
        codes: Vec<u32>,
        /// What the classes are called in the file, in their order.
        names: Vec<String>,
        /// Whether the two classes stand for −1 and +1.
        signs: bool,
    },
    /// Numbers.
    Real {
        /// The label of every row.
        values: Vec<f64>,
        /// Their deviation over all rows; positive.
        deviation: f64,
    },
}

/// Most classes.
const MOST_CLASSES: usize = 1000;
/// Most different whole numbers that are taken for classes unasked.
const MOST_WHOLE: usize = 20;

impl Labels {
    /// What they mean.
    pub(super) fn target(&self) -> Target {
        match self {
            Self::Classes { signs: true, .. } => Target::Sign,
            Self::Classes { names, .. } => Target::Classes(names.len()),
            Self::Real { .. } => Target::Real,
        }
    }

    /// The label row of row `i`.
    pub(super) fn row(&self, i: usize) -> Vec<f64> {
        match self {
            Self::Classes { codes, .. } => self.target().label_of(codes[i] as usize),
            Self::Real { values, .. } => vec![values[i]],
        }
    }
}

/// A target column while it is read: what it means is known at its end only.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// Numbers, as long as all are.
    values: Vec<f64>,
    /// The first that is none, with its line.
    text: Option<(u64, String)>,
    /// The first that is one, with its line.
    number: Option<(u64, String)>,
    /// Different labels, as long as they are few.
    known: BTreeMap<String, u32>,
    codes: Vec<u32>,
}

impl Builder {
    /// Takes the label on line `line`.
    ///
    /// # Errors
    /// If it is a number that is not finite, or no kind of target is left that it could belong to.
    pub(super) fn push(&mut self, line: u64, label: &str) -> Result<(), String> {
        let parsed = label.parse::<f64>();
        if parsed.is_ok() {
            self.number.get_or_insert_with(|| (line, label.to_owned()));
        }
        match parsed {
            Ok(value) if !value.is_finite() => {
                return Err(format!("line {line}: the target \"{label}\" is not finite"));
            }
            Ok(value) if self.text.is_none() => self.values.push(value),
            Err(_) if self.text.is_none() => {
                self.values = Vec::new();
                self.text = Some((line, label.to_owned()));
            }
            _ => {}
        }
        if self.known.len() <= MOST_CLASSES {
            let next = self.known.len() as u32;
            let code = match self.known.get(label) {
                Some(code) => *code,
                None => *self.known.entry(label.to_owned()).or_insert(next),
            };
            self.codes.push(code);
        } else {
            self.codes = Vec::new();
        }
        match &self.text {
            Some((line, text)) if self.known.len() > MOST_CLASSES => Err(format!(
                "line {line}: the target \"{text}\" is no number, and it has more than {MOST_CLASSES} different values, too many for classes"
            )),
            _ => Ok(()),
        }
    }

    /// All labels, meaning `labelling` if that is given.
    pub(super) fn finish(self, labelling: Option<Labelling>) -> Result<Labels, String> {
        let few = self.known.len() <= MOST_CLASSES;
        if let (None, Some((line, text)), Some((other, number))) =
            (labelling, &self.text, &self.number)
        {
            return Err(format!(
                "line {line}: the target \"{text}\" is no number, and \"{number}\" on line {other} is one; task = \"classes\" takes both for names"
            ));
        }
        let labelling = labelling.unwrap_or_else(|| self.guess());
        match (labelling, &self.text) {
            (Labelling::Real, Some((line, text))) => Err(format!(
                "line {line}: the target \"{text}\" is no number, but real ones were asked for"
            )),
            (Labelling::Real, None) => real(self.values),
            (Labelling::Classes | Labelling::Sign, _) if !few => Err(format!(
                "the target has more than {MOST_CLASSES} different values, too many for classes; task = \"real\" reads numbers"
            )),
            (Labelling::Classes, _) => self.classes(false),
            (Labelling::Sign, _) => self.classes(true),
        }
    }

    fn guess(&self) -> Labelling {
        if self.text.is_some() {
            return Labelling::Classes;
        }
        if self.known.len() > MOST_CLASSES {
            return Labelling::Real;
        }
        let signs = self.values.iter().all(|value| (value.abs() - 1.0).abs() <= 0.0);
        let whole = self.values.iter().all(|value| value.fract().abs() <= 0.0);
        match (signs, whole) {
            (true, _) => Labelling::Sign,
            (_, true) if self.known.len() <= MOST_WHOLE => Labelling::Classes,
            _ => Labelling::Real,
        }
    }

    /// Classes in their order; different spellings of one number are one class.
    fn classes(self, signs: bool) -> Result<Labels, String> {
        let mut sorted: Vec<(String, u32)> = self.known.into_iter().collect();
        let number = |label: &str| label.parse::<f64>().unwrap_or_default();
        let numbers = self.text.is_none();
        if numbers {
            sorted.sort_by(|a, b| number(&a.0).total_cmp(&number(&b.0)).then(a.0.cmp(&b.0)));
        }
        let mut names: Vec<String> = Vec::new();
        let mut place = vec![0; sorted.len()];
        for (name, code) in sorted {
            let same = |last: &String| numbers && (number(last) - number(&name)).abs() <= 0.0;
            if !names.last().is_some_and(same) {
                names.push(name);
            }
            place[code as usize] = names.len() as u32 - 1;
        }
        if names.len() < 2 {
            return Err(format!(
                "the target is \"{}\" in every row; two classes are needed",
                names.concat()
            ));
        }
        if signs && names.len() != 2 {
            return Err(format!("a sign has two values, the target has {}", names.len()));
        }
        let codes = self.codes.into_iter().map(|code| place[code as usize]).collect();
        Ok(Labels::Classes { codes, names, signs })
    }
}

fn real(values: Vec<f64>) -> Result<Labels, String> {
    let n = values.len() as f64;
    let mean = values.iter().map(|value| value / n).sum::<f64>();
    let deviation = values.iter().map(|value| (value - mean).powi(2) / n).sum::<f64>().sqrt();
    let varies = values.iter().any(|value| value.total_cmp(&values[0]).is_ne());
    if varies && deviation > 0.0 && deviation.is_finite() {
        return Ok(Labels::Real { values, deviation });
    }
    if varies {
        return Err(format!("the target's deviation is {deviation}, which is out of reach"));
    }
    Err("the target is the same number in every row; one that varies is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(all: &[&str], labelling: Option<Labelling>) -> Result<Labels, String> {
        let mut builder = Builder::default();
        for (i, label) in all.iter().enumerate() {
            builder.push(i as u64 + 2, label)?;
        }
        builder.finish(labelling)
    }

    fn classes(all: &[&str], labelling: Option<Labelling>) -> (Vec<u32>, Vec<String>, bool) {
        match labels(all, labelling).unwrap() {
            Labels::Classes { codes, names, signs } => (codes, names, signs),
            other @ Labels::Real { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_target_means_is_seen_from_its_values() {
        assert_eq!(classes(&["b", "a", "b"], None).0, [1, 0, 1]);
        assert_eq!(
            classes(&["10", "9", "10.0"], None),
            (vec![1, 0, 1], vec!["9".into(), "10".into()], false)
        );
        assert!(classes(&["-1", "1.0", "+1"], None).2, "a sign");
        assert_eq!(labels(&["1", "2.5"], None).unwrap().target(), Target::Real);
        let many: Vec<String> = (0..21).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(labels(&many, None).unwrap().target(), Target::Real);
        assert_eq!(labels(&many[..20], None).unwrap().target(), Target::Classes(20));
        assert_eq!(labels(&many, Some(Labelling::Classes)).unwrap().target(), Target::Classes(21));
        // Values 1 and 3: mean 2, deviation 1.
        let Labels::Real { deviation, .. } = labels(&["1", "3"], Some(Labelling::Real)).unwrap()
        else {
            panic!("real was asked for")
        };
        assert!((deviation - 1.0).abs() < 1e-15);
    }

    #[test]
    fn targets_that_say_nothing_or_do_not_fit_are_refused() {
        for (all, labelling, said) in [
            (vec!["a", "a"], None, "in every row"),
            (vec!["2", "2.0"], None, "in every row"),
            (vec!["1", "x"], Some(Labelling::Real), "line 3: the target \"x\" is no number"),
            (vec!["1", "2", "3"], Some(Labelling::Sign), "has 3"),
            (vec!["1", "inf"], None, "not finite"),
            (vec!["1.5", "1.5"], None, "same number in every row"),
            (vec!["1e300", "-1e300"], Some(Labelling::Real), "deviation is inf"),
        ] {
            let why = labels(&all, labelling).unwrap_err();
            assert!(why.contains(said), "{all:?}: {why}");
        }
        let names: Vec<String> = (0..=MOST_CLASSES).map(|i| format!("n{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(labels(&names, None).unwrap_err().contains("too many for classes"));
        assert!(labels(&names[1..], None).is_ok());
    }

    #[test]
    fn numbers_with_one_slip_among_them_are_not_taken_for_names() {
        let why = labels(&["1.5", "2.5", "3.4x"], None).unwrap_err();
        assert!(why.contains("line 4: the target \"3.4x\"") && why.contains("line 2"), "{why}");
        assert!(labels(&["1.5", "2.5", "3.4x"], Some(Labelling::Classes)).is_ok());
    }

    #[test]
    fn a_target_that_is_the_same_everywhere_is_refused_whatever_rounding_makes_of_it() {
        assert!(labels(&["0.1"; 100], Some(Labelling::Real)).unwrap_err().contains("same number"));
    }
}
