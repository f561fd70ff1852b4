//! Which lines of one text are in another: what came, what went, and what stayed, in order.

/// The longest middle, as a product of both sides, that is compared line by line. What is longer is said to differ as a whole.
const CELLS_MAX: usize = 4_000_000;

/// A line of the two texts together; places count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// In both.
    Same(usize, usize),
    /// Only in the first.
    Gone(usize),
    /// Only in the second.
    Came(usize),
}

/// Compares two texts by their lines.
pub(super) fn compare<T: PartialEq>(old: &[T], new: &[T]) -> Vec<Step> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (rest_old, rest_new) = (&old[head..], &new[head..]);
    let ends = rest_old.iter().rev().zip(rest_new.iter().rev());
    let tail = ends.take_while(|(a, b)| a == b).count();
    let middle = (
        &rest_old[..rest_old.len() - tail],
        &rest_new[..rest_new.len() - tail],
    );
    let mut steps: Vec<Step> = (0..head).map(|at| Step::Same(at, at)).collect();
    steps.extend(between(middle).into_iter().map(|step| match step {
        Step::Same(a, b) => Step::Same(a + head, b + head),
        Step::Gone(a) => Step::Gone(a + head),
        Step::Came(b) => Step::Came(b + head),
    }));
    let (from_old, from_new) = (old.len() - tail, new.len() - tail);
    steps.extend((0..tail).map(|at| Step::Same(from_old + at, from_new + at)));
    steps
}

/// By the longest common sequence of lines.
fn between<T: PartialEq>((old, new): (&[T], &[T])) -> Vec<Step> {
    let wide = new.len() + 1;
    let mut steps = Vec::new();
    let (mut a, mut b) = (0, 0);
    if !old.is_empty() && !new.is_empty() && old.len() * new.len() <= CELLS_MAX {
        let mut longest = vec![0_u32; (old.len() + 1) * wide];
        for a in (0..old.len()).rev() {
            for b in (0..new.len()).rev() {
                longest[a * wide + b] = if old[a] == new[b] {
                    longest[(a + 1) * wide + b + 1] + 1
                } else {
                    longest[(a + 1) * wide + b].max(longest[a * wide + b + 1])
                };
            }
        }
        while a < old.len() && b < new.len() {
            if old[a] == new[b] {
                steps.push(Step::Same(a, b));
                (a, b) = (a + 1, b + 1);
            } else if longest[(a + 1) * wide + b] >= longest[a * wide + b + 1] {
                steps.push(Step::Gone(a));
                a += 1;
            } else {
                steps.push(Step::Came(b));
                b += 1;
            }
        }
    }
    steps.extend((a..old.len()).map(Step::Gone));
    steps.extend((b..new.len()).map(Step::Came));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(old: &str, new: &str) -> String {
        let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
        let sign = |step| match step {
            Step::Same(a, b) => {
                assert_eq!(old[a], new[b]);
                old[a].to_string()
            }
            Step::Gone(a) => format!("-{}", old[a]),
            Step::Came(b) => format!("+{}", new[b]),
        };
        compare(&old, &new).into_iter().map(sign).collect()
    }

    #[test]
    fn what_stayed_is_found_between_what_came_and_went() {
        assert_eq!(signs("abcd", "abcd"), "abcd");
        assert_eq!(signs("abcd", "axcd"), "a-b+xcd");
        assert_eq!(signs("abcde", "bde"), "-ab-cde");
        assert_eq!(signs("", "ab"), "+a+b");
        assert_eq!(signs("ab", ""), "-a-b");
        assert_eq!(signs("aa", "a"), "a-a");
    }

    #[test]
    fn what_is_too_long_to_compare_differs_as_a_whole() {
        let (old, new): (Vec<u32>, Vec<u32>) = ((0..3_000).collect(), (5_000..8_000).collect());
        let steps = compare(&old, &new);
        assert_eq!(steps.len(), 6_000);
        assert_eq!((steps[0], steps[3_000]), (Step::Gone(0), Step::Came(0)));
    }
}
