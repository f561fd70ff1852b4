//! Looking for something that should be there.

use std::time::Duration;

use tidemill_core::operator::{TaskContext, TaskResult};

/// So often, with so much time in between, is looked before something counts as gone: services answer 404 for a moment
/// now and then.
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(30);

/// Looks for what should be there; none if it is gone.
///
/// # Errors
/// Those of looking.
pub(crate) async fn look<T, F>(ctx: &TaskContext, see: impl Fn() -> F) -> TaskResult<Option<T>>
where
    F: Future<Output = TaskResult<Option<T>>>,
{
    for nth in 1..=LOOKS {
        if let Some(seen) = see().await? {
            return Ok(Some(seen));
        }
        if nth < LOOKS {
            ctx.sleep(PAUSE).await;
        }
    }
    Ok(None)
}
