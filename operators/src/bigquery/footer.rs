//! The columns of a Parquet file, from its last bytes: enough of the format to say before a load what would fail in it.
//!
//! Whatever is not understood is no column: then the load itself says what is wrong.

use super::schema::{Column, ColumnMode};

/// What a Parquet file ends with, after the length of its footer.
const MAGIC: &[u8] = b"PAR1";
/// Length and magic.
pub(super) const TAIL: usize = 8;
/// Structures that hold themselves deeper than this are none.
const DEPTH_MAX: usize = 24;
/// A footer with more columns is not looked at.
const COLUMNS_MAX: u64 = 20_000;

/// How long the footer is, from the end of a file; none if it is no Parquet file.
pub(super) fn length(end: &[u8]) -> Option<usize> {
    let tail = end.get(end.len().checked_sub(TAIL)?..)?;
    let (length, magic) = tail.split_at(4);
    let length: [u8; 4] = length.try_into().ok()?;
    (magic == MAGIC).then(|| u32::from_le_bytes(length) as usize)
}

/// The columns that a footer names. `end` are the last bytes of the file, with the whole footer among them.
pub(super) fn columns(end: &[u8]) -> Option<Vec<Column>> {
    let length = length(end)?;
    let to = end.len() - TAIL;
    let mut reader = Reader {
        bytes: end.get(to.checked_sub(length)?..to)?,
    };
    let elements = reader.schema()?;
    let mut rest = elements.iter();
    // The first stands for the row itself.
    let root = rest.next()?;
    let found = (0..root.children)
        .map(|_| column(&mut rest, 0))
        .collect::<Option<Vec<_>>>()?;
    rest.next().is_none().then_some(found)
}

/// One element of the schema, in the order in which a tree is written down.
#[derive(Debug, Default)]
struct Element {
    kind: Option<i64>,
    repetition: i64,
    name: String,
    children: i64,
    converted: Option<i64>,
    /// Which of the logical types it is, by the number of its field.
    logical: Option<i64>,
}

fn column<'a>(rest: &mut impl Iterator<Item = &'a Element>, depth: usize) -> Option<Column> {
    let element = rest.next().filter(|_| depth < DEPTH_MAX)?;
    for _ in 0..element.children {
        // Lists and records are written in many ways; only that the column is there is known.
        drop(column(rest, depth + 1)?);
    }
    let mode = match element.repetition {
        0 => ColumnMode::Required,
        1 => ColumnMode::Nullable,
        _ => ColumnMode::Repeated,
    };
    let mut column = Column::nullable(&element.name, element.bigquery());
    column.mode = mode;
    Some(column)
}

impl Element {
    /// The type that BigQuery makes of it; empty if that depends on more than is looked at.
    fn bigquery(&self) -> &'static str {
        if self.children > 0 || self.repetition == 2 {
            return "";
        }
        // The numbers are those of Parquet's own description (`parquet.thrift`).
        match (self.logical, self.converted) {
            (Some(1), _) | (_, Some(0)) => return "STRING",
            (Some(5), _) | (_, Some(5)) => return "NUMERIC",
            (Some(6), _) | (_, Some(6)) => return "DATE",
            (Some(7), _) | (_, Some(7 | 8)) => return "TIME",
            (Some(8), _) | (_, Some(9 | 10)) => return "TIMESTAMP",
            (Some(10), _) | (_, Some(11..=18)) => return "INT64",
            (Some(_), _) | (_, Some(_)) => return "",
            (None, None) => {}
        }
        match self.kind {
            Some(0) => "BOOL",
            Some(1 | 2) => "INT64",
            Some(3) => "TIMESTAMP",
            Some(4 | 5) => "FLOAT64",
            Some(6 | 7) => "BYTES",
            _ => "",
        }
    }
}

/// What matters of a type when a file is loaded into a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Whole,
    Number,
    Bool,
    Text,
    Date,
    Time,
    Moment,
}

fn family(kind: &str) -> Option<Family> {
    let plain = kind.split('(').next().unwrap_or_default().trim();
    Some(match plain.to_ascii_uppercase().as_str() {
        "INT64" | "INTEGER" => Family::Whole,
        "FLOAT64" | "FLOAT" | "NUMERIC" | "BIGNUMERIC" => Family::Number,
        "BOOL" | "BOOLEAN" => Family::Bool,
        "STRING" | "BYTES" | "JSON" | "GEOGRAPHY" => Family::Text,
        "DATE" => Family::Date,
        "TIME" => Family::Time,
        "TIMESTAMP" | "DATETIME" => Family::Moment,
        _ => return None,
    })
}

/// How a file is to be compared with columns: what BigQuery converts by itself is no difference.
pub(super) fn comparable(file: Vec<Column>, wanted: &[Column]) -> Vec<Column> {
    let compared = |mut column: Column| {
        let same = |other: &&Column| other.name.eq_ignore_ascii_case(&column.name);
        let Some(there) = wanted.iter().find(same) else {
            if column.kind.is_empty() {
                "STRUCT".clone_into(&mut column.kind);
            }
            return column;
        };
        let fits = match (family(&column.kind), family(&there.kind)) {
            (Some(Family::Whole), Some(Family::Number)) => true,
            (Some(is), Some(wanted)) => is == wanted,
            // What is not known is left to the load.
            _ => true,
        };
        let odd = column.kind.is_empty() || there.mode == ColumnMode::Repeated;
        if fits || odd {
            column.kind.clone_from(&there.kind);
            column.fields.clone_from(&there.fields);
        }
        if odd || column.mode == ColumnMode::Required {
            column.mode = there.mode;
        }
        column
    };
    file.into_iter().map(compared).collect()
}

