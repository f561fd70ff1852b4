//! `#[task]`: from a function to a type that the registry can hold.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, LitStr, PatType, Result, ReturnType, Type, parse2};

use crate::doc;

pub(crate) fn expand(attributes: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = parse2(item)?;
    let given_name = parse_name(attributes)?;
    check(&function)?;
    let (context, arguments) = split(&function)?;

    let ident = &function.sig.ident;
    let visibility = &function.vis;
    let attributes = &function.attrs;
    let asyncness = &function.sig.asyncness;
    let output = &function.sig.output;
    let block = &function.block;
    let returned = returned(&function)?;
    let doc = doc::text(attributes);
    let plain = attributes
        .iter()
        .filter(|attribute| !attribute.path().is_ident("doc"));
    let name = match given_name {
        Some(name) => quote!(#name),
        None => quote!(::core::concat!(
            ::core::module_path!(),
            "::",
            ::core::stringify!(#ident)
        )),
    };
    let blocking = asyncness.is_none();
    let await_it = asyncness.map(|_| quote!(.await));
    let types: Vec<&Type> = arguments.iter().map(|argument| &*argument.ty).collect();
    // Where an argument's type is no good, the compiler points at it and not at the attribute.
    let place = types.first().map_or_else(|| ident.span(), |ty| ty.span());
    let args = quote_spanned!(place=> (#(#types,)*));
    let names: Vec<_> = (0..arguments.len())
        .map(|nth| format_ident!("argument_{nth}"))
        .collect();
    let (context_parameter, context_argument) = match context {
        Some(context) => (quote!(#context,), quote!(ctx,)),
        None => (quote!(), quote!()),
    };
    // A type without a value of its name, and a function: `let load = dag.call("load", load, …)` shadows the function,
    // where the name of a unit struct would be a pattern.
    Ok(quote! {
        #[doc = #doc]
        #[allow(non_camel_case_types, reason = "the task is named as its function")]
        #[derive(Debug, Clone, Copy)]
        #visibility struct #ident {}

        #[doc = #doc]
        #visibility const fn #ident() -> #ident {
            #ident {}
        }

        impl #ident {
            /// The function itself, for tests.
            ///
            /// # Errors
            /// What the task reports.
            #[allow(dead_code, clippy::unused_async, reason = "the author's function, as it was written")]
            #(#plain)*
            #visibility #asyncness fn run(#context_parameter #(#arguments),*) #output #block
        }

        impl ::tidemill::__private::TaskFn for #ident {
            const NAME: &'static str = #name;
            const BLOCKING: bool = #blocking;
            const DOC: &'static str = #doc;
            type Args = #args;
            type Output = <#returned as ::tidemill::__private::Returned>::Output;

            async fn call(
                ctx: &::tidemill::__private::TaskContext,
                (#(#names,)*): Self::Args,
            ) -> ::tidemill::__private::TaskResult<Self::Output> {
                let _ = ctx;
                #ident::run(#context_argument #(#names),*) #await_it
            }
        }
    })
}

fn returned(function: &ItemFn) -> Result<&Type> {
    match &function.sig.output {
        ReturnType::Type(_, returned) => Ok(returned),
        ReturnType::Default => Err(Error::new_spanned(
            &function.sig,
            "a task returns `TaskResult<T>`",
        )),
    }
}

/// Reads `name = "crm.pull"`.
fn parse_name(attributes: TokenStream) -> Result<Option<LitStr>> {
    let mut name = None;
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            name = Some(meta.value()?.parse()?);
            Ok(())
        } else {
            Err(meta.error("`#[task]` takes `name = \"…\"` and nothing else"))
        }
    });
    syn::parse::Parser::parse2(parser, attributes)?;
    Ok(name)
}

fn check(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if !signature.generics.params.is_empty() || signature.generics.where_clause.is_some() {
        let message = "a task has no generics: its arguments are read from JSON, so their types must be known";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    if let Some(receiver) = signature.receiver() {
        return Err(Error::new_spanned(
            receiver,
            "a task is a free function; pass what it needs as arguments",
        ));
    }
    Ok(())
}

/// The context, if the function takes it, and the other arguments.
fn split(function: &ItemFn) -> Result<(Option<&PatType>, Vec<&PatType>)> {
    let mut context = None;
    let mut arguments = Vec::new();
    for (nth, input) in function.sig.inputs.iter().enumerate() {
        let FnArg::Typed(argument) = input else {
            continue;
        };
        match &*argument.ty {
            Type::Reference(reference) if nth == 0 && is_context(&reference.elem) => {
                context = Some(argument)
            }
            Type::Reference(reference) if is_context(&reference.elem) => {
                return Err(Error::new_spanned(
                    reference,
                    "`ctx: &TaskContext` is the first argument of a task",
                ));
            }
            ty if is_context(ty) => {
                return Err(Error::new_spanned(
                    ty,
                    "a task borrows its context: `ctx: &TaskContext`, as the first argument",
                ));
            }
            Type::Reference(reference) => {
                let message = "a task's arguments are owned values, because they are read from JSON: \
                               use `String` instead of `&str`, `Vec<T>` instead of `&[T]`";
                return Err(Error::new_spanned(reference, message));
            }
            _ => arguments.push(argument),
        }
    }
    if let Some(seventh) = arguments.get(6) {
        let message =
            "a task has at most six arguments besides the context; put more into a struct";
        return Err(Error::new_spanned(seventh, message));
    }
    Ok((context, arguments))
}

fn is_context(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "TaskContext"))
}
