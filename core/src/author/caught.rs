//! Panics in authors' code, caught and located: one broken DAG must not hide the others.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::spec::Source;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static WHERE: RefCell<Option<Source>> = const { RefCell::new(None) };
}

/// A panic of the author's code.
#[derive(Debug, Clone)]
pub(super) struct Panicked {
    pub(super) message: String,
    pub(super) source: Option<Source>,
}

/// Runs the author's code. A panic in it is returned instead of printed; panics elsewhere go on as they were.
pub(super) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                let source = info.location().map(|at| Source {
                    file: at.file().to_owned(),
                    line: at.line(),
                });
                WHERE.with_borrow_mut(|at| *at = source);
            } else {
                before(info);
            }
        }));
    });
    // A DAG may be built while another is: an inner call must not end the outer one's protection.
    let outer = CATCHING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(code));
    CATCHING.set(outer);
    result.map_err(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Panicked {
            message: message.unwrap_or_else(|| "without a message".to_owned()),
            source: WHERE.take(),
        }
    })
}
