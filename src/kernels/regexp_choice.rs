//! Where PostgreSQL's regular expressions and the crate `regex` choose another match at the same place.
//!
//! PostgreSQL takes the longest match (or the shortest, where the first quantifier is non-greedy), the crate the first that
//! its alternatives and quantifiers lead to. Both are the same where every alternation is decided by what stands next,
//! and all quantifiers are of one kind. Whether there is a match at all never differs.

/// One alternation: the beginnings of its alternatives.
#[derive(Default)]
struct Group {
    alternatives: Vec<String>,
    current: String,
    /// The current alternative is more than plain characters.
    open: bool,
    opened: Vec<bool>,
}

impl Group {
    fn end_alternative(&mut self) {
        self.alternatives.push(std::mem::take(&mut self.current));
        self.opened.push(std::mem::take(&mut self.open));
    }

    /// Whether two alternatives could match at one place with different lengths.
    fn open(mut self) -> bool {
        self.end_alternative();
        if self.alternatives.len() < 2 {
            return false;
        }
        for (i, a) in self.alternatives.iter().enumerate() {
            for (j, b) in self.alternatives.iter().enumerate().skip(i + 1) {
                let differ = a.chars().zip(b.chars()).any(|(x, y)| !x.eq_ignore_ascii_case(&y));
                let same_plain = a == b && !self.opened[i] && !self.opened[j];
                if !differ && !same_plain {
                    return true;
                }
            }
        }
        false
    }
}

/// Whether the extent of a match could differ.
pub fn is_ambiguous(pattern: &str) -> bool {
    let mut groups = vec![Group::default()];
    let (mut greedy, mut lazy) = (false, false);
    let mut chars = pattern.chars().peekable();
    let mut last_plain = false;
    while let Some(c) = chars.next() {
        let Some(group) = groups.last_mut() else { return true };
        match c {
            '\\' => {
                let escaped = chars.next();
                match escaped {
                    Some(e) if !e.is_alphanumeric() && !group.open => {
                        group.current.push(e);
                        last_plain = true;
                        continue;
                    }
                    // Assertions take no text.
                    Some('y' | 'Y' | 'm' | 'M' | 'A' | 'Z') => {}
                    _ => group.open = true,
                }
                last_plain = false;
            }
            '[' => {
                group.open = true;
                last_plain = false;
                let mut first = true;
                while let Some(c) = chars.next() {
                    match c {
                        '^' if first => continue,
                        ']' if !first => break,
                        '\\' => {
                            chars.next();
                        }
                        '[' if matches!(chars.peek(), Some(':' | '.' | '=')) => {
                            let kind = chars.next();
                            while let Some(c) = chars.next() {
                                if Some(c) == kind && chars.peek() == Some(&']') {
                                    chars.next();
                                    break;
                                }
                            }
                        }
                        _ => {}
                    }
                    first = false;
                }
            }
            '(' => {
                group.open = true;
                last_plain = false;
                if chars.peek() == Some(&'?') {
                    chars.next();
                    chars.next();
                }
                groups.push(Group::default());
            }
            ')' => {
                last_plain = false;
                if let Some(done) = groups.pop()
                    && done.open()
                {
                    return true;
                }
            }
            '|' => {
                group.end_alternative();
                last_plain = false;
            }
            '*' | '+' | '?' | '{' => {
                // `{n}` alone has one length.
                let mut variable = true;
                if c == '{' {
                    variable = false;
                    for c in chars.by_ref() {
                        match c {
                            '}' => break,
                            ',' => variable = true,
                            _ => {}
                        }
                    }
                }
                if last_plain && !group.open {
                    group.current.pop();
                }
                group.open = true;
                last_plain = false;
                match chars.peek() {
                    Some('?') => {
                        chars.next();
                        lazy = true;
                    }
                    _ => greedy |= variable,
                }
            }
            '^' | '$' => last_plain = false,
            '.' => {
                group.open = true;
                last_plain = false;
            }
            c => {
                last_plain = !group.open;
                if !group.open {
                    group.current.push(c);
                }
            }
        }
    }
    (greedy && lazy) || groups.into_iter().any(Group::open)
}

#[cfg(test)]
mod tests {
    use super::is_ambiguous;

    #[test]
    fn what_stands_next_decides() {
        for plain in ["a+b*", "(foo|bar)x", r"\d+-(\w+)", "a.*?b", "^(jan|feb|mar)$", "[|]a", r"a\|ab", "(ab|ac)d"] {
            assert!(!is_ambiguous(plain), "{plain}");
        }
        for open in ["a|ab", "(.|...)", "(.*?)(b+)", "(a|ab)(c|bcd)", "(x|)y", "(a*|b)c"] {
            assert!(is_ambiguous(open), "{open}");
        }
    }
}
