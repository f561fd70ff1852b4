//! Who comes in: signing in, one's own account, and for admins everybody's.

mod account;
mod sign_in;
mod tokens;
mod users;

pub(crate) use users::{find as find_user, one_time};

use tidemill_store::access::ChangeOutcome;
use tidemill_store::record::UserRow;

use crate::access::Policy;
use crate::oops::Oops;
use crate::routes::Routes;

/// The addresses of all this.
pub(super) fn routes(routes: Routes) -> Routes {
    const ONE: &str = "/users/{user}";
    let (own, access) = (Policy::OWN, Policy::ACCESS);
    routes
        .get("/sign-in", Policy::PUBLIC, sign_in::show)
        .post("/sign-in", Policy::PUBLIC, sign_in::password)
        .get("/sign-in/away", Policy::PUBLIC, sign_in::away)
        .get("/sign-in/back", Policy::PUBLIC, sign_in::back)
        .get("/account", own, account::show)
        .post("/account/password", own, account::password)
        .post("/account/sign-out", own, account::sign_out)
        .post("/account/tokens", own, tokens::make)
        .post("/account/tokens/revoke", own, tokens::revoke_own)
        .get("/tokens", access, tokens::show)
        .post("/tokens/revoke", access, tokens::revoke)
        .get("/users", access, users::list)
        .post("/users", access, users::make)
        .get(ONE, access, users::show)
        .post("/users/{user}/change", access, users::change)
        .post("/users/{user}/disable", access, users::disable)
        .post("/users/{user}/password", access, users::password)
        .post("/users/{user}/grant", access, users::grant)
        .post("/users/{user}/ungrant", access, users::ungrant)
        .post("/users/{user}/sign-out", access, users::sign_out)
}

/// What people are told when a change of a user was not made.
pub(crate) fn changed(outcome: ChangeOutcome, seen: &UserRow) -> Result<(), Oops> {
    let name = &seen.name;
    match outcome {
        ChangeOutcome::Done => Ok(()),
        ChangeOutcome::NotThere => Err(not_there()),
        ChangeOutcome::Stale(now) => Err(stale(&now)),
        ChangeOutcome::LastAdmin => Err(Oops::invalid(format!(
            "{name} is the last admin: nobody could change access any more; make another admin first"
        ))),
        ChangeOutcome::Taken => Err(Oops::invalid(format!(
            "somebody else is already who {name} would be elsewhere"
        ))),
    }
}

pub(crate) fn not_there() -> Oops {
    Oops::not_found("there is no such user")
}

/// Whoever came in by a link has no account, and nothing in it to change.
fn no_account() -> Oops {
    Oops::invalid(
        "you came in by a link and have no account here; `users add NAME` makes one, `tokens make` a token for it",
    )
}

/// Somebody was faster.
pub(crate) fn stale(now: &UserRow) -> Oops {
    let name = &now.name;
    let what = now.touched.as_ref().map_or_else(
        || format!("{name} was changed meanwhile"),
        |touch| format!("{} {} of {name} meanwhile", touch.by, touch.how),
    );
    Oops::Says(
        axum::http::StatusCode::CONFLICT,
        format!("{what}; nothing was changed: look at it again"),
    )
}
