//! Connections and variables.

use std::sync::Arc;

use crate::bind::{Sheet, Write};
use crate::read::{BadCell, Read, Reader};
use crate::record::{ConnectionRow, SecretHead, VariableRow};

impl Write for ConnectionRow {
    const TABLE: &'static str = <ConnectionRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(&self.name);
        to.text(Some(&self.kind));
        to.text(Some(&self.fields));
        to.text(Some(&self.sealed));
        to.count(self.edits);
        to.touch(self.touched.as_ref());
    }
}

impl Read for ConnectionRow {
    const TABLE: &'static str = "connection";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            name: from.text()?,
            kind: from.text()?,
            fields: from.text()?,
            sealed: from.text()?,
            edits: from.count()?,
            touched: from.touch()?,
        })
    }
}

/// A connection of which only the key matters.
pub(crate) struct ConnectionGone<'a>(pub(crate) &'a Arc<str>);

impl Write for ConnectionGone<'_> {
    const TABLE: &'static str = <ConnectionRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(self.0);
        to.text(None);
        to.text(None);
        to.text(None);
        to.small(None);
        to.touch(None);
    }
}

impl Write for VariableRow {
    const TABLE: &'static str = <VariableRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(&self.name);
        to.text(Some(&self.sealed));
        to.text(self.note.as_deref());
        to.count(self.edits);
        to.touch(self.touched.as_ref());
    }
}

impl Read for VariableRow {
    const TABLE: &'static str = "variable";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            name: from.text()?,
            sealed: from.text()?,
            note: from.opt_text()?,
            edits: from.count()?,
            touched: from.touch()?,
        })
    }
}

/// A variable of which only the key matters.
pub(crate) struct VariableGone<'a>(pub(crate) &'a Arc<str>);

impl Write for VariableGone<'_> {
    const TABLE: &'static str = <VariableRow as Read>::TABLE;

    fn write<S: Sheet>(&self, to: &mut S) {
        to.key(self.0);
        to.text(None);
        to.text(None);
        to.small(None);
        to.touch(None);
    }
}

impl Read for SecretHead {
    const TABLE: &'static str = "connection or variable";

    fn read(from: &mut Reader<'_>) -> Result<Self, BadCell> {
        Ok(Self {
            name: from.text()?,
            edits: from.count()?,
            touched: from.touch()?,
        })
    }
}
