//! Style sheets, scripts and pictures, in the binary. Their addresses have a hash in them, so browsers keep them for ever.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use ring::digest::{SHA256, digest};

use crate::html::{Html, Tone, hex};
use crate::input::At;
use crate::oops::Oops;
use crate::web::Web;

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The style of the page of a task, a part of the one style sheet.
const TASK_STYLE: &str = include_str!("../assets/task.css");

/// The style of the pages of a DAG, likewise.
const DAG_STYLE: &str = include_str!("../assets/dag.css");
/// The style of the pages of loads and checks, likewise.
const MONITOR_STYLE: &str = include_str!("../assets/monitor.css");
/// The style of the page of the API, likewise.
const API_STYLE: &str = include_str!("../assets/api.css");

/// Name, kind, contents. The style of drawings is added to that of pages.
const FILES: [(&str, &str, &str); 17] = [
    ("tidemill.css", CSS, include_str!("../assets/tidemill.css")),
    ("theme.js", SCRIPT, include_str!("../assets/theme.js")),
    ("main.js", SCRIPT, include_str!("../assets/main.js")),
    ("times.js", SCRIPT, include_str!("../assets/times.js")),
    ("keys.js", SCRIPT, include_str!("../assets/keys.js")),
    ("fresh.js", SCRIPT, include_str!("../assets/fresh.js")),
    ("grid.js", SCRIPT, include_str!("../assets/grid.js")),
    ("gantt.js", SCRIPT, include_str!("../assets/gantt.js")),
    ("log.js", SCRIPT, include_str!("../assets/log.js")),
    (
        "log_lines.js",
        SCRIPT,
        include_str!("../assets/log_lines.js"),
    ),
    (
        "log_folds.js",
        SCRIPT,
        include_str!("../assets/log_folds.js"),
    ),
    ("log_live.js", SCRIPT, include_str!("../assets/log_live.js")),
    ("log_pick.js", SCRIPT, include_str!("../assets/log_pick.js")),
    (
        "log_scroll.js",
        SCRIPT,
        include_str!("../assets/log_scroll.js"),
    ),
    ("views.js", SCRIPT, include_str!("../assets/views.js")),
    ("palette.js", SCRIPT, include_str!("../assets/palette.js")),
    ("icon.svg", SVG, include_str!("../assets/icon.svg")),
];

/// The style sheet of all pages, for pages beside these that are to look the same.
#[must_use]
pub fn style() -> String {
    let parts = [
        include_str!("../assets/tidemill.css"),
        TASK_STYLE,
        DAG_STYLE,
        MONITOR_STYLE,
        API_STYLE,
        tidemill_draw::STYLE,
    ];
    parts.concat()
}

/// The icon of all pages, as SVG.
#[must_use]
pub fn icon() -> &'static str {
    include_str!("../assets/icon.svg")
}

/// The icon of each state: its shape in its colour, so that a row of tabs says how the runs in them stand.
const ICONS: [(Tone, &str, &str); 9] = [
    (
        Tone::Fail,
        "icon-fail.svg",
        "<path fill=\"#c2321c\" d=\"M11 1l10 10-10 10L1 11z\"/>",
    ),
    (
        Tone::Up,
        "icon-up.svg",
        "<path fill=\"none\" stroke=\"#cf7c6a\" stroke-width=\"2.5\" d=\"M2 2h18v18H2zM2 11l9-9M2 20L20 2M11 20l9-9\"/>",
    ),
    (
        Tone::Retry,
        "icon-retry.svg",
        "<path fill=\"#9a5b00\" d=\"M4 1l17 10L4 21z\"/>",
    ),
    (
        Tone::Run,
        "icon-run.svg",
        "<path fill=\"none\" stroke=\"#1667c7\" stroke-width=\"4\" d=\"M17 5a8.5 8.5 0 1 0 2 6\"/>",
    ),
    (
        Tone::Wait,
        "icon-wait.svg",
        "<path fill=\"#6c5aa7\" d=\"M3 2h6v18H3zM13 2h6v18h-6z\"/>",
    ),
    (
        Tone::Queue,
        "icon-queue.svg",
        "<path fill=\"none\" stroke=\"#5a656e\" stroke-width=\"4\" d=\"M4 4h14v14H4z\"/>",
    ),
    (
        Tone::None,
        "icon-none.svg",
        "<path fill=\"none\" stroke=\"#5a656e\" stroke-width=\"2\" stroke-dasharray=\"3 3\" d=\"M3 3h16v16H3z\"/>",
    ),
    (
        Tone::Skip,
        "icon-skip.svg",
        "<circle fill=\"none\" stroke=\"#7d8891\" stroke-width=\"4\" cx=\"11\" cy=\"11\" r=\"8\"/>",
    ),
    (
        Tone::Ok,
        "icon-ok.svg",
        "<circle fill=\"#187848\" cx=\"11\" cy=\"11\" r=\"10\"/>",
    ),
];

