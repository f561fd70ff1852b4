//! What programs are told of why a task is where it is: the same that its card says.

use super::cause::{self, Link};
use super::place::Place;
use super::tries::Tries;
use crate::api::views::{CauseCardView, CauseLinkView};
use crate::frame::Frame;
use crate::oops::Oops;

/// Why a task is where it is, by one of its attempts: the last one if none is named. None for what is well.
pub(crate) async fn cause(
    frame: &Frame,
    place: &Place,
    attempt: Option<u32>,
) -> Result<Option<CauseCardView>, Oops> {
    let tries = Tries::read(frame, place, attempt).await?;
    let detail = match place.of() {
        Some(of) => frame.web.store().task_detail(of).await?,
        None => None,
    };
    let kind = tries.selected().and_then(|one| one.kind);
    let found = cause::read(frame, place, (&tries, detail.as_ref())).await?;
    let link = |link: Link| CauseLinkView {
        words: link.words,
        href: link.href,
        away: link.away,
    };
    Ok(found.map(|cause| CauseCardView {
        title: cause.title.to_owned(),
        message: cause.message,
        kind: kind.map(|kind| kind.word().to_owned()),
        meaning: cause.meaning,
        help: cause.help,
        handle: cause.handle,
        links: cause.links.into_iter().map(link).collect(),
    }))
}
