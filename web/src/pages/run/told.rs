//! What programs are told of a run over time: the same that the picture shows, as data.

use tidemill_core::id::DagId;

use super::gantt;
use super::read::{Of, Rows};
use crate::api::views::{CourseView, SpanView, TimelineView};
use crate::frame::Frame;
use crate::html::{Doing, Stretch};
use crate::oops::Oops;

const fn word(doing: Doing) -> &'static str {
    match doing {
        Doing::Place => "place",
        Doing::Retry => "retry",
        Doing::Begin => "begin",
        Doing::Outside => "outside",
        Doing::Ran(_) => "ran",
    }
}

/// A run over time. `all`: also what was tried before its last start.
pub(crate) async fn timeline(
    frame: &Frame,
    dag: &DagId,
    (run, all): (&str, bool),
) -> Result<TimelineView, Oops> {
    let of = Of::load(frame, dag, run).await?;
    let grid = of.grid(frame).await?;
    let rows = Rows { grid };
    let timed = gantt::read(frame, &of, &rows, all).await?;
    let span = |span: Stretch| SpanView {
        doing: word(span.doing).to_owned(),
        from: span.from,
        to: span.to,
        says: span.says,
    };
    let courses = timed.courses.into_iter();
    let mut tasks: Vec<CourseView> = courses
        .map(|(task, course)| CourseView {
            task: task.to_owned(),
            spans: course.spans.into_iter().map(span).collect(),
        })
        .collect();
    tasks.sort_unstable_by(|a, b| a.task.cmp(&b.task));
    Ok(TimelineView {
        from: timed.begin,
        to: timed.end.max(timed.begin),
        critical: timed.critical,
        tasks,
    })
}
