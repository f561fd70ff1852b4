//! What the statements of a script know of each other.

use std::collections::HashMap;

use datafusion::arrow::array::ArrayRef;

use crate::schema::Field;
use crate::tables::{DatasetId, TableId};

/// Variables and temporary tables. That of a statement alone is empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// By their names in small letters.
    pub(super) variables: HashMap<String, Variable>,
    /// `@@name`, by the name.
    pub(super) system: HashMap<String, Variable>,
    /// Instead of those of the request: `@name` and `1`, `2`, as `EXECUTE IMMEDIATE` gives them.
    pub(super) parameters: Option<HashMap<String, Variable>>,
    /// Where temporary tables are; none: there can be none.
    pub(super) hidden: Option<DatasetId>,
    /// Tables that are named without a dataset, by their names in small letters.
    pub(super) temporary: HashMap<String, TableId>,
}

/// A variable of a script.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    /// Its type.
    pub(super) field: Field,
    /// One row.
    pub(super) value: ArrayRef,
}
