//! Whatever people can see or do on pages, programs can by the API.

use std::collections::BTreeSet;

use crate::kit::Kit;

/// Pages and their actions, each with the operations that are the same for programs. Empty: it is of browsers only.
const SAME: &[(&str, &[&str])] = &[
    ("GET /", &["GET /dags", "GET /runs", "GET /search"]),
    ("GET /dags", &["GET /dags"]),
    ("POST /dags", &["PATCH /dags/{dag}"]),
    ("GET /runs", &["GET /runs"]),
    ("GET /search", &["GET /search"]),
    ("GET /loads", &["GET /loads", "GET /loads/days"]),
    (
        "GET /dags/{dag}/loads/{load}",
        &["GET /dags/{dag}/loads/{load}"],
    ),
    ("GET /checks", &["GET /checks/last"]),
    (
        "GET /dags/{dag}/checks/{check}",
        &["GET /dags/{dag}/checks/{check}", "GET /checks"],
    ),
    ("GET /find", &["GET /search"]),
    ("GET /workers", &["GET /workers"]),
    ("POST /workers/{worker}/drain", &["PATCH /workers/{worker}"]),
    (
        "GET /dags/{dag}",
        &["GET /dags/{dag}", "GET /dags/{dag}/grid"],
    ),
    (
        "GET /dags/{dag}/graph",
        &["GET /dags/{dag}/definition", "GET /dags/{dag}/grid"],
    ),
    ("GET /dags/{dag}/runs", &["GET /dags/{dag}/runs"]),
    ("GET /dags/{dag}/calendar", &["GET /dags/{dag}/calendar"]),
    ("GET /dags/{dag}/durations", &["GET /dags/{dag}/durations"]),
    (
        "GET /dags/{dag}/definition",
        &["GET /dags/{dag}/definition", "GET /dags/{dag}/versions"],
    ),
    (
        "GET /dags/{dag}/definition/raw",
        &["GET /dags/{dag}/definition"],
    ),
    ("GET /dags/{dag}/diff", &["GET /dags/{dag}/diff"]),
    (
        "GET /dags/{dag}/details",
        &["GET /dags/{dag}", "GET /dags/{dag}/planned"],
    ),
    ("GET /dags/{dag}/audit", &["GET /audit"]),
    ("POST /dags/{dag}/pause", &["PATCH /dags/{dag}"]),
    ("POST /dags/{dag}/resume", &["PATCH /dags/{dag}"]),
    ("GET /dags/{dag}/trigger", &["POST /dags/{dag}/runs"]),
    ("POST /dags/{dag}/trigger", &["POST /dags/{dag}/runs"]),
    ("GET /dags/{dag}/backfill", &["POST /dags/{dag}/backfills"]),
    ("POST /dags/{dag}/backfill", &["POST /dags/{dag}/backfills"]),
    (
        "GET /dags/{dag}/runs/{run}",
        &[
            "GET /dags/{dag}/runs/{run}",
            "GET /dags/{dag}/runs/{run}/tasks",
            "GET /dags/{dag}/runs/{run}/timeline",
            "GET /dags/{dag}/runs/{run}/why",
            "GET /dags/{dag}/runs/{run}/audit",
        ],
    ),
    (
        "GET /dags/{dag}/runs/{run}/do/{deed}",
        &["POST /dags/{dag}/runs/{run}/clear"],
    ),
    (
        "POST /dags/{dag}/runs/{run}/do/{deed}",
        &[
            "POST /dags/{dag}/runs/{run}/retry",
            "POST /dags/{dag}/runs/{run}/clear",
            "POST /dags/{dag}/runs/{run}/mark",
            "POST /dags/{dag}/runs/{run}/cancel",
            "PATCH /dags/{dag}/runs/{run}",
            "POST /dags/{dag}/runs/{run}/tasks/{task}/answer",
        ],
    ),
    (
        "GET /dags/{dag}/runs/{run}/restart",
        &["POST /dags/{dag}/runs/{run}/clear"],
    ),
    (
        "POST /dags/{dag}/runs/{run}/restart",
        &["POST /dags/{dag}/runs/{run}/clear"],
    ),
    (
        "GET /dags/{dag}/runs/{run}/tasks/{task}",
        &[
            "GET /dags/{dag}/runs/{run}/tasks/{task}",
            "GET /dags/{dag}/runs/{run}/tasks/{task}/attempts",
            "GET /dags/{dag}/runs/{run}/tasks/{task}/cause",
            "GET /dags/{dag}/runs/{run}/tasks/{task}/why",
            "GET /dags/{dag}/runs/{run}/tasks/{task}/instances",
            "GET /dags/{dag}/runs/{run}/tasks/{task}/output",
            "GET /dags/{dag}/runs/{run}/loads",
            "GET /dags/{dag}/runs/{run}/checks",
        ],
    ),
    (
        "GET /dags/{dag}/runs/{run}/priority",
        &["GET /dags/{dag}/runs/{run}"],
    ),
    (
        "POST /dags/{dag}/runs/{run}/priority",
        &["PATCH /dags/{dag}/runs/{run}"],
    ),
    // What failed like this, and how the last success was other: both are made of these.
    (
        "GET /dags/{dag}/runs/{run}/tasks/{task}/alike",
        &["GET /runs", "GET /dags/{dag}/runs/{run}/tasks/{task}/cause"],
    ),
    (
        "GET /dags/{dag}/runs/{run}/tasks/{task}/compare",
        &[
            "GET /dags/{dag}/runs/{run}/tasks/{task}",
            "GET /dags/{dag}/runs/{run}/tasks/{task}/log/raw",
        ],
    ),
    (
        "GET /dags/{dag}/runs/{run}/tasks/{task}/log/live",
        &["GET /dags/{dag}/runs/{run}/tasks/{task}/log"],
    ),
    (
        "GET /dags/{dag}/runs/{run}/tasks/{task}/log",
        &["GET /dags/{dag}/runs/{run}/tasks/{task}/log"],
    ),
    (
        "GET /dags/{dag}/runs/{run}/tasks/{task}/log/find",
        &["GET /dags/{dag}/runs/{run}/tasks/{task}/log/search"],
    ),
    (
        "GET /dags/{dag}/runs/{run}/tasks/{task}/log/raw",
        &["GET /dags/{dag}/runs/{run}/tasks/{task}/log/raw"],
    ),
    (
        "GET /dags/{dag}/runs/{run}/tasks/{task}/clear",
        &["POST /dags/{dag}/runs/{run}/tasks/{task}/clear"],
    ),
    (
        "POST /dags/{dag}/runs/{run}/tasks/{task}/clear",
        &["POST /dags/{dag}/runs/{run}/tasks/{task}/clear"],
    ),
    (
        "GET /dags/{dag}/runs/{run}/tasks/{task}/mark",
        &["POST /dags/{dag}/runs/{run}/tasks/{task}/mark"],
    ),
    (
        "POST /dags/{dag}/runs/{run}/tasks/{task}/mark",
        &["POST /dags/{dag}/runs/{run}/tasks/{task}/mark"],
    ),
    ("GET /backfills", &["GET /backfills"]),
    (
        "GET /backfills/{backfill}",
        &[
            "GET /dags/{dag}/backfills/{backfill}",
            "GET /dags/{dag}/backfills/{backfill}/dates",
        ],
    ),
    (
        "POST /backfills/{backfill}/pause",
        &["PATCH /dags/{dag}/backfills/{backfill}"],
    ),
    (
        "GET /backfills/{backfill}/cancel",
        &["POST /dags/{dag}/backfills/{backfill}/cancel"],
    ),
    (
        "POST /backfills/{backfill}/cancel",
        &["POST /dags/{dag}/backfills/{backfill}/cancel"],
    ),
    ("GET /runs/all/{deed}", &["POST /runs/bulk"]),
    ("POST /runs/all/{deed}", &["POST /runs/bulk"]),
    ("GET /pools", &["GET /pools"]),
    ("POST /pools", &["PUT /pools/{pool}"]),
    ("GET /pools/{pool}", &["GET /pools/{pool}"]),
    ("POST /pools/{pool}", &["PUT /pools/{pool}"]),
    ("POST /pools/{pool}/pause", &["PATCH /pools/{pool}"]),
    ("GET /pools/{pool}/remove", &["DELETE /pools/{pool}"]),
    ("POST /pools/{pool}/remove", &["DELETE /pools/{pool}"]),
    ("GET /alerts", &["GET /alerts"]),
    (
        "POST /alerts/{alert}/again",
        &["POST /alerts/{alert}/again"],
    ),
    ("GET /variables", &["GET /variables"]),
    ("POST /variables", &["PUT /variables/{variable}"]),
    ("GET /variables/{variable}", &["GET /variables/{variable}"]),
    ("POST /variables/{variable}", &["PUT /variables/{variable}"]),
    (
        "POST /variables/{variable}/reveal",
        &["POST /variables/{variable}/reveal"],
    ),
    (
        "GET /variables/{variable}/remove",
        &["DELETE /variables/{variable}"],
    ),
    (
        "POST /variables/{variable}/remove",
        &["DELETE /variables/{variable}"],
    ),
    ("GET /connections", &["GET /connections"]),
    ("POST /connections", &["PUT /connections/{connection}"]),
    (
        "GET /connections/{connection}",
        &["GET /connections/{connection}"],
    ),
    (
        "POST /connections/{connection}",
        &["PUT /connections/{connection}"],
    ),
    (
        "GET /connections/{connection}/remove",
        &["DELETE /connections/{connection}"],
    ),
    (
        "POST /connections/{connection}/remove",
        &["DELETE /connections/{connection}"],
    ),
    ("GET /audit", &["GET /audit"]),
    ("GET /settings", &["GET /settings"]),
    ("GET /tokens", &["GET /tokens"]),
    ("POST /tokens/revoke", &["DELETE /tokens/{token}"]),
    ("GET /users", &["GET /users"]),
    ("POST /users", &["POST /users"]),
    ("GET /users/{user}", &["GET /users/{user}"]),
    ("POST /users/{user}/change", &["PATCH /users/{user}"]),
    ("POST /users/{user}/disable", &["PATCH /users/{user}"]),
    (
        "POST /users/{user}/password",
        &["POST /users/{user}/password"],
    ),
    ("POST /users/{user}/grant", &["PUT /users/{user}/grants"]),
    (
        "POST /users/{user}/ungrant",
        &["DELETE /users/{user}/grants"],
    ),
    (
        "POST /users/{user}/sign-out",
        &["POST /users/{user}/sign-out"],
    ),
    // One's own account: a program has none, and must not make itself a token.
    ("GET /account", &["GET /me"]),
    ("POST /account/password", &[]),
    ("POST /account/sign-out", &[]),
    ("POST /account/tokens", &[]),
    ("POST /account/tokens/revoke", &[]),
    // How browsers come in, what they are made of, and the lines over which they hear of changes.
    ("GET /enter", &[]),
    ("POST /leave", &[]),
    ("GET /sign-in", &[]),
    ("POST /sign-in", &[]),
    ("GET /sign-in/away", &[]),
    ("GET /sign-in/back", &[]),
    ("GET /live", &[]),
    ("GET /static/{name}", &[]),
    ("GET /api", &["GET /openapi.json"]),
    // What a machine asks.
    ("GET /healthz", &["GET /health"]),
    ("GET /readyz", &["GET /health"]),
];

#[tokio::test]
async fn every_page_and_action_has_its_like_in_the_api() {
    let kit = Kit::new().await;
    let all = kit.routes.iter().map(|route| {
        let path = route.path.replacen("/api/v1", "", 1);
        let is_api = path.len() != route.path.len();
        (is_api, format!("{} {path}", route.method))
    });
    let (api, pages): (Vec<_>, Vec<_>) = all.partition(|(is_api, _)| *is_api);
    let api: BTreeSet<String> = api.into_iter().map(|(_, name)| name).collect();
    for (_, page) in pages {
        let same = SAME.iter().find(|(name, _)| *name == page);
        let (_, same) = same.unwrap_or_else(|| {
            panic!("{page} is new: give programs the same under /api/v1, and name it in this table")
        });
        for operation in *same {
            assert!(api.contains(*operation), "{page}: there is no {operation}");
        }
    }
}
