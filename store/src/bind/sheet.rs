//! The face of a batch that is being filled.

use tidemill_core::protocol::InstanceRef;
use tidemill_core::time::Timestamp;

use crate::record::Touch;

/// Where rows are written, column after column. Each database has its own form of it.
pub(crate) trait Sheet: Default + Send + Sync + 'static {
    /// A row begins.
    fn row(&mut self);
    /// The last row is complete.
    fn end(&mut self);
    /// How many bytes it holds.
    fn bytes(&self) -> usize;

    /// A whole number of up to eight bytes.
    fn int(&mut self, value: Option<i64>);
    /// One of up to four.
    fn small(&mut self, value: Option<i32>);
    /// A text.
    fn text(&mut self, value: Option<&str>);
    /// An instant.
    fn time(&mut self, value: Option<Timestamp>);
    /// A truth.
    fn flag(&mut self, value: Option<bool>);

    /// A count, which never comes near four bytes; one that does is written as the highest.
    fn count(&mut self, value: u32) {
        self.small(Some(i32::try_from(value).unwrap_or(i32::MAX)));
    }

    /// A text that an index holds.
    fn key(&mut self, value: &str) {
        self.text(Some(&super::fit::key(value)));
    }

    /// A task instance: `run_id, task_no, map_index`.
    fn instance(&mut self, of: InstanceRef) {
        self.int(Some(of.run.0));
        self.count(of.task.0);
        self.small(Some(of.map_index));
    }

    /// The last change by a person: `touched_by, touched_how, touched_at`.
    fn touch(&mut self, touched: Option<&Touch>) {
        self.text(touched.map(|touch| &*touch.by));
        self.text(touched.map(|touch| &*touch.how));
        self.time(touched.map(|touch| touch.at));
    }
}

/// A row that knows its cells, in the order of its table's columns.
pub(crate) trait Write {
    /// Its table.
    const TABLE: &'static str;

    /// Writes all of them.
    fn write<S: Sheet>(&self, to: &mut S);
}
