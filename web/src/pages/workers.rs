//! The workers, and what waits for one that is not there.

use askama::Template;
use tidemill_scheduler::engine::{Fleet, Waiting};

use super::page;
use crate::frame::Frame;
use crate::oops::Oops;

#[derive(Template)]
#[template(path = "workers.html")]
pub(crate) struct WorkersPage {
    frame: Frame,
    fleet: Fleet,
    waiting: Vec<Waiting>,
}

page!(WorkersPage);

pub(crate) async fn show(frame: Frame) -> Result<WorkersPage, Oops> {
    let mut fleet = frame.web.door().fleet().await?;
    let waiting = std::mem::take(&mut fleet.waiting);
    Ok(WorkersPage {
        waiting: waiting
            .into_iter()
            .filter(|line| frame.sees(&line.dag))
            .collect(),
        fleet,
        frame,
    })
}
