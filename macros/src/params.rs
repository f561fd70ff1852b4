//! `#[params]`: from a struct to what can be given to a run.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{Error, Expr, Field, Fields, ItemStruct, Result, parse2};

use crate::doc;

pub(crate) fn expand(attributes: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !attributes.is_empty() {
        return Err(Error::new_spanned(
            attributes,
            "`#[params]` takes nothing; limits go on the fields: `#[param(max = 10)]`",
        ));
    }
    let mut item: ItemStruct = parse2(item)?;
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "params have no generics: their form must be known",
        ));
    }
    let Fields::Named(fields) = &mut item.fields else {
        return Err(Error::new_spanned(
            &item.ident,
            "params are a struct with named fields: each is a param",
        ));
    };
    for field in &fields.named {
        if mentions(field.ty.to_token_stream(), &item.ident) {
            let message = "params cannot hold themselves: their form would have no end";
            return Err(Error::new_spanned(&field.ty, message));
        }
    }
    let specs = fields.named.iter().map(spec).collect::<Result<Vec<_>>>()?;
    for field in &mut fields.named {
        field
            .attrs
            .retain(|attribute| !attribute.path().is_ident("param"));
    }
    let ident = &item.ident;
    let serde_path = "::tidemill::__private::serde";
    Ok(quote! {
        #[derive(Debug, Clone, PartialEq, ::tidemill::__private::serde::Serialize, ::tidemill::__private::serde::Deserialize)]
        #[serde(crate = #serde_path, deny_unknown_fields)]
        #item

        impl ::tidemill::__private::Params for #ident {
            fn specs() -> ::std::vec::Vec<::tidemill::__private::ParamSpec> {
                ::std::vec![#(#specs),*]
            }
        }

        impl ::tidemill::__private::ParamType for #ident {
            fn kind() -> ::tidemill::__private::ParamKind {
                ::tidemill::__private::ParamKind::Object(<Self as ::tidemill::__private::Params>::specs())
            }
        }
    })
}

/// Whether a type is made of the struct itself, however deep.
fn mentions(tokens: TokenStream, ident: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(found) => found == *ident || found == "Self",
        TokenTree::Group(group) => mentions(group.stream(), ident),
        _ => false,
    })
}

fn spec(field: &Field) -> Result<TokenStream> {
    let ty = &field.ty;
    let name = field
        .ident
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let name = name.strip_prefix("r#").unwrap_or(&name);
    let description = doc::text(&field.attrs);
    let mut settings = Vec::new();
    for attribute in field
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("param"))
    {
        attribute.parse_nested_meta(|meta| {
            let value = |meta: &syn::meta::ParseNestedMeta<'_>| -> Result<Expr> { meta.value()?.parse() };
            let setting = match meta.path.get_ident().map(ToString::to_string).as_deref() {
                Some("default") => {
                    let value = value(&meta)?;
                    quote!(.default_value(#value))
                }
                Some(limit @ ("min" | "max")) => {
                    let (limit, value) = (quote::format_ident!("{limit}"), value(&meta)?);
                    quote!(.limit(|limits| limits.#limit = ::core::option::Option::Some((#value) as f64)))
                }
                Some(limit @ ("length_min" | "length_max")) => {
                    let (limit, value) = (quote::format_ident!("{limit}"), value(&meta)?);
                    quote!(.limit(|limits| limits.#limit = ::core::option::Option::Some(#value)))
                }
                Some("pattern") => {
                    let value = value(&meta)?;
                    quote!(.limit(|limits| limits.pattern = ::core::option::Option::Some(::core::convert::Into::into(#value))))
                }
                Some("one_of") => match value(&meta)? {
                    Expr::Array(values) => {
                        let values = values.elems.iter();
                        quote!(.limit(|limits| limits.one_of = ::std::vec![#(::core::convert::Into::into(#values)),*]))
                    }
                    other => return Err(Error::new_spanned(other, "`one_of` takes a list: `one_of = [\"eu\", \"us\"]`")),
                },
                _ => {
                    let known = "known are default, min, max, length_min, length_max, pattern, one_of";
                    return Err(meta.error(known));
                }
            };
            settings.push(setting);
            Ok(())
        })?;
    }
    Ok(quote! {
        ::tidemill::__private::ParamSpec::of::<#ty>(#name).describe(#description)#(#settings)*
    })
}
