//! `#[derive(Choice)]`: the ways out of a branch.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result, parse2};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = parse2(item)?;
    let ident = &input.ident;
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(
            ident,
            "`Choice` is derived for an enum: each variant is a way out of a branch",
        ));
    };
    if let Some(variant) = data
        .variants
        .iter()
        .find(|variant| !matches!(variant.fields, Fields::Unit))
    {
        let message = "a way out of a branch carries no data; return that from a task of its own";
        return Err(Error::new_spanned(variant, message));
    }
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let labels: Vec<String> = variants
        .iter()
        .map(|variant| snake_case(&variant.to_string()))
        .collect();
    Ok(quote! {
        impl ::tidemill::__private::Choice for #ident {
            const LABELS: &'static [&'static str] = &[#(#labels),*];

            fn label(&self) -> &'static str {
                match *self { #(Self::#variants => #labels),* }
            }
        }

        impl ::tidemill::__private::serde::Serialize for #ident {
            fn serialize<S: ::tidemill::__private::serde::Serializer>(
                &self,
                to: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                to.serialize_str(::tidemill::__private::Choice::label(self))
            }
        }

        impl<'de> ::tidemill::__private::serde::Deserialize<'de> for #ident {
            fn deserialize<D: ::tidemill::__private::serde::Deserializer<'de>>(
                from: D,
            ) -> ::core::result::Result<Self, D::Error> {
                let label = <::std::string::String as ::tidemill::__private::serde::Deserialize>::deserialize(from)?;
                match label.as_str() {
                    #(#labels => ::core::result::Result::Ok(Self::#variants),)*
                    other => ::core::result::Result::Err(
                        <D::Error as ::tidemill::__private::serde::de::Error>::unknown_variant(
                            other,
                            <Self as ::tidemill::__private::Choice>::LABELS,
                        ),
                    ),
                }
            }
        }

        impl ::tidemill::__private::ParamType for #ident {
            fn kind() -> ::tidemill::__private::ParamKind {
                ::tidemill::__private::ParamKind::Text
            }

            fn limits() -> ::tidemill::__private::Limits {
                ::tidemill::__private::Limits {
                    one_of: ::std::vec![#(::core::convert::Into::into(#labels)),*],
                    ..::core::default::Default::default()
                }
            }
        }
    })
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for (nth, c) in name.chars().enumerate() {
        if c.is_uppercase() && nth > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
