//! Why a task is where it is.

use axum::Json;

use super::find;
use super::given::Query;
use super::tasks::AttemptQuery;
use super::views::CauseView;
use crate::frame::Frame;
use crate::input::At;
use crate::oops::Oops;
use crate::pages::told_of_task;
use crate::routes::ThisDag;

/// Why a task is where it is: what failed, what that means for a retry, and where else it failed like this.
pub(crate) async fn show(
    frame: Frame,
    ThisDag(dag): ThisDag,
    At((_, run, task)): At<(String, String, String)>,
    Query(query): Query<AttemptQuery>,
) -> Result<Json<CauseView>, Oops> {
    let place = find::place(&frame, &dag, (&run, &task), query.index).await?;
    let cause = told_of_task::cause(&frame, &place, query.attempt).await?;
    Ok(Json(CauseView { cause }))
}
