//! How well a name goes with what somebody typed: the letters in order, best at the beginnings of words and in one piece.

/// More letters of either are not looked at.
const CHARS_MAX: usize = 200;

/// A letter that is found at all …
const LETTER: u32 = 1;
/// … right after the one before …
const IN_A_ROW: u32 = 4;
/// … at the beginning of a word …
const WORD: u32 = 6;
/// … or of everything.
const START: u32 = 8;

/// How well; none if a letter is not there. Each word that was typed is looked for by itself.
pub(crate) fn score(typed: &str, name: &str) -> Option<u32> {
    let name: Vec<char> = name.to_lowercase().chars().take(CHARS_MAX).collect();
    let mut sum = 0;
    for word in typed.to_lowercase().split_whitespace() {
        let word: Vec<char> = word.chars().take(CHARS_MAX).collect();
        let starts = (0..name.len()).filter(|at| name[*at] == word[0]);
        sum += starts.filter_map(|at| from(&word, &name, at)).max()?;
    }
    Some(sum)
}

/// The letters from a place on, each at the first place where it goes.
fn from(word: &[char], name: &[char], start: usize) -> Option<u32> {
    let mut at = start;
    let mut sum = 0;
    for (nth, letter) in word.iter().enumerate() {
        let found = at + name[at..].iter().position(|c| c == letter)?;
        sum += LETTER;
        if found == 0 {
            sum += START;
        } else if !name[found - 1].is_alphanumeric() {
            sum += WORD;
        }
        if nth > 0 && found == at {
            sum += IN_A_ROW;
        }
        at = found + 1;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::score;

    /// The names that go with it, the best first.
    fn ranked<'a>(typed: &str, names: &[&'a str]) -> Vec<&'a str> {
        let mut found: Vec<_> = names
            .iter()
            .filter_map(|name| Some((score(typed, name)?, *name)))
            .collect();
        found.sort_by_key(|(score, name)| (std::cmp::Reverse(*score), name.len()));
        found.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn beginnings_and_whole_pieces_come_first() {
        let names = ["daily_resales", "sales_daily", "salamander_index", "stock"];
        assert_eq!(ranked("sales", &names), ["sales_daily", "daily_resales"]);
        assert_eq!(ranked("sd", &names)[0], "sales_daily");
        assert_eq!(ranked("stk", &names), ["stock"]);
    }

    #[test]
    fn every_word_has_to_be_there_in_any_order() {
        let names = ["Trigger sales_daily", "Pause sales_daily", "Trigger stock"];
        assert_eq!(ranked("trigger sal", &names), ["Trigger sales_daily"]);
        assert_eq!(ranked("SALES pause", &names), ["Pause sales_daily"]);
        assert_eq!(ranked("", &names).len(), 3);
        assert!(ranked("zzz", &names).is_empty());
    }

    #[test]
    fn long_and_strange_texts_are_no_trouble() {
        let long = "a".repeat(100_000);
        assert!(score(&long, &long).is_some());
        assert_eq!(score("é", "É"), Some(9));
        assert_eq!(score("ß", ""), None);
    }
}
