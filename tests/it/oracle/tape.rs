//! Choices out of a list of numbers, so that whatever is made from them shrinks with the list.

/// A list of numbers that decides; at its end every choice is the first one. Callers put the simplest first.
pub struct Tape<'a> {
    left: std::slice::Iter<'a, u16>,
}

impl<'a> Tape<'a> {
    pub fn new(numbers: &'a [u16]) -> Self {
        Self { left: numbers.iter() }
    }

    /// One of `0..n`.
    pub fn pick(&mut self, n: usize) -> usize {
        usize::from(self.left.next().copied().unwrap_or(0)) % n.max(1)
    }

    pub fn choose<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.pick(from.len())]
    }

    /// True once in `n` times; false at the end of the tape.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.pick(n) == n - 1
    }
}
