//! Sums of numerics that values can be taken back from.
//!
//! Finite values are added exactly. What a plain sum forgets is kept beside them: how many values have each scale, for the
//! result has the greatest (`numeric_avg_accum_inv` of PostgreSQL gives up there), and how many are NaN or infinite.

use crate::types::PgResult;
use crate::types::numeric::Numeric;

#[derive(Debug, Clone)]
pub struct NumericSum {
    /// At the greatest scale that there ever was.
    finite: Numeric,
    /// Values by scale; few.
    scales: Vec<(i32, i64)>,
    nans: i64,
    plus_infinities: i64,
    minus_infinities: i64,
}

impl NumericSum {
    pub const ZERO: NumericSum =
        Self { finite: Numeric::ZERO, scales: Vec::new(), nans: 0, plus_infinities: 0, minus_infinities: 0 };

    pub fn add(&mut self, value: &Numeric) -> PgResult<()> {
        if let Some(scale) = value.scale() {
            self.finite = self.finite.add(value)?;
            self.count_scale(scale, 1);
        } else {
            *self.special(value) += 1;
        }
        Ok(())
    }

    /// Takes a value back that was added before.
    pub fn remove(&mut self, value: &Numeric) -> PgResult<()> {
        if let Some(scale) = value.scale() {
            self.finite = self.finite.sub(value)?;
            self.count_scale(scale, -1);
        } else {
            *self.special(value) -= 1;
        }
        Ok(())
    }

    fn special(&mut self, value: &Numeric) -> &mut i64 {
        match (value.is_nan(), value.signum() > 0) {
            (true, _) => &mut self.nans,
            (false, true) => &mut self.plus_infinities,
            (false, false) => &mut self.minus_infinities,
        }
    }

    fn count_scale(&mut self, scale: i32, by: i64) {
        match self.scales.iter_mut().find(|(known, _)| *known == scale) {
            Some((_, count)) => *count += by,
            None => self.scales.push((scale, by)),
        }
        self.scales.retain(|(_, count)| *count != 0);
    }

    /// The sum, with the greatest scale of what is in it.
    pub fn value(&self) -> Numeric {
        if self.nans > 0 || (self.plus_infinities > 0 && self.minus_infinities > 0) {
            Numeric::NAN
        } else if self.plus_infinities > 0 {
            Numeric::INFINITY
        } else if self.minus_infinities > 0 {
            Numeric::NEG_INFINITY
        } else {
            // Digits behind the greatest scale of what is left are zeros.
            self.finite.round(self.scales.iter().map(|(scale, _)| *scale).max().unwrap_or(0))
        }
    }

    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.scales.capacity() * size_of::<(i32, i64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_a_fresh_sum_gives() {
        let number = |text: &str| Numeric::parse(text).expect("a number");
        let mut sum = NumericSum::ZERO;
        for text in ["1.5", "NaN", "2", "0.1250", "Infinity", "-Infinity"] {
            sum.add(&number(text)).expect("small numbers");
        }
        assert!(sum.value().is_nan());
        sum.remove(&number("NaN")).expect("it is there");
        assert!(sum.value().is_nan(), "both infinities");
        sum.remove(&number("-Infinity")).expect("it is there");
        assert!(sum.value().is_infinite());
        sum.remove(&number("Infinity")).expect("it is there");
        let shown = |sum: &NumericSum| {
            let mut text = Vec::new();
            sum.value().write_text(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        };
        assert_eq!(shown(&sum), "3.6250");
        sum.remove(&number("0.1250")).expect("it is there");
        assert_eq!(shown(&sum), "3.5");
        sum.remove(&number("1.5")).expect("it is there");
        assert_eq!(shown(&sum), "2");
    }
}
