//! Arguments: what can be passed to a task, and the types that keep a wrong one from compiling.

use std::marker::PhantomData;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;

use super::handle::{Mapped, Out, TaskRef};
use super::special::Sensor;
use crate::text::Text;

/// An argument before it is wired: where its value comes from.
#[derive(Debug, Clone)]
pub enum Arg {
    /// A constant, or why it is none.
    Value(Result<Value, String>),
    /// A text with placeholders.
    Text(Text),
    /// The run's params, or one of them.
    Params(Vec<String>),
    /// The element a mapped group is mapped over, or a part of it.
    Item(Vec<String>),
    /// What a task returns.
    Task {
        /// The task.
        task: TaskRef,
        /// The path into what it returns.
        path: Vec<String>,
        /// Whether it stands for the outputs of all instances.
        collected: bool,
        /// Whether it is `None` when the task was skipped or failed.
        optional: bool,
    },
}

/// A value of type `T` that is known when the run is: a date of its interval, a param, an element of a list.
#[derive(Debug)]
pub struct In<T> {
    pub(super) arg: Arg,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        Self::new(self.arg.clone())
    }
}

impl<T> In<T> {
    pub(super) const fn new(arg: Arg) -> Self {
        Self {
            arg,
            of: PhantomData,
        }
    }

    /// A field of it, with the field's type.
    #[must_use]
    pub fn pick<U>(&self, field: &str) -> In<U> {
        In::new(self.arg.clone().field(field))
    }
}

impl Arg {
    pub(super) fn optional(mut self) -> Self {
        if let Self::Task { optional, .. } = &mut self {
            *optional = true;
        }
        self
    }

    pub(super) fn field(mut self, field: &str) -> Self {
        match &mut self {
            Self::Params(path) | Self::Item(path) | Self::Task { path, .. } => {
                path.extend(field.split('.').map(str::to_owned));
            }
            Self::Value(Ok(value)) => {
                let path: Vec<String> = field.split('.').map(str::to_owned).collect();
                let found = crate::text::pick(value, &path).cloned();
                return Self::Value(
                    found.ok_or_else(|| format!("the constant has no field `{field}`")),
                );
            }
            Self::Value(Err(_)) => {}
            Self::Text(text) => {
                return Self::Value(Err(format!("the text `{text}` has no field `{field}`")));
            }
        }
        self
    }
}

/// A constant of any type that JSON can hold.
#[must_use]
pub fn value<T: Serialize>(value: T) -> In<T> {
    In::new(Arg::Value(
        serde_json::to_value(value).map_err(|error| error.to_string()),
    ))
}

/// A text with placeholders, as an argument.
#[must_use]
pub fn text(text: impl Into<Text>) -> In<String> {
    In::new(Arg::Text(text.into()))
}

/// One of the run's params.
#[must_use]
pub fn param<T>(name: &str) -> In<T> {
    In::new(Arg::Params(name.split('.').map(str::to_owned).collect()))
}

/// The time the run covers.
pub mod interval {
    use super::{Arg, DateTime, In, NaiveDate, Utc};

    fn filled<T>(text: &str) -> In<T> {
        In::new(Arg::Text(text.into()))
    }

    /// The date of its start, in the DAG's time zone: `{ds}`.
    #[must_use]
    pub fn start_date() -> In<NaiveDate> {
        filled("{ds}")
    }

    /// The date of its end, in the DAG's time zone.
    #[must_use]
    pub fn end_date() -> In<NaiveDate> {
        filled("{interval_end:%Y-%m-%d}")
    }

    /// Its first instant.
    #[must_use]
    pub fn start() -> In<DateTime<Utc>> {
        filled("{interval_start}")
    }

    /// The instant after its last.
    #[must_use]
    pub fn end() -> In<DateTime<Utc>> {
        filled("{interval_end}")
    }
}

/// The run itself.
pub mod run {
    use super::{Arg, In};

    /// Its id.
    #[must_use]
    pub fn id() -> In<String> {
        In::new(Arg::Text("{run_id}".into()))
    }
}

/// What can be passed where a task wants an `A`.
#[diagnostic::on_unimplemented(
    message = "this argument of the task is a `{A}`, but `{Self}` is passed",
    label = "no `{A}`",
    note = "an `Out<T>`, an `In<T>` or a constant must have exactly the type of the task's argument"
)]
pub trait IntoInput<A> {
    /// Where the value comes from.
    fn into_arg(self) -> Arg;
}

macro_rules! inputs {
    ($($(#[$attr:meta])* [$($generics:tt)*] $from:ty => $to:ty, |$it:ident| $arg:expr;)+) => {
        $(impl<$($generics)*> IntoInput<$to> for $from {
            fn into_arg(self) -> Arg {
                let $it = self;
                $arg
            }
        }

        impl<$($generics)*> super::map::IntoMapInput<$to> for $from {
            fn into_map_arg(self) -> super::map::MapArg {
                super::map::MapArg::Same(IntoInput::<$to>::into_arg(self))
            }
        })+
    };
}
inputs! {
    [T] Out<T> => T, |out| out.arg();
    [T] &Out<T> => T, |out| out.arg();
    [T] Out<T> => Option<T>, |out| out.arg().optional();
    [T] &Out<T> => Option<T>, |out| out.arg().optional();
    [T] Mapped<T> => Vec<T>, |out| out.arg();
    [T] &Mapped<T> => Vec<T>, |out| out.arg();
    [T] Sensor<T> => T, |out| out.arg();
    [T] &Sensor<T> => T, |out| out.arg();
    [T] In<T> => T, |input| input.arg;
    [T] &In<T> => T, |input| input.arg.clone();
    [] &str => String, |it| Arg::Text(it.into());
    [] String => String, |it| Arg::Text(it.into());
    [] bool => bool, |it| Arg::Value(Ok(it.into()));
    [] i32 => i32, |it| Arg::Value(Ok(it.into()));
    [] i64 => i64, |it| Arg::Value(Ok(it.into()));
    [] u32 => u32, |it| Arg::Value(Ok(it.into()));
    [] u64 => u64, |it| Arg::Value(Ok(it.into()));
    [] f64 => f64, |it| Arg::Value(Ok(it.into()));
}

/// The arguments of a task: one value, a tuple of several, or `()`.
#[diagnostic::on_unimplemented(
    message = "the task's arguments are `{Args}`, but `{Self}` is passed",
    label = "these arguments don't fit the task",
    note = "pass one value for one argument, a tuple for several, `()` for none; types must be exactly those of the task"
)]
pub trait Inputs<Args> {
    /// Where the values come from.
    fn into_args(self) -> Vec<Arg>;
}

impl Inputs<()> for () {
    fn into_args(self) -> Vec<Arg> {
        Vec::new()
    }
}

impl<A, X: IntoInput<A>> Inputs<(A,)> for X {
    fn into_args(self) -> Vec<Arg> {
        vec![self.into_arg()]
    }
}

macro_rules! input_tuples {
    ($(($($arg:ident $given:ident $nth:tt),+))+) => {
        $(impl<$($arg, $given: IntoInput<$arg>),+> Inputs<($($arg,)+)> for ($($given,)+) {
            fn into_args(self) -> Vec<Arg> {
                vec![$(self.$nth.into_arg()),+]
            }
        })+
    };
}
input_tuples! {
    (A X 0, B Y 1)
    (A X 0, B Y 1, C Z 2)
    (A X 0, B Y 1, C Z 2, D U 3)
    (A X 0, B Y 1, C Z 2, D U 3, E V 4)
    (A X 0, B Y 1, C Z 2, D U 3, E V 4, F W 5)
}
