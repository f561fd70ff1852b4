//! Who may come in, what they may do, and what programs come in with.

use super::super::operation::{IF_MATCH, delete, get, patch, post, put};
use super::super::people;
use super::super::views::{TokenView, UserMadeView, UserView};
use crate::access::Policy;
use crate::routes::Routes;

const AREA: &str = "Users and tokens";
const ONE: &str = "/api/v1/users/{user}";
const PASSWORD: &str = "/api/v1/users/{user}/password";
const SIGN_OUT: &str = "/api/v1/users/{user}/sign-out";
const GRANTS: &str = "/api/v1/users/{user}/grants";

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
    let parts = [users, of_user, tokens];
    parts.into_iter().fold(routes, |routes, of| of(routes))
}

fn users(routes: Routes) -> Routes {
    let access = Policy::ACCESS;
    routes
        .api(
            get("/api/v1/users", access)
                .says(AREA, "List users, with what they may do")
                .lists::<UserView>(),
            people::list,
        )
        .api(
            post("/api/v1/users", access)
                .says(AREA, "Make a user")
                .more("The answer has a password for one use; it is shown this once.")
                .takes::<people::UserBody>()
                .answers_with::<UserMadeView>(201, "The user, and the password for one use."),
            people::make,
        )
        .api(
            get(ONE, access)
                .says(AREA, "One user")
                .gives_tagged::<UserView>(),
            people::show,
        )
        .api(
            patch(ONE, access)
                .says(
                    AREA,
                    "Change the role or the name of a user, or keep them out",
                )
                .header(IF_MATCH)
                .takes::<people::UserPatch>()
                .gives_tagged::<UserView>(),
            people::patch,
        )
}

fn of_user(routes: Routes) -> Routes {
    let access = Policy::ACCESS;
    routes
        .api(
            post(PASSWORD, access)
                .says(AREA, "Give a user a password for one use")
                .header(IF_MATCH)
                .answers_with::<UserMadeView>(200, "The user, and the password for one use."),
            people::password,
        )
        .api(
            post(SIGN_OUT, access)
                .says(AREA, "Sign a user out everywhere")
                .gives::<UserView>(),
            people::sign_out,
        )
        .api(
            put(GRANTS, access)
                .says(AREA, "Let a user do something to some DAGs")
                .takes::<people::GrantBody>()
                .gives::<UserView>(),
            people::grant,
        )
        .api(
            delete(GRANTS, access)
                .says(AREA, "Take away what a user may do to some DAGs")
                .query::<people::GrantQuery>()
                .gives::<UserView>(),
            people::ungrant,
        )
}

fn tokens(routes: Routes) -> Routes {
    let access = Policy::ACCESS;
    routes
        .api(
            get("/api/v1/tokens", access)
                .says(AREA, "List tokens, without what they are made of")
                .more("A token is made by its owner, on their account page or by `tokens create`: a program must not make itself another.")
                .query::<people::TokensQuery>()
                .lists::<TokenView>(),
            people::tokens,
        )
        .api(
            delete("/api/v1/tokens/{token}", access)
                .says(AREA, "Revoke a token")
                .gives::<TokenView>(),
            people::revoke,
        )
}
