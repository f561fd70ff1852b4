//! The macros of Tidemill: `#[task]`, `#[params]`, `#[derive(Choice)]`. What they write refers to the crate `tidemill`,
//! which re-exports them; nobody depends on this crate directly.

mod choice;
mod doc;
mod params;
mod task;

use proc_macro::TokenStream;

/// Makes a task of a function: `#[task] async fn pull(ctx: &TaskContext, day: NaiveDate) -> TaskResult<Vec<String>>`.
///
/// The context may be left out; the other arguments are owned values that JSON can hold. A function that is not
/// `async` may block: it gets a thread of its own. The name under which it is stored is its module path and name;
/// `#[task(name = "crm.pull")]` keeps it when the code moves. In tests it is called as `pull::run(&ctx, day)`.
#[proc_macro_attribute]
pub fn task(attributes: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(attributes.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes params of a struct: what can be given to a run, with its form and its checks.
///
/// Doc comments are descriptions. `#[param(default = 500, min = 1, max = 1000)]` sets a default and limits; also
/// `length_min`, `length_max`, `pattern = "[a-z]+"` and `one_of = ["eu", "us"]`. A field without a default has to be
/// given, an `Option` need not.
#[proc_macro_attribute]
pub fn params(attributes: TokenStream, item: TokenStream) -> TokenStream {
    params::expand(&attributes.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Makes the ways out of a branch of a fieldless enum; their labels are the variants in `snake_case`.
#[proc_macro_derive(Choice)]
pub fn choice(item: TokenStream) -> TokenStream {
    choice::expand(item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
