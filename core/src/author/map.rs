//! Mapping: one task becomes many, over lists that are only known when the run is under way.

use std::marker::PhantomData;

use serde::Serialize;

use super::arg::{Arg, In};
use super::handle::{Mapped, Out};
use super::special::Sensor;

/// One argument of a mapped task: the same for all, or one element each.
#[derive(Debug, Clone)]
pub enum MapArg {
    /// The same for all instances.
    Same(Arg),
    /// One element of this list for each instance.
    Each(Arg),
}

/// A list to map over: each instance gets one of its elements.
#[derive(Debug)]
pub struct Each<A> {
    list: Arg,
    of: PhantomData<fn() -> A>,
}

/// Each instance gets one element of this list. With several of them in one tuple, every combination is an instance.
#[must_use]
pub fn each<A>(list: impl List<A>) -> Each<A> {
    Each {
        list: list.into_list(),
        of: PhantomData,
    }
}

/// Two lists walked together: the first elements, the second elements, and so on.
#[derive(Debug)]
pub struct Zip<A, B> {
    lists: [Arg; 2],
    of: PhantomData<fn() -> (A, B)>,
}

/// Walks two lists together; they have to be equally long.
#[must_use]
pub fn zip<A, B>(left: impl List<A>, right: impl List<B>) -> Zip<A, B> {
    Zip {
        lists: [left.into_list(), right.into_list()],
        of: PhantomData,
    }
}

/// What is a list of `A` when the run is under way.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of `{A}` to map over",
    label = "not a list of `{A}`",
    note = "map over an `Out<Vec<T>>`, a `Mapped<T>`, a list of constants, or a list among the params, where `T` is the task's argument"
)]
pub trait List<A> {
    /// Where the list comes from.
    fn into_list(self) -> Arg;
}

macro_rules! lists {
    ($([$($generics:tt)*] $from:ty, |$it:ident| $arg:expr;)+) => {
        $(impl<A, $($generics)*> List<A> for $from {
            fn into_list(self) -> Arg {
                let $it = self;
                $arg
            }
        })+
    };
}
lists! {
    [] Each<A>, |it| it.list;
    [] Out<Vec<A>>, |it| it.arg();
    [] &Out<Vec<A>>, |it| it.arg();
    [] Mapped<A>, |it| it.arg();
    [] &Mapped<A>, |it| it.arg();
    [] Sensor<Vec<A>>, |it| it.arg();
    [] &Sensor<Vec<A>>, |it| it.arg();
    [] In<Vec<A>>, |it| it.arg;
    [] &In<Vec<A>>, |it| it.arg.clone();
}

impl<A: Serialize> List<A> for Vec<A> {
    fn into_list(self) -> Arg {
        Arg::Value(serde_json::to_value(self).map_err(|error| error.to_string()))
    }
}

impl<A: Serialize, const N: usize> List<A> for [A; N] {
    fn into_list(self) -> Arg {
        Vec::from(self).into_list()
    }
}

impl<const N: usize> List<String> for [&str; N] {
    fn into_list(self) -> Arg {
        self.map(str::to_owned).into_list()
    }
}

/// What can be passed where a mapped task wants an `A`: what a plain task takes, or [`each`] of a list.
#[diagnostic::on_unimplemented(
    message = "this argument of the mapped task is a `{A}`, but `{Self}` is passed",
    label = "no `{A}` and no `each(…)` of it"
)]
pub trait IntoMapInput<A> {
    /// Where the value comes from.
    fn into_map_arg(self) -> MapArg;
}

impl<A> IntoMapInput<A> for Each<A> {
    fn into_map_arg(self) -> MapArg {
        MapArg::Each(self.list)
    }
}

/// The arguments of a mapped task: one list, a tuple with [`each`] in it, or [`zip`].
#[diagnostic::on_unimplemented(
    message = "the mapped task's arguments are `{Args}`, but `{Self}` is passed",
    label = "these lists don't fit the task",
    note = "pass one list for one argument, or a tuple with `each(list)` for several"
)]
pub trait MapInputs<Args> {
    /// Where the values come from, and whether lists are walked together.
    fn into_map_args(self) -> (Vec<MapArg>, bool);
}

impl<A, X: List<A>> MapInputs<(A,)> for X {
    fn into_map_args(self) -> (Vec<MapArg>, bool) {
        (vec![MapArg::Each(self.into_list())], false)
    }
}

impl<A, B> MapInputs<(A, B)> for Zip<A, B> {
    fn into_map_args(self) -> (Vec<MapArg>, bool) {
        (self.lists.map(MapArg::Each).to_vec(), true)
    }
}

macro_rules! map_tuples {
    ($(($($arg:ident $given:ident $nth:tt),+))+) => {
        $(impl<$($arg, $given: IntoMapInput<$arg>),+> MapInputs<($($arg,)+)> for ($($given,)+) {
            fn into_map_args(self) -> (Vec<MapArg>, bool) {
                (vec![$(self.$nth.into_map_arg()),+], false)
            }
        })+
    };
}
map_tuples! {
    (A X 0, B Y 1)
    (A X 0, B Y 1, C Z 2)
    (A X 0, B Y 1, C Z 2, D U 3)
    (A X 0, B Y 1, C Z 2, D U 3, E V 4)
    (A X 0, B Y 1, C Z 2, D U 3, E V 4, F W 5)
}