/// The name of the icon of a state.
pub(crate) fn icon_of(tone: Tone) -> &'static str {
    let icon = ICONS.iter().find(|(of, ..)| *of == tone);
    icon.map_or("icon.svg", |(_, name, _)| name)
}

#[derive(Debug)]
struct File {
    kind: &'static str,
    bytes: Vec<u8>,
}

/// Everything that pages load.
#[derive(Debug)]
pub(crate) struct Assets {
    /// By the name in the address.
    files: BTreeMap<String, File>,
    urls: BTreeMap<&'static str, String>,
    imports: Html,
}

impl Assets {
    /// Those in the binary.
    pub(crate) fn embedded() -> Self {
        let (mut files, mut urls) = (BTreeMap::new(), BTreeMap::new());
        for (name, kind, text) in FILES {
            let bytes = match name {
                "tidemill.css" => style().into_bytes(),
                _ => text.as_bytes().to_vec(),
            };
            let hash = hex(&digest(&SHA256, &bytes).as_ref()[..8]);
            let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
            let hashed = format!("{stem}.{hash}.{end}");
            urls.insert(name, format!("/static/{hashed}"));
            files.insert(hashed, File { kind, bytes });
        }
        for (_, name, shape) in ICONS {
            let bytes = format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 22 22\">{shape}</svg>"
            );
            let kind = SVG;
            let bytes = bytes.into_bytes();
            let hash = hex(&digest(&SHA256, &bytes).as_ref()[..8]);
            let stem = name.trim_end_matches(".svg");
            let hashed = format!("{stem}.{hash}.svg");
            urls.insert(name, format!("/static/{hashed}"));
            files.insert(hashed, File { kind, bytes });
        }
        let mut imports = String::from("{\"imports\":{");
        let mut first = true;
        for (name, url) in urls.iter().filter(|(name, _)| name.ends_with(".js")) {
            let comma = if first { "" } else { "," };
            first = false;
            let _ = write!(imports, "{comma}\"tidemill/{name}\":\"{url}\"");
        }
        imports.push_str("}}");
        Self {
            files,
            urls,
            imports: Html::drawing(imports),
        }
    }

    /// The address of one.
    pub(crate) fn url(&self, name: &str) -> &str {
        self.urls
            .get(name)
            .map_or("/static/missing", String::as_str)
    }

    /// The names by which scripts load each other.
    pub(crate) const fn imports(&self) -> &Html {
        &self.imports
    }
}

/// Answers with one.
pub(crate) async fn answer(State(web): State<Web>, At(name): At<String>) -> Result<Response, Oops> {
    let file = web.assets().files.get(&name);
    let file = file.ok_or_else(|| Oops::not_found("there is no such file; load the page again"))?;
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(file.kind)),
        (header::CACHE_CONTROL, kept),
    ];
    Ok((headers, file.bytes.clone()).into_response())
}
