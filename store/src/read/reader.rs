//! Reads a row, cell after cell, in the order in which its statement names them.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::{Error as Plain, StrDeserializer};
use tidemill_core::protocol::{InstanceRef, MapIndex, RunNo, TaskNo};
use tidemill_core::time::Timestamp;

use super::Cells;
use crate::StoreError;
use crate::record::Touch;

/// Something that is read from a row.
pub(crate) trait Read: Sized + Send + 'static {
    /// Where it comes from, for errors.
    const TABLE: &'static str;

    /// Reads it.
    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell>;
}

/// What is wrong with the cell that was read last.
#[derive(Debug)]
pub(crate) struct BadCell(String);

impl BadCell {
    /// Says why, after the column's name.
    pub(crate) const fn new(why: String) -> Self {
        Self(why)
    }
}

/// Reads a whole row.
pub(crate) fn read<T: Read>(cells: &dyn Cells) -> Result<T, StoreError> {
    let mut reader = Reader { cells, at: 0 };
    T::read(&mut reader).map_err(|BadCell(why)| StoreError::BadRow {
        table: T::TABLE,
        column: cells.name(reader.at.saturating_sub(1)).to_owned(),
        row: key(cells),
        why,
    })
}

/// The first cell says which row it is, or at least narrows it down.
fn key(cells: &dyn Cells) -> String {
    match (cells.int(0), cells.text(0)) {
        (Ok(Some(number)), _) => format!("{} = {number}", cells.name(0)),
        (_, Ok(Some(text))) => format!("{} = `{text}`", cells.name(0)),
        _ => "?".to_owned(),
    }
}

/// See the module.
pub(crate) struct Reader<'a> {
    cells: &'a dyn Cells,
    at: usize,
}

fn bad(why: impl Display) -> BadCell {
    BadCell(format!("does not read: {why}"))
}

fn there<T>(value: Option<T>) -> Result<T, BadCell> {
    value.ok_or_else(|| BadCell("is null".to_owned()))
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> usize {
        self.at += 1;
        self.at - 1
    }

    /// A number, or none.
    pub(crate) fn opt_int(&mut self) -> Result<Option<i64>, BadCell> {
        let at = self.next();
        self.cells.int(at).map_err(bad)
    }

    /// A number.
    pub(crate) fn int(&mut self) -> Result<i64, BadCell> {
        there(self.opt_int()?)
    }

    /// A number of a narrower type, or none.
    pub(crate) fn opt_count<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, BadCell> {
        let narrow = |wide| T::try_from(wide).map_err(|_| bad(format!("{wide} is out of range")));
        self.opt_int()?.map(narrow).transpose()
    }

    /// A number of a narrower type.
    pub(crate) fn count<T: TryFrom<i64>>(&mut self) -> Result<T, BadCell> {
        there(self.opt_count()?)
    }

    fn opt_str(&mut self) -> Result<Option<&'a str>, BadCell> {
        let at = self.next();
        self.cells.text(at).map_err(bad)
    }

    /// A text, or none.
    pub(crate) fn opt_text(&mut self) -> Result<Option<Arc<str>>, BadCell> {
        Ok(self.opt_str()?.map(Arc::from))
    }

    /// A text.
    pub(crate) fn text(&mut self) -> Result<Arc<str>, BadCell> {
        there(self.opt_text()?)
    }

    /// A text that is owned, or none.
    pub(crate) fn opt_string(&mut self) -> Result<Option<String>, BadCell> {
        Ok(self.opt_str()?.map(str::to_owned))
    }

    /// A text that is owned.
    pub(crate) fn string(&mut self) -> Result<String, BadCell> {
        there(self.opt_string()?)
    }

    /// An instant, or none.
    pub(crate) fn opt_time(&mut self) -> Result<Option<Timestamp>, BadCell> {
        let at = self.next();
        self.cells.time(at).map_err(bad)
    }

    /// An instant.
    pub(crate) fn time(&mut self) -> Result<Timestamp, BadCell> {
        there(self.opt_time()?)
    }

    /// A truth, or none.
    pub(crate) fn opt_flag(&mut self) -> Result<Option<bool>, BadCell> {
        let at = self.next();
        self.cells.flag(at).map_err(bad)
    }

    /// A truth.
    pub(crate) fn flag(&mut self) -> Result<bool, BadCell> {
        there(self.opt_flag()?)
    }

    /// A word of a fixed list, or none.
    pub(crate) fn opt_word<T: FromStr<Err: Display>>(&mut self) -> Result<Option<T>, BadCell> {
        self.opt_str()?.map(str::parse).transpose().map_err(bad)
    }

    /// A word of a fixed list.
    pub(crate) fn word<T: FromStr<Err: Display>>(&mut self) -> Result<T, BadCell> {
        there(self.opt_word()?)
    }

    /// A name with rules of its own, or none.
    pub(crate) fn opt_name<T: Deserialize<'a>>(&mut self) -> Result<Option<T>, BadCell> {
        let read = |text| T::deserialize(StrDeserializer::<Plain>::new(text));
        self.opt_str()?.map(read).transpose().map_err(bad)
    }

    /// A name with rules of its own.
    pub(crate) fn name<T: Deserialize<'a>>(&mut self) -> Result<T, BadCell> {
        there(self.opt_name()?)
    }

    /// JSON that we know the form of.
    pub(crate) fn json<T: Deserialize<'a>>(&mut self) -> Result<T, BadCell> {
        serde_json::from_str(there(self.opt_str()?)?).map_err(bad)
    }

    /// A task instance: `run_id, task_no, map_index`.
    pub(crate) fn instance(&mut self) -> Result<InstanceRef, BadCell> {
        Ok(InstanceRef {
            run: RunNo(self.int()?),
            task: TaskNo(self.count()?),
            map_index: self.count::<MapIndex>()?,
        })
    }

    /// The last change by a person: `touched_by, touched_how, touched_at`.
    pub(crate) fn touch(&mut self) -> Result<Option<Touch>, BadCell> {
        let (by, how, at) = (self.opt_text()?, self.opt_text()?, self.opt_time()?);
        Ok(match (by, how, at) {
            (Some(by), Some(how), Some(at)) => Some(Touch { by, how, at }),
            _ => None,
        })
    }
}

/// A row of one number.
impl Read for i64 {
    const TABLE: &'static str = "a count";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        from.int()
    }
}

/// A row of one text.
impl Read for String {
    const TABLE: &'static str = "a list";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        from.string()
    }
}
