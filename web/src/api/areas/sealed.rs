//! Variables and connections.

use super::super::operation::{delete, get, post, put};
use super::super::views::{ConnectionView, RevealedView, VariableView};
use super::super::{dags, sealed};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
    const AREA: &str = "Variables and connections";
    let secrets = Policy::SECRETS;
    let variable = "/api/v1/variables/{variable}";
    let connection = "/api/v1/connections/{connection}";
    routes
        .api(
            get("/api/v1/variables", secrets)
                .says(AREA, "List variables, without their values")
                .query::<dags::PageQuery>()
                .lists::<VariableView>(),
            sealed::variables,
        )
        .api(
            get(variable, secrets)
                .says(AREA, "One variable, without its value")
                .gives_tagged::<VariableView>(),
            sealed::variable,
        )
        .api(
            put(variable, secrets)
                .says(AREA, "Make a variable, or give it another value")
                .takes::<sealed::VariableSet>()
                .changes(),
            sealed::set_variable,
        )
        .api(
            delete(variable, secrets)
                .says(AREA, "Remove a variable")
                .changes(),
            sealed::remove_variable,
        )
        .api(
            post("/api/v1/variables/{variable}/reveal", secrets)
                .says(
                    AREA,
                    "The value of a variable; the audit log says who asked",
                )
                .gives::<RevealedView>(),
            sealed::reveal,
        )
        .api(
            get("/api/v1/connections", secrets)
                .says(AREA, "List connections, without their secrets")
                .query::<dags::PageQuery>()
                .lists::<ConnectionView>(),
            sealed::connections,
        )
        .api(
            get(connection, secrets)
                .says(AREA, "One connection, without its secrets")
                .gives_tagged::<ConnectionView>(),
            sealed::connection,
        )
        .api(
            put(connection, secrets)
                .says(AREA, "Make a connection, or change it")
                .takes::<sealed::ConnectionSet>()
                .changes(),
            sealed::set_connection,
        )
        .api(
            delete(connection, secrets)
                .says(AREA, "Remove a connection")
                .changes(),
            sealed::remove_connection,
        )
}
