//! The CRM of the included DAGs: campaigns and support tickets by a paged API with a token and a rate limit.
//!
//! What it gives is made from the day alone, so that a day pulled twice is the same and a test can say what must be there.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderName, Method as Verb, StatusCode, header};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::call::{Answer, Call, Refusal, Reply};
use crate::route::Method;
use crate::services::Service;
use crate::state::State;

/// Whoever has another token is told so.
const TOKEN: &str = "crm-sandbox-token";
/// Requests in a window.
const REQUESTS: usize = 60;
const WINDOW: TimeDelta = TimeDelta::seconds(10);
/// Items of a page, at most.
const PAGE: usize = 100;

/// When the last requests came.
#[derive(Default)]
pub(crate) struct Crm {
    recent: Mutex<VecDeque<DateTime<Utc>>>,
}

impl Crm {
    /// None: there is room. Else after how many seconds there is.
    fn full(&self, now: DateTime<Utc>) -> Option<i64> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.front().is_some_and(|at| now - at >= WINDOW) {
            recent.pop_front();
        }
        match recent.front() {
            Some(first) if recent.len() >= REQUESTS => {
                Some((*first + WINDOW - now).num_seconds().max(1))
            }
            _ => {
                recent.push_back(now);
                None
            }
        }
    }
}

pub(crate) fn methods() -> Vec<Method> {
    vec![
        Method::new(
            Service::Crm,
            "crm.campaigns.list",
            Verb::GET,
            "/crm/v1/campaigns",
            |state, call| async move { page(&state, &call, "campaigns", campaigns) },
        ),
        Method::new(
            Service::Crm,
            "crm.tickets.list",
            Verb::GET,
            "/crm/v1/tickets",
            |state, call| async move { page(&state, &call, "tickets", tickets) },
        ),
    ]
}

/// `?date=2026-01-31&page=1&per_page=100`
fn page(state: &State, call: &Call, name: &str, make: fn(NaiveDate) -> Vec<Value>) -> Answer {
    if call.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHENTICATED",
            format!("send the header `Authorization: Bearer {TOKEN}`"),
        ));
    }
    if let Some(seconds) = state.crm.full(state.now()) {
        let refusal = Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "RESOURCE_EXHAUSTED",
            format!("more than {REQUESTS} requests in 10 seconds"),
        );
        return Ok(Service::Crm
            .refuse(&refusal)
            .header(header::RETRY_AFTER, &seconds.to_string()));
    }
    let date = call
        .parsed::<NaiveDate>("date")?
        .ok_or_else(|| Refusal::invalid("say which day: ?date=2026-01-31"))?;
    let number = call.parsed::<usize>("page")?.unwrap_or(1);
    let size = call.parsed::<usize>("per_page")?.unwrap_or(PAGE);
    if number == 0 || !(1..=PAGE).contains(&size) {
        return Err(Refusal::invalid(format!(
            "pages count from 1 and have 1 to {PAGE} items"
        )));
    }
    let all = make(date);
    let pages = all.len().div_ceil(size);
    if number > pages.max(1) {
        return Err(Refusal::not_found(format!("{date} has {pages} pages")));
    }
    let items: Vec<_> = all.iter().skip((number - 1) * size).take(size).collect();
    let next = (number < pages).then_some(number + 1);
    let body = json!({ "date": date, "page": number, "pages": pages, "total": all.len(), "next_page": next, name: items });
    let left = REQUESTS
        - state
            .crm
            .recent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
    Ok(Reply::json(&body).header(
        HeaderName::from_static("x-ratelimit-remaining"),
        &left.to_string(),
    ))
}

/// Numbers that look like chance and are the same for the same seed.
struct Chance(u64);

impl Chance {
    fn of(day: NaiveDate, what: u64) -> Self {
        let days = day
            .signed_duration_since(NaiveDate::MIN)
            .num_days()
            .unsigned_abs();
        Self(days.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.wrapping_mul(0xbf58_476d_1ce4_e5b9))
    }

    /// Below `bound`, which is not 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let at = self.below(of.len() as u64);
        usize::try_from(at)
            .ok()
            .and_then(|at| of.get(at))
            .copied()
            .unwrap_or("")
    }
}

/// The campaigns that run on a day.
fn campaigns(day: NaiveDate) -> Vec<Value> {
    let mut chance = Chance::of(day, 1);
    let many = 12 + chance.below(12);
    (0..many)
        .map(|n| {
            let starts = day.checked_sub_days(Days::new(chance.below(30))).unwrap_or(day);
            json!({
                "campaign_id": format!("c-{}-{n:03}", starts.format("%Y%m%d")),
                "name": format!("{} {}", chance.one(&["Spring", "Summer", "Clearance", "Loyalty", "Welcome"]), n + 1),
                "channel": chance.one(&["email", "search", "social", "display"]),
                "starts_on": starts,
                "spend": format!("{}.{:02}", chance.below(2_000), chance.below(100)),
                "currency": chance.one(&["EUR", "EUR", "EUR", "USD"]),
                "impressions": chance.below(500_000),
                "clicks": chance.below(20_000),
            })
        })
        .collect()
}

/// The tickets that were opened on a day. A few have dirt: no subject, blanks around an address, a priority nobody knows.
fn tickets(day: NaiveDate) -> Vec<Value> {
    let mut chance = Chance::of(day, 2);
    let many = 180 + chance.below(140);
    (0..many)
        .map(|n| {
            let at = day.and_hms_opt(0, 0, 0).unwrap_or_default() + TimeDelta::seconds(i64::try_from(chance.below(86_400)).unwrap_or(0));
            let customer = 1 + chance.below(5_000);
            let dirt = chance.below(40);
            json!({
                "ticket_id": format!("t-{}-{n:05}", day.format("%Y%m%d")),
                "customer_id": customer,
                "email": if dirt == 0 { format!(" customer{customer}@example.com ") } else { format!("customer{customer}@example.com") },
                "opened_at": at.and_utc().to_rfc3339(),
                "subject": if dirt == 1 { Value::Null } else { json!(chance.one(&["Late delivery", "Refund", "Wrong item", "Invoice", "Größe passt nicht"])) },
                "priority": if dirt == 2 { "whenever" } else { chance.one(&["low", "normal", "normal", "high", "urgent"]) },
                "status": chance.one(&["open", "pending", "solved"]),
                "order_id": if chance.below(3) == 0 { Value::Null } else { json!(chance.below(1_000_000)) },
            })
        })
        .collect()
}
