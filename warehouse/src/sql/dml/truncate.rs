//! `TRUNCATE TABLE`.

use datafusion::sql::sqlparser::ast::Truncate;

use super::target::Target;
use super::{Run, Undone};
use crate::sql::error::SqlError;
use crate::sql::request::{Affected, Outcome};
use crate::tables::Change;

pub(super) async fn run(run: &Run<'_>, truncate: &Truncate) -> Result<Outcome, Undone> {
    let [name] = truncate.table_names.as_slice() else {
        return Err(SqlError::invalid("Syntax error: TRUNCATE TABLE needs one table").into());
    };
    if !truncate.table || truncate.partitions.is_some() || truncate.if_exists {
        return Err(SqlError::invalid("Syntax error: TRUNCATE TABLE needs a table").into());
    }
    let target = Target::new(run, &name.name, None)?;
    let turn = target.warehouse.turn(&target.id);
    let _turn = turn.lock().await;
    let target = Target::new(run, &name.name, None)?;
    let mut outcome = Outcome::of("TRUNCATE_TABLE");
    if run.request.dry_run {
        return Ok(outcome);
    }
    outcome.affected = Some(Affected {
        deleted: target.table.rows(),
        ..Affected::default()
    });
    run.engine.will(run.request, &outcome)?;
    let change = Change::Replace(Box::new((*target.table.meta).clone()), Vec::new());
    target
        .warehouse
        .commit(&target.id, target.table.version, change)?;
    Ok(outcome)
}
