//! The ledger: what a method spent, counted where it is spent, and refused past the budget.
//!
//! The convention of every count here: a multiply-add is two floating-point operations, an elementwise operation or a
//! comparison one. One forward pass of a net with widths `d` is `F = 2 Σ d_l d_{l+1}` (activations and biases are not
//! counted); value and input gradient together are 2F, a full weight gradient is 3F.
use std::ops::{Add, Sub};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Answers asked of the suspect.
    pub queries: u64,
    /// Input gradients asked of the suspect, each of which also reveals the answer.
    pub gradients: u64,
    /// Clean labelled samples drawn.
    pub clean_labels: u64,
    /// Floating-point operations, those inside the suspect included.
    pub flops: u64,
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            queries: self.queries - before.queries,
            gradients: self.gradients - before.gradients,
            clean_labels: self.clean_labels - before.clean_labels,
            flops: self.flops - before.flops,
        }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            queries: self.queries.saturating_add(other.queries),
            gradients: self.gradients.saturating_add(other.gradients),
            clean_labels: self.clean_labels.saturating_add(other.clean_labels),
            flops: self.flops.saturating_add(other.flops),
        }
    }
}

/// The most that may be spent, kind by kind. What is not named is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Most queries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<u64>,
    /// Most gradients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradients: Option<u64>,
    /// Most clean labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean_labels: Option<u64>,
    /// Most floating-point operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flops: Option<u64>,
}

impl Budget {
    /// No limit at all.
    pub const UNLIMITED: Self =
        Self { queries: None, gradients: None, clean_labels: None, flops: None };

    /// This budget `n` times over.
    pub fn times(self, n: u64) -> Self {
        let times = |limit: Option<u64>| limit.map(|limit| limit.saturating_mul(n));
        Self {
            queries: times(self.queries),
            gradients: times(self.gradients),
            clean_labels: times(self.clean_labels),
            flops: times(self.flops),
        }
    }

    /// What this budget allows after `spent` is gone: every limit raised by it.
    pub(crate) fn on_top_of(self, spent: Cost) -> Self {
        let plus = |limit: Option<u64>, spent: u64| limit.map(|limit| limit.saturating_add(spent));
        Self {
            queries: plus(self.queries, spent.queries),
            gradients: plus(self.gradients, spent.gradients),
            clean_labels: plus(self.clean_labels, spent.clean_labels),
            flops: plus(self.flops, spent.flops),
        }
    }
}

/// Counts costs, and refuses what would pass the budget.
#[derive(Debug)]
pub struct Ledger {
    state: Mutex<(Budget, Cost)>,
}

impl Ledger {
    /// A ledger with nothing spent yet and at most `budget` to spend.
    pub fn new(budget: Budget) -> Self {
        Self { state: Mutex::new((budget, Cost::default())) }
    }

    /// All that was spent so far.
    pub fn spent(&self) -> Cost {
        self.lock().1
    }

    /// How many clean labels the budget still allows, if it limits them.
    pub(crate) fn clean_labels_left(&self) -> Option<usize> {
        let (budget, spent) = *self.lock();
        let limit = budget.clean_labels?;
        Some(limit.saturating_sub(spent.clean_labels) as usize)
    }

    /// Charges `n` floating-point operations that a method does off the suspect.
    pub fn flops(&self, n: u64) -> Result<()> {
        self.charge(Cost { flops: n, ..Cost::default() })
    }

    /// Charges `cost`, all of it or, past any limit, nothing.
    pub(crate) fn charge(&self, cost: Cost) -> Result<()> {
        let mut state = self.lock();
        let (budget, spent) = *state;
        let kinds = [
            ("queries", budget.queries, spent.queries, cost.queries),
            ("gradients", budget.gradients, spent.gradients, cost.gradients),
            ("clean labels", budget.clean_labels, spent.clean_labels, cost.clean_labels),
            ("flops", budget.flops, spent.flops, cost.flops),
        ];
        for (what, limit, spent, asked) in kinds {
            if let Some(budget) = limit
                && asked > 0
                && spent.saturating_add(asked) > budget
            {
                return Err(Error::BudgetSpent { what, budget, spent, asked });
            }
        }
        state.1 = spent + cost;
        Ok(())
    }

    /// Replaces the limits, keeping what was spent: how the answering phase gets its own allowance.
    pub(crate) fn set_budget(&self, budget: Budget) {
        self.lock().0 = budget;
    }

    /// A count is valid at every moment, so a thread that panicked while holding the lock left nothing half done.
    fn lock(&self) -> MutexGuard<'_, (Budget, Cost)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries(n: u64) -> Cost {
        Cost { queries: n, flops: 10 * n, ..Cost::default() }
    }

    #[test]
    fn what_would_pass_a_limit_is_refused_whole_and_charges_nothing() {
        let ledger = Ledger::new(Budget { queries: Some(5), ..Budget::UNLIMITED });
        ledger.charge(queries(3)).unwrap();
        let error = ledger.charge(queries(3)).unwrap_err();
        assert!(matches!(
            error,
            Error::BudgetSpent { what: "queries", budget: 5, spent: 3, asked: 3 }
        ));
        assert_eq!(ledger.spent(), queries(3));
        ledger.charge(queries(2)).unwrap();
        assert_eq!(ledger.spent(), queries(5));
    }

    #[test]
    fn a_budget_of_zero_refuses_the_first_and_lets_free_work_pass() {
        let ledger = Ledger::new(Budget { flops: Some(0), ..Budget::UNLIMITED });
        assert!(ledger.flops(1).is_err());
        ledger.charge(Cost { clean_labels: 4, ..Cost::default() }).unwrap();
        assert_eq!(ledger.spent().clean_labels, 4);
    }

    #[test]
    fn counts_are_exact_when_threads_charge_together() {
        let ledger = Ledger::new(Budget { queries: Some(1000), ..Budget::UNLIMITED });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..400).for_each(|_| drop(ledger.charge(queries(1)))));
            }
        });
        assert_eq!(ledger.spent(), queries(1000));
    }
}
