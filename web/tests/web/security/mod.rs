//! The security checklist (`docs/security-checklist.md`), over the table of routes: whatever is registered is tried.

mod corpus;
mod dom;
mod everywhere;
mod faults;
mod lines;
mod narrowed;
mod nonsense;
mod sessions;
mod stored;
