//! The ids of a chunk's rows.

use super::prefetch::prefetch;

/// Ids in a line of a bitmap.
const SPAN: u64 = 64 * WORDS as u64;
const WORDS: usize = 6;
/// From this many ids to each of the chunk's on, a bitmap is bigger than distances.
const SPARSE: u64 = 20;

/// Ascending ids, at least one.
#[derive(Debug, Clone)]
pub(super) enum Ids {
    /// As they came.
    Contiguous { first: u64, len: usize },
    /// Some are missing.
    Dense(Bitmap),
    /// Most are missing: distance from `first`.
    Near { first: u64, offsets: Vec<u32> },
    /// The same where 32 bits cannot hold it.
    Far(Vec<u64>),
}

impl Ids {
    /// `ids`: ascending, not empty.
    pub fn from_ascending(ids: Vec<u64>) -> Self {
        let (first, last) = (ids[0], ids[ids.len() - 1]);
        if last - first == ids.len() as u64 - 1 {
            Ids::Contiguous { first, len: ids.len() }
        } else if (last - first) / SPARSE < ids.len() as u64 {
            Ids::Dense(Bitmap::new(&ids))
        } else if u32::try_from(last - first).is_ok() {
            Ids::Near { first, offsets: ids.iter().map(|id| (id - first) as u32).collect() }
        } else {
            Ids::Far(ids)
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Ids::Contiguous { len, .. } => *len,
            Ids::Dense(bitmap) => bitmap.len,
            Ids::Near { offsets, .. } => offsets.len(),
            Ids::Far(ids) => ids.len(),
        }
    }

    pub fn first(&self) -> u64 {
        match self {
            Ids::Contiguous { first, .. } | Ids::Near { first, .. } => *first,
            Ids::Dense(bitmap) => bitmap.first,
            Ids::Far(ids) => ids[0],
        }
    }

    pub fn last(&self) -> u64 {
        match self {
            Ids::Contiguous { first, len } => first + *len as u64 - 1,
            Ids::Dense(bitmap) => bitmap.last,
            Ids::Near { first, offsets } => first + u64::from(offsets[offsets.len() - 1]),
            Ids::Far(ids) => ids[ids.len() - 1],
        }
    }

    /// The row with this id.
    #[inline]
    pub fn find(&self, id: u64) -> Option<usize> {
        match self {
            Ids::Contiguous { first, len } => id.checked_sub(*first).map(|row| row as usize).filter(|row| row < len),
            Ids::Dense(bitmap) => bitmap.find(id),
            Ids::Near { first, offsets } => {
                let offset = u32::try_from(id.checked_sub(*first)?).ok()?;
                let row = rank_near(offsets, offset);
                (offsets.get(row) == Some(&offset)).then_some(row)
            }
            Ids::Far(ids) => ids.binary_search(&id).ok(),
        }
    }

    /// Asks for what [`Ids::find`] reads first.
    #[inline]
    pub fn prefetch(&self, id: u64) {
        match self {
            Ids::Dense(bitmap) => prefetch(&bitmap.lines, (id.saturating_sub(bitmap.first) / SPAN) as usize),
            Ids::Contiguous { .. } | Ids::Near { .. } | Ids::Far(_) => {}
        }
    }

    /// How many ids are below `id`.
    pub fn rank(&self, id: u64) -> usize {
        match self {
            Ids::Contiguous { first, len } => (id.saturating_sub(*first) as usize).min(*len),
            Ids::Dense(bitmap) => bitmap.rank(id),
            Ids::Near { first, offsets } => match u32::try_from(id.saturating_sub(*first)) {
                Ok(offset) => rank_near(offsets, offset),
                Err(_) => offsets.len(),
            },
            Ids::Far(ids) => ids.partition_point(|other| *other < id),
        }
    }

    /// The ids of the rows from `start` on.
    pub fn tail_from(&self, start: usize) -> Vec<u64> {
        match self {
            Ids::Contiguous { first, len } => (first + start as u64..first + *len as u64).collect(),
            Ids::Dense(bitmap) => bitmap.tail_from(start),
            Ids::Near { first, offsets } => offsets[start..].iter().map(|offset| first + u64::from(*offset)).collect(),
            Ids::Far(ids) => ids[start..].to_vec(),
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            Ids::Contiguous { .. } => 0,
            Ids::Dense(bitmap) => bitmap.lines.len() * size_of::<Line>(),
            Ids::Near { offsets, .. } => offsets.capacity() * 4,
            Ids::Far(ids) => ids.capacity() * 8,
        }
    }
}

/// One bit for each id from the first to the last, with the rank of each word beside it: a row is found in one cache line.
#[derive(Debug, Clone)]
pub(super) struct Bitmap {
    first: u64,
    last: u64,
    len: usize,
    lines: Box<[Line]>,
}

