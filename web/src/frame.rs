//! What is around every page: who is signed in, where they are, and what the layout needs.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tidemill_core::id::DagId;
use tidemill_core::time::Timestamp;

use crate::access::Principal;
use crate::assets::icon_of;
use crate::html::Tone;
use crate::oops::Oops;
use crate::paths;
use crate::seat::Seat;
use crate::web::Web;
use tidemill_access::Action;

/// A place in the navigation. One that has no page yet is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) word: &'static str,
    pub(crate) href: &'static str,
    /// What somebody must be allowed to do somewhere to be shown it.
    needs: Action,
}

/// The navigation.
const SECTIONS: [Section; 4] = [
    Section {
        word: "Home",
        href: "/",
        needs: Action::See,
    },
    Section {
        word: "DAGs",
        href: "/dags",
        needs: Action::See,
    },
    Section {
        word: "Runs",
        href: "/runs",
        needs: Action::See,
    },
    Section {
        word: "Workers",
        href: "/workers",
        needs: Action::See,
    },
];

/// What is looked at less often.
const MORE: [Section; 11] = [
    Section {
        word: "Loads",
        href: "/loads",
        needs: Action::See,
    },
    Section {
        word: "Checks",
        href: "/checks",
        needs: Action::See,
    },
    Section {
        word: "Backfills",
        href: "/backfills",
        needs: Action::See,
    },
    Section {
        word: "Pools",
        href: "/pools",
        needs: Action::See,
    },
    Section {
        word: "Alerts",
        href: "/alerts",
        needs: Action::See,
    },
    Section {
        word: "Variables",
        href: "/variables",
        needs: Action::Secrets,
    },
    Section {
        word: "Connections",
        href: "/connections",
        needs: Action::Secrets,
    },
    Section {
        word: "Audit log",
        href: "/audit",
        needs: Action::Audit,
    },
    Section {
        word: "Users",
        href: "/users",
        needs: Action::Access,
    },
    Section {
        word: "Settings",
        href: "/settings",
        needs: Action::Settings,
    },
    Section {
        word: "API",
        href: "/api",
        needs: Action::See,
    },
];

/// What is around every page. The first argument of every handler, the first field of every page.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) web: Web,
    seat: Arc<Seat>,
    /// When the page was read.
    pub(crate) now: Timestamp,
}

impl Frame {
    pub(crate) fn new(web: Web, seat: Arc<Seat>) -> Self {
        Self {
            now: web.now(),
            web,
            seat,
        }
    }

    /// Who is signed in. Handlers of routes that are not public always have somebody.
    #[must_use]
    pub(crate) fn who(&self) -> Option<&Principal> {
        self.seat.signed().map(|signed| &signed.who)
    }

    /// Whether the page was only looked at, and can be once more.
    #[must_use]
    pub(crate) fn looks(&self) -> bool {
        self.seat.looks
    }

    /// The name for the audit log.
    #[must_use]
    pub(crate) fn name(&self) -> Arc<str> {
        self.who()
            .map_or_else(|| "nobody".into(), |who| Arc::clone(&who.name))
    }

    /// Whether who is signed in may know of this DAG: every list is narrowed by this.
    #[must_use]
    pub(crate) fn sees(&self, dag: &DagId) -> bool {
        self.who().is_some_and(|who| who.sees(dag))
    }

    /// The DAGs that they may know of, for lists that the database narrows; none if that is all of them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(crate) async fn among(&self) -> Result<Option<Vec<DagId>>, Oops> {
        if self.who().is_some_and(Principal::sees_all) {
            return Ok(None);
        }
        let dags = self.web.store().dags().await?.into_iter();
        Ok(Some(
            dags.map(|row| row.id)
                .filter(|dag| self.sees(dag))
                .collect(),
        ))
    }

    /// Whether they may change this DAG: buttons are shown by this; the route decides by its policy all the same.
    #[must_use]
    pub(crate) fn operates(&self, dag: &DagId) -> bool {
        self.who().is_some_and(|who| who.operates(dag))
    }

    /// Whether they may do something that is not done to one DAG, or do it to any DAG at all. For buttons and sections: the
    /// route decides by its policy all the same.
    #[must_use]
    pub(crate) fn may(&self, action: Action) -> bool {
        self.who().is_some_and(|who| who.may(action).is_ok())
    }

    pub(crate) fn csrf(&self) -> &str {
        self.seat
            .signed()
            .and_then(|signed| signed.csrf.as_deref())
            .unwrap_or_default()
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.seat.nonce
    }

    pub(crate) fn said(&self) -> Option<&str> {
        self.seat.said.as_deref()
    }

    pub(crate) fn sections(&self) -> impl Iterator<Item = &'static Section> {
        SECTIONS.iter().filter(|section| self.may(section.needs))
    }

    /// What is looked at less often.
    pub(crate) fn more(&self) -> impl Iterator<Item = &'static Section> {
        MORE.iter().filter(|section| self.may(section.needs))
    }

    /// Whether a section is where we are.
    pub(crate) fn is_in(&self, section: &Section) -> bool {
        let path = self.seat.uri.path();
        match section.href {
            "/" => path == "/",
            href => path
                .strip_prefix(href)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }

    /// Path and query of this page, to come back to.
    pub(crate) fn here(&self) -> &str {
        self.seat
            .uri
            .path_and_query()
            .map_or("/", |here| here.as_str())
    }

    /// Where this page listens for changes.
    pub(crate) fn listens(&self) -> String {
        paths::Open::live(self.seat.uri.path())
    }

    pub(crate) fn asset(&self, name: &str) -> &str {
        self.web.assets().url(name)
    }

    /// The icon of a state, for the tab of the browser.
    pub(crate) fn icon(&self, tone: Tone) -> &str {
        self.asset(icon_of(tone))
    }

    /// The scripts by their names, for the browser.
    pub(crate) fn imports(&self) -> &crate::html::Html {
        self.web.assets().imports()
    }

    pub(crate) fn clock(&self) -> String {
        self.now.date().format("%H:%M:%S").to_string()
    }

    /// The installation's name, if it is not the usual one.
    pub(crate) fn deployment(&self) -> Option<&str> {
        let name = &*self.web.config().deployment;
        (name != "tidemill").then_some(name)
    }
}

impl FromRequestParts<Web> for Frame {
    type Rejection = Oops;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Oops> {
        let seat = parts.extensions.get::<Arc<Seat>>();
        let seat = seat.ok_or_else(|| Oops::broken("a request without a seat"))?;
        Ok(Self::new(web.clone(), Arc::clone(seat)))
    }
}
