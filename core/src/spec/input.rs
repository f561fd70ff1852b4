//! Where a task's arguments come from, and what a mapped task is mapped over.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::is_default;
use crate::id::TaskId;
use crate::text::Text;

/// One argument of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A constant.
    Value(Value),
    /// A text with placeholders.
    Text(Text),
    /// What an upstream task returned, or a part of it. Of a mapped task: the list of what its instances returned.
    Output {
        /// The task.
        task: TaskId,
        /// The path into its output.
        #[serde(default, skip_serializing_if = "is_default")]
        path: Vec<String>,
        /// Whether it is null when the task was skipped or failed.
        #[serde(default, skip_serializing_if = "is_default")]
        optional: bool,
    },
    /// The run's params, or one of them.
    Params(Vec<String>),
    /// What this instance of a mapped task is mapped over, or a part of it.
    Item(Vec<String>),
    /// This instance's element of one of several lists; the number is the list's place in the mapping.
    Each(usize),
}

/// A list that a task is mapped over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// These constants.
    Values(Vec<Value>),
    /// The list that an upstream task returned, or a list inside it.
    Output {
        /// The task.
        task: TaskId,
        /// The path into its output.
        #[serde(default, skip_serializing_if = "is_default")]
        path: Vec<String>,
    },
    /// A list among the run's params.
    Params(Vec<String>),
}

/// How one task, or one group, becomes many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The lists.
    pub over: Vec<Over>,
    /// Several lists: element by element together, instead of each with each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub zip: bool,
    /// More instances than this fail the task instead of flooding the system.
    pub instances_max: u32,
    /// What an instance is called in the UI, such as `{item.table}`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub label: Option<Text>,
}

impl Mapping {
    /// The bound on instances when the author says nothing.
    pub const INSTANCES_MAX_DEFAULT: u32 = 10_000;

    pub(crate) fn over(over: Vec<Over>) -> Self {
        Self {
            over,
            zip: false,
            instances_max: Self::INSTANCES_MAX_DEFAULT,
            label: None,
        }
    }

    /// The items of every instance, in order, from the lists' values. One list gives its elements; several give a
    /// list for each instance, one element from each, the last list turning fastest.
    ///
    /// # Errors
    /// The lists make more instances than allowed, or lists to be zipped differ in length.
    pub fn expand(&self, lists: &[Vec<Value>]) -> Result<Vec<Value>, String> {
        let too_many = |count: u128| {
            format!(
                "the mapping makes {count} instances, the most allowed is {}",
                self.instances_max
            )
        };
        let count = if self.zip {
            let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
            if let Some(short) = lists.iter().position(|list| list.len() != longest) {
                let lengths: Vec<String> =
                    lists.iter().map(|list| list.len().to_string()).collect();
                return Err(format!(
                    "lists zipped together must be equally long; these have {} elements (list {} is shorter)",
                    lengths.join(" and "),
                    short + 1
                ));
            }
            longest as u128
        } else {
            lists.iter().map(|list| list.len() as u128).product()
        };
        if count > u128::from(self.instances_max) {
            return Err(too_many(count));
        }
        let [single] = lists else {
            return Ok(if self.zip {
                zipped(lists)
            } else {
                crossed(lists)
            });
        };
        Ok(single.clone())
    }
}

fn zipped(lists: &[Vec<Value>]) -> Vec<Value> {
    let length = lists.iter().map(Vec::len).min().unwrap_or(0);
    (0..length)
        .map(|nth| Value::Array(lists.iter().map(|list| list[nth].clone()).collect()))
        .collect()
}

fn crossed(lists: &[Vec<Value>]) -> Vec<Value> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for list in lists {
        rows = rows
            .iter()
            .flat_map(|row| {
                list.iter().map(move |value| {
                    let mut longer = row.clone();
                    longer.push(value.clone());
                    longer
                })
            })
            .collect();
    }
    rows.into_iter().map(Value::Array).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lists(a: &[i32], b: &[i32]) -> Vec<Vec<Value>> {
        [a, b]
            .map(|list| list.iter().map(|n| json!(n)).collect())
            .to_vec()
    }

    #[test]
    fn two_lists_cross_to_every_pair() {
        let mapping = Mapping::over(vec![Over::Values(vec![]), Over::Values(vec![])]);
        let items = mapping.expand(&lists(&[1, 2], &[3, 4, 5])).unwrap();
        assert_eq!(items.len(), 6);
        assert_eq!((&items[0], &items[5]), (&json!([1, 3]), &json!([2, 5])));
        assert_eq!(mapping.expand(&lists(&[], &[3])), Ok(vec![]));
    }

    #[test]
    fn zipped_lists_must_be_equally_long() {
        let mapping = Mapping {
            zip: true,
            ..Mapping::over(vec![])
        };
        assert_eq!(
            mapping.expand(&lists(&[1, 2], &[3, 4])),
            Ok(vec![json!([1, 3]), json!([2, 4])])
        );
        assert!(
            mapping
                .expand(&lists(&[1, 2], &[3]))
                .is_err_and(|why| why.contains("2 and 1"))
        );
    }

    #[test]
    fn too_many_instances_are_refused_before_they_are_made() {
        let mapping = Mapping {
            instances_max: 5,
            ..Mapping::over(vec![])
        };
        assert!(
            mapping
                .expand(&lists(&[1, 2], &[3, 4, 5]))
                .is_err_and(|why| why.contains('6'))
        );
    }
}
