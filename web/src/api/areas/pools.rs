//! Pools and assets.

use super::super::operation::{delete, get, patch, post, put};
use super::super::views::PoolView;
use super::super::{dags, shared};
use crate::access::Policy;
use crate::routes::Routes;

/// All of them.
pub(super) fn routes(routes: Routes) -> Routes {
    let (see, share) = (Policy::VIEW, Policy::SHARE);
    let one = "/api/v1/pools/{pool}";
    routes
        .api(
            get("/api/v1/pools", see)
                .says("Pools and assets", "List the pools that were set")
                .query::<dags::PageQuery>()
                .lists::<PoolView>(),
            shared::pools,
        )
        .api(
            get(one, see)
                .says("Pools and assets", "One pool")
                .gives_tagged::<PoolView>(),
            shared::pool,
        )
        .api(
            put(one, share)
                .says("Pools and assets", "Make a pool, or give it other slots")
                .takes::<shared::PoolBody>()
                .changes(),
            shared::set_pool,
        )
        .api(
            patch(one, share)
                .says(
                    "Pools and assets",
                    "Pause a pool, or let it give slots again",
                )
                .takes::<shared::PoolPatch>()
                .changes(),
            shared::pause_pool,
        )
        .api(
            delete(one, share)
                .says("Pools and assets", "Remove a pool")
                .changes(),
            shared::remove_pool,
        )
        .api(
            post("/api/v1/assets/changed", share)
                .says("Pools and assets", "Say that an asset was changed outside")
                .takes::<shared::AssetBody>()
                .changes(),
            shared::asset_changed,
        )
}