/// Thrift's compact protocol, as far as footers need it.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn number(&mut self) -> Option<i64> {
        let raw = self.varint()?;
        // Small numbers of both signs are short.
        Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    fn skip_bytes(&mut self, count: u64) -> Option<&[u8]> {
        let (skipped, rest) = self.bytes.split_at_checked(usize::try_from(count).ok()?)?;
        self.bytes = rest;
        Some(skipped)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.varint()?;
        let bytes = self.skip_bytes(length)?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The next field of a structure, with the number of the one before: its number and kind; kind 0 is the end.
    fn field(&mut self, before: i64) -> Option<(i64, u8)> {
        let header = self.byte()?;
        let kind = header & 0x0f;
        if kind == 0 {
            return Some((before, 0));
        }
        let id = match header >> 4 {
            0 => self.number()?,
            delta => before + i64::from(delta),
        };
        Some((id, kind))
    }

    fn list(&mut self) -> Option<(u64, u8)> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Some((count, header & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match kind {
            1 | 2 => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => drop(self.skip_bytes(8)?),
            8 => {
                let length = self.varint()?;
                self.skip_bytes(length)?;
            }
            9 | 10 => {
                let (count, of) = self.list()?;
                for _ in 0..count {
                    // In a list a truth takes a byte.
                    self.skip(if of <= 2 { 3 } else { of }, depth + 1)?;
                }
            }
            12 => {
                let mut id = 0;
                loop {
                    let (next, kind) = self.field(id)?;
                    if kind == 0 {
                        break;
                    }
                    id = next;
                    self.skip(kind, depth + 1)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// The schema of a `FileMetaData`: its second field.
    fn schema(&mut self) -> Option<Vec<Element>> {
        let mut id = 0;
        loop {
            let (next, kind) = self.field(id)?;
            id = next;
            match (id, kind) {
                (_, 0) => return None,
                (2, 9) => break,
                _ => self.skip(kind, 0)?,
            }
        }
        let (count, of) = self.list()?;
        if of != 12 || count > COLUMNS_MAX {
            return None;
        }
        (0..count).map(|_| self.element()).collect()
    }

    fn element(&mut self) -> Option<Element> {
        let mut element = Element::default();
        let mut id = 0;
        loop {
            let (next, kind) = self.field(id)?;
            id = next;
            match (id, kind) {
                (_, 0) => return Some(element),
                (1, 5) => element.kind = Some(self.number()?),
                (3, 5) => element.repetition = self.number()?,
                (4, 8) => element.name = self.text()?,
                (5, 5) => element.children = self.number()?,
                (6, 5) => element.converted = Some(self.number()?),
                (10, 12) => {
                    let (which, kind) = self.field(0)?;
                    if kind != 0 {
                        element.logical = Some(which);
                        self.skip(kind, 0)?;
                        // A union has one field and its end.
                        if self.field(which)?.1 != 0 {
                            return None;
                        }
                    }
                }
                _ => self.skip(kind, 0)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer with the columns `id` (`INT64`, required) and `name` (`BYTE_ARRAY`, text, optional).
    fn file() -> Vec<u8> {
        let mut footer = vec![0x15, 0x02, 0x19, 0x3c];
        // The row: a name, and two children.
        footer.extend(*b"\x48\x01r\x15\x04\x00");
        footer.extend(*b"\x15\x04\x25\x00\x18\x02id\x00");
        footer.extend(*b"\x15\x0c\x25\x02\x18\x04name\x25\x00\x4c\x1c\x00\x00\x00");
        footer.extend([0x16, 0x02, 0x00]);
        let mut file = b"PAR1 pages ".to_vec();
        let length = u32::try_from(footer.len()).unwrap();
        file.extend(footer);
        file.extend(length.to_le_bytes());
        file.extend(MAGIC);
        file
    }

    #[test]
    fn the_columns_of_a_footer_are_read() {
        let expected = [
            Column::required("id", "INT64"),
            Column::nullable("name", "STRING"),
        ];
        assert_eq!(columns(&file()).unwrap(), expected);
    }

    #[test]
    fn what_is_no_footer_is_none_and_ends() {
        let file = file();
        for cut in 0..file.len() {
            assert_eq!(columns(&file[..cut]), None);
        }
        for at in 0..file.len() {
            for bits in [0xff, 0x80, 0x01, 0x0f] {
                let mut odd = file.clone();
                odd[at] ^= bits;
                let _ = columns(&odd);
            }
        }
    }

    #[test]
    fn what_is_converted_is_no_difference() {
        let table = [
            Column::nullable("a", "NUMERIC"),
            Column::required("b", "STRING"),
            Column::nullable("c", "INT64"),
            Column::repeated("d", "STRING"),
        ];
        let file = vec![
            Column::required("A", "INT64"),
            Column::nullable("b", "BYTES"),
            Column::nullable("c", "FLOAT64"),
            Column::nullable("d", ""),
        ];
        let lines = super::super::schema::drift(
            &comparable(file, &table),
            &table,
            super::super::schema::Allowed::default(),
        );
        assert_eq!(
            lines,
            [
                "`b`: STRING NULLABLE here, and STRING REQUIRED in the table",
                "`c`: FLOAT64 NULLABLE here, and INT64 NULLABLE in the table",
            ]
        );
    }
}
