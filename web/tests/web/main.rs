//! The site, driven in memory: who is let in, what changes things, what pages show, and what happens to whatever is wrong.

mod access;
mod api;
mod around;
mod audit;
mod backfills;
mod bulk;
mod contrast;
mod dag_pages;
mod find;
mod kit;
mod labels;
mod live;
mod many;
mod monitor;
mod night;
mod pages;
mod run;
mod secrets;
mod security;
mod shared;
mod sign_in;
mod single;
mod task;
mod users;
mod wrong;
