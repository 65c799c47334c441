//! Makes a failing case small: fewer views, ticks and changes, then a shorter query, as long as it fails.
//!
//! Proptest would shrink the numbers that a case is made from; one number less in front and all later choices are others. Here
//! whole views, ticks and changes go, with the rest as it was, and numbers only to make a view's query simpler.

use super::case::Case;
use std::time::{Duration, Instant};

pub struct Shrinker<'a> {
    /// What is wrong with a case; `None` where it passes.
    fails: &'a mut dyn FnMut(&Case) -> Option<String>,
    until: Instant,
    case: Case,
    reason: String,
}

impl<'a> Shrinker<'a> {
    /// The smallest case that was found in the given time, and what is wrong with it.
    pub fn run(
        case: Case,
        reason: String,
        time: Duration,
        fails: &'a mut dyn FnMut(&Case) -> Option<String>,
    ) -> (Case, String) {
        let mut shrinker = Self { fails, until: Instant::now() + time, case, reason };
        while shrinker.pass() && Instant::now() < shrinker.until {}
        (shrinker.case, shrinker.reason)
    }

    fn pass(&mut self) -> bool {
        let mut smaller = false;
        smaller |= self.case.restart.is_some() && self.attempt(|case| case.restart = None);
        smaller |= self.fewer(|case| case.altered.len(), |case, range| drop(case.altered.drain(range)));
        smaller |= self.fewer(|case| case.views.len(), |case, range| drop(case.views.drain(range)));
        smaller |= self.fewer(|case| case.steps.len(), Case::drop_steps);
        for i in 0..self.case.steps.len() {
            smaller |= self.fewer(|case| case.steps[i].len(), |case, range| drop(case.steps[i].drain(range)));
        }
        for i in 0..self.case.views.len() {
            smaller |= self.fewer(
                |case| case.views[i].numbers().len(),
                |case, range| {
                    let mut numbers = case.views[i].numbers().to_vec();
                    numbers.drain(range);
                    case.views[i] = case.views[i].with(numbers);
                },
            );
            for at in 0..self.case.views[i].numbers().len() {
                let zero = |case: &mut Case| {
                    let mut numbers = case.views[i].numbers().to_vec();
                    numbers[at] = 0;
                    case.views[i] = case.views[i].with(numbers);
                };
                smaller |= self.case.views[i].numbers().get(at).is_some_and(|n| *n != 0) && self.attempt(zero);
            }
        }
        smaller
    }

    /// Takes pieces away from the end, big ones first.
    fn fewer(&mut self, len: impl Fn(&Case) -> usize, take: impl Fn(&mut Case, std::ops::Range<usize>)) -> bool {
        let mut smaller = false;
        let mut size = len(&self.case);
        while size > 0 {
            let mut end = len(&self.case);
            while end >= size {
                smaller |= self.attempt(|case| take(case, end - size..end));
                end -= size;
            }
            size /= 2;
        }
        smaller
    }

    fn attempt(&mut self, change: impl FnOnce(&mut Case)) -> bool {
        if Instant::now() > self.until {
            return false;
        }
        let mut case = self.case.clone();
        change(&mut case);
        let Some(reason) = (self.fails)(&case).filter(|reason| kind(reason) == kind(&self.reason)) else {
            return false;
        };
        (self.case, self.reason) = (case, reason);
        true
    }
}

/// What must stay the same about a reason, so that no other failure takes the place of the one that was found.
fn kind(reason: &str) -> (Option<&'static str>, Option<&str>) {
    let phrases = [
        "is not its query",
        "is in error, and",
        "and its query fails",
        "does not say so",
        "sluice.views says",
        "and its query:",
        "PostgreSQL's (+)",
        "in PostgreSQL",
        "CREATE",
    ];
    let phrase = phrases.into_iter().find(|phrase| reason.contains(phrase));
    let state = reason.find("SQLSTATE ").and_then(|at| reason.get(at..at + 14));
    (phrase, state)
}