#[derive(Debug, Clone, Default)]
#[repr(align(64))]
struct Line {
    /// Set bits in the lines before.
    before: u32,
    /// Set bits in the words before, of this line.
    ranks: [u16; WORDS],
    words: [u64; WORDS],
}

impl Bitmap {
    fn new(ids: &[u64]) -> Self {
        let (first, last) = (ids[0], ids[ids.len() - 1]);
        let mut lines = vec![Line::default(); ((last - first) / SPAN) as usize + 1];
        for id in ids {
            let (line, word, bit) = place(id - first);
            lines[line].words[word] |= 1 << bit;
        }
        let mut before = 0;
        for line in &mut lines {
            line.before = before;
            let mut rank = 0;
            for (word, of_word) in line.words.iter().zip(&mut line.ranks) {
                *of_word = rank;
                rank += word.count_ones() as u16;
            }
            before += u32::from(rank);
        }
        Self { first, last, len: ids.len(), lines: lines.into() }
    }

    fn find(&self, id: u64) -> Option<usize> {
        let (line, word, bit) = place(id.checked_sub(self.first)?);
        let line = self.lines.get(line)?;
        (line.words[word] >> bit & 1 == 1).then(|| line.rank(word, bit))
    }

    fn rank(&self, id: u64) -> usize {
        let (line, word, bit) = place(id.saturating_sub(self.first));
        self.lines.get(line).map_or(self.len, |line| line.rank(word, bit))
    }

    fn tail_from(&self, start: usize) -> Vec<u64> {
        let mut ids = Vec::with_capacity(self.len.saturating_sub(start));
        let line = self.lines.partition_point(|line| line.before as usize <= start).saturating_sub(1);
        let mut skip = start - self.lines[line].before as usize;
        for (nth, line) in self.lines.iter().enumerate().skip(line) {
            for (word, bits) in line.words.iter().enumerate() {
                let (base, mut bits) = (self.first + nth as u64 * SPAN + word as u64 * 64, *bits);
                while bits != 0 {
                    match skip {
                        0 => ids.push(base + u64::from(bits.trailing_zeros())),
                        _ => skip -= 1,
                    }
                    bits &= bits - 1;
                }
            }
        }
        ids
    }
}

impl Line {
    fn rank(&self, word: usize, bit: u32) -> usize {
        let below = self.words[word] & ((1 << bit) - 1);
        self.before as usize + usize::from(self.ranks[word]) + below.count_ones() as usize
    }
}

/// Line, word and bit of the id at this distance from the first.
fn place(offset: u64) -> (usize, usize, u32) {
    let within = offset % SPAN;
    ((offset / SPAN) as usize, (within / 64) as usize, (within % 64) as u32)
}

/// The rank of `offset`, from a guess by proportion and a search in growing steps around it.
fn rank_near(offsets: &[u32], offset: u32) -> usize {
    let last = offsets[offsets.len() - 1];
    if offset > last {
        return offsets.len();
    }
    let guess = (u64::from(offset) * (offsets.len() as u64 - 1) / u64::from(last.max(1))) as usize;
    let (mut low, mut high) = (guess, guess);
    let mut step = 8;
    while low > 0 && offsets[low] >= offset {
        low = low.saturating_sub(step);
        step *= 2;
    }
    step = 8;
    while high < offsets.len() && offsets[high] < offset {
        high = (high + step).min(offsets.len());
        step *= 2;
    }
    low + offsets[low..high].partition_point(|other| *other < offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_form_answers_like_a_list(
            first in prop_oneof![Just(0), Just(1 << 40), any::<u32>().prop_map(u64::from)],
            steps in prop::collection::vec(
                prop_oneof![20 => Just(1u64), 8 => 2..5u64, 4 => 60..600u64, 1 => 1000..100_000u64, 1 => (1u64 << 32)..1 << 33],
                0..400,
            ),
            plain in any::<bool>(),
            start in 0..400usize,
        ) {
            // Where all big steps are left out the forms for few gaps come up.
            let mut ids = vec![first];
            for step in steps.into_iter().filter(|step| !plain || *step < 5) {
                ids.push(ids[ids.len() - 1] + step);
            }
            let forms = Ids::from_ascending(ids.clone());
            prop_assert_eq!((forms.len(), forms.first(), forms.last()), (ids.len(), ids[0], ids[ids.len() - 1]));
            for id in ids.iter().flat_map(|id| [id.saturating_sub(1), *id, id + 1, id + 64]) {
                prop_assert_eq!(forms.find(id), ids.binary_search(&id).ok(), "find {}", id);
                prop_assert_eq!(forms.rank(id), ids.partition_point(|other| *other < id), "rank {}", id);
            }
            let start = start.min(ids.len());
            prop_assert_eq!(forms.tail_from(start), &ids[start..]);
        }
    }
}
