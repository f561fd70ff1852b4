//! Checks of data: what has to be true of a table, asked in one query.
//!
//! ```
//! use tidemill_core::prelude::*;
//! use tidemill_operators::checks::{Checks, Severity, Versions, column};
//!
//! let orders = Checks::on("shop.orders")
//!     .only(column("day").equals(Text::new("{ds}")))
//!     .key(["order_id"])
//!     .masked(["email"])
//!     .not_null("order_id")
//!     .unique("order_id")
//!     .between("amount", 0, 1e6).mostly(0.99).severity(Severity::Warn)
//!     .matches("email", "^[^@]+@[^@]+$").nulls_fail()
//!     .in_set("status", ["new", "paid"]).row_condition("amount > 0")
//!     .references("customer_id", "shop.customers", "id")
//!     .fresh("created_at", hours(26));
//! let customers = Checks::on("shop.customers_history")
//!     .one_version(Versions::of(["id"], "valid_from", "valid_to"));
//! let dag = Dag::build("checks", |dag| {
//!     dag.schedule(Cron::daily_at("04:00")).start("2025-01-01");
//!     dag.add("check_orders", orders);
//!     dag.add("check_customers", customers);
//! });
//! ```
//!
//! # What is true of every check
//!
//! - **Nulls.** A check of values does not look at rows without one, unless it says
//!   [`nulls_fail`](Checks::nulls_fail). A number that is none (NaN) is a missing value.
//! - **`mostly`.** It passes if `(looked at − failed) ÷ looked at` is at least that. Nothing to look at passes.
//! - **Numbers that stand for a column** (mean, sum, …) fail where there is none, as of an empty table. Limits are inside
//!   unless they are [strict](Checks::strict_min), and `()` is no limit.
//! - **[`row_condition`](Checks::row_condition)** leaves rows out before anything else is looked at.
//! - A check that does not fit the table, such as one of a column that is not there, is reported as an
//!   [error](CheckStatus::Error) and does not keep the others from being made.
//!
//! They are Great Expectations' semantics, so suites can be [imported](gx) and mean the same; dbt's tests can
//! [too](dbt).
//!
//! # How they are asked
//!
//! All checks of a table are one statement that returns one row: what is counted row by row is counted in one scan, what
//! needs a grouping is a query of its own within. Failing rows of all checks that failed are a second statement. Only
//! JSON schemas, dates in any format, and JSON in PostgreSQL have their different values fetched, for no database can look
//! at them. Values are literals, escaped by their type, and names are quoted; a text from outside never becomes SQL.
//! What an author writes as SQL has to close what it opens, and placeholders are not filled in there.

mod builder;
mod columns;
mod compile;
mod condition;
pub mod dbt;
mod dialect;
pub mod gx;
mod literal;
mod operator;
mod publish;
mod query;
mod report;
mod rule;
mod run;
mod schema;
mod together;
mod values;
mod verdict;
mod words;

pub use builder::{Check, Checks, SAMPLE_ROWS, Severity};
pub use condition::{ColumnIs, Comparison, Condition, column};
pub use dialect::{Column, Dialect};
pub use literal::Literal;
pub use publish::{Staging, write_audit_publish};
pub use query::{Databases, Query, Row};
pub use report::{CheckReport, CheckResult, CheckStatus};
pub use rule::{IgnoreRowIf, MatchOn, Source, Versions};
pub use verdict::Background;
