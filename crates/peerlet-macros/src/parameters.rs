//! `#[derive(Parameters)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Fields, Ident, LitStr, Path, RangeLimits,
    Result, Type,
};

use crate::help;

/// One parameter: a field.
struct Parameter {
    field: Ident,
    /// Its name in scenarios.
    name: String,
    ty: Type,
    default: Option<Expr>,
    range: Option<Expr>,
    unit: Option<LitStr>,
    help: String,
    /// Its `#[cfg(..)]`: where a field is not there, its parameter is not.
    cfgs: Vec<Attribute>,
}

/// The implementations for a struct; `overlay` is the crate that has the trait.
pub(crate) fn expand(input: TokenStream, overlay: Path) -> TokenStream {
    match syn::parse2(input).and_then(|input| derive(&input, overlay)) {
        Ok(code) => code,
        Err(error) => error.into_compile_error(),
    }
}

fn derive(input: &DeriveInput, mut overlay: Path) -> Result<TokenStream> {
    for attribute in with_name(&input.attrs, "parameters") {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("write `crate = path`, the path of `peerlet_overlay`"));
            }
            overlay = meta.value()?.parse()?;
            Ok(())
        })?;
    }
    let parameters = parameters(input)?;
    let (defaults, list, read) = (
        defaults(input, &parameters),
        list(input, &parameters, &overlay),
        serde(input, &parameters, &overlay),
    );
    Ok(quote! { #defaults #list #read })
}

fn with_name<'a>(attributes: &'a [Attribute], name: &str) -> impl Iterator<Item = &'a Attribute> {
    attributes.iter().filter(move |attribute| attribute.path().is_ident(name))
}

/// The parameters of a struct, in order; everything that is wrong with any of them.
fn parameters(input: &DeriveInput) -> Result<Vec<Parameter>> {
    if !input.generics.params.is_empty() {
        let message = "parameters are plain values; take the generics away";
        return Err(Error::new_spanned(&input.generics, message));
    }
    let none = syn::punctuated::Punctuated::new();
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            Fields::Unit => &none,
            Fields::Unnamed(fields) => {
                return Err(Error::new_spanned(fields, "name the fields: parameters have names"));
            }
        },
        Data::Enum(_) | Data::Union(_) => {
            let message = "parameters are the fields of a struct; make this one";
            return Err(Error::new_spanned(&input.ident, message));
        }
    };
    let (mut found, mut errors) = (Vec::new(), None::<Error>);
    for field in fields {
        match parameter(field) {
            Ok(parameter) => found.push(parameter),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    errors.map_or(Ok(found), Err)
}

fn parameter(field: &Field) -> Result<Parameter> {
    let ident = field.ident.clone().expect("the field is named");
    let mut parameter = Parameter {
        name: ident.unraw().to_string(),
        field: ident,
        ty: field.ty.clone(),
        default: None,
        range: None,
        unit: None,
        help: help::of(&field.attrs),
        cfgs: with_name(&field.attrs, "cfg").cloned().collect(),
    };
    for attribute in with_name(&field.attrs, "parameter") {
        attribute.parse_nested_meta(|meta| parameter.read(&meta))?;
    }
    Ok(parameter)
}

impl Parameter {
    /// Reads one key of `#[parameter(..)]`.
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("default") {
            once(meta, &mut self.default)
        } else if meta.path.is_ident("range") {
            once(meta, &mut self.range)?;
            self.range.as_ref().map_or(Ok(()), check_ends)
        } else if meta.path.is_ident("unit") {
            once(meta, &mut self.unit)
        } else if meta.path.is_ident("help") {
            let mut help = None::<LitStr>;
            once(meta, &mut help)?;
            self.help = help.map(|help| help.value()).unwrap_or_default();
            Ok(())
        } else {
            Err(meta
                .error("a parameter has `default`, `range`, `unit` and `help`; write one of these"))
        }
    }
}

/// Reads the value of a key that may be there once.
fn once<T: syn::parse::Parse>(meta: &ParseNestedMeta<'_>, place: &mut Option<T>) -> Result<()> {
    if place.is_some() {
        return Err(meta.error("this is said twice; leave one"));
    }
    *place = Some(meta.value()?.parse()?);
    Ok(())
}

/// A range is written with both its ends, which are allowed themselves: the error texts name both.
fn check_ends(range: &Expr) -> Result<()> {
    let Expr::Range(written) = range else { return Ok(()) };
    let is_closed = matches!(written.limits, RangeLimits::Closed(_));
    if is_closed && written.start.is_some() && written.end.is_some() {
        return Ok(());
    }
    Err(Error::new_spanned(range, "write the range with both its ends, such as `1..=10`"))
}

/// `Default`.
fn defaults(input: &DeriveInput, parameters: &[Parameter]) -> TokenStream {
    let ident = &input.ident;
    let fields =
        parameters.iter().map(|Parameter { field, ty, default, cfgs, .. }| match default {
            Some(value) => quote! { #(#cfgs)* #field: #value },
            None => quote_spanned! { ty.span() =>
                #(#cfgs)* #field: <#ty as ::core::default::Default>::default()
            },
        });
    quote! {
        #[automatically_derived]
        impl ::core::default::Default for #ident {
            fn default() -> Self {
                Self { #(#fields,)* }
            }
        }
    }
}

/// The list of the parameters, and the check of their ranges.
fn list(input: &DeriveInput, parameters: &[Parameter], overlay: &Path) -> TokenStream {
    let ident = &input.ident;
    let entries = parameters.iter().map(|Parameter { name, help, unit, cfgs, .. }| {
        let unit = unit.as_ref().map(|unit| quote! { .unit(#unit) });
        quote! { #(#cfgs)* #overlay::Parameter::new(#name, #help) #unit }
    });
    let checks = parameters.iter().filter_map(|Parameter { field, name, range, cfgs, .. }| {
        let range = range.as_ref()?;
        Some(quote! { #(#cfgs)* #overlay::__macros::check_in(#name, &self.#field, &(#range))?; })
    });
    quote! {
        #[automatically_derived]
        impl #overlay::Parameters for #ident {
            const PARAMETERS: &'static [#overlay::Parameter] = &[#(#entries,)*];

            fn check(&self) -> ::core::result::Result<(), #overlay::ConfigError> {
                #(#checks)*
                ::core::result::Result::Ok(())
            }
        }
    }
}

/// `Serialize` and `Deserialize`, as serde derives them for a struct that has the same fields:
/// those that are left out have their defaults, and others are refused.
fn serde(input: &DeriveInput, parameters: &[Parameter], overlay: &Path) -> TokenStream {
    let ident = &input.ident;
    let fields = parameters.iter().map(|Parameter { field, ty, cfgs, .. }| {
        quote! { #(#cfgs)* #field: #ty }
    });
    let serde = quote! { #overlay::__macros::serde };
    let (path, remote) = (serde.to_token_stream().to_string(), ident.to_string());
    let name = ident.unraw().to_string();
    quote! {
        const _: () = {
            #[derive(#serde::Serialize, #serde::Deserialize)]
            #[serde(crate = #path, remote = #remote, rename = #name)]
            #[serde(default, deny_unknown_fields, bound(deserialize = ""))]
            // It only describes the fields of the author's struct to serde, and is never built. The
            // lints are those of the author's crate, which may not have them on.
            #[allow(dead_code, non_camel_case_types)]
            struct __PeerletParameters { #(#fields,)* }

            #[automatically_derived]
            impl #serde::Serialize for #ident {
                fn serialize<S: #serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    __PeerletParameters::serialize(self, serializer)
                }
            }

            #[automatically_derived]
            impl<'de> #serde::Deserialize<'de> for #ident {
                fn deserialize<D: #serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::core::result::Result<Self, D::Error> {
                    __PeerletParameters::deserialize(deserializer)
                }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    /// Everything that is said against this struct.
    fn check(input: DeriveInput, expected: &[&str]) {
        let error = derive(&input, parse_quote!(::peerlet_overlay)).expect_err("it is refused");
        let told: Vec<String> = error.into_iter().map(|error| error.to_string()).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_a_remedy() {
        check(
            parse_quote! {
                struct Config {
                    #[parameter(range = 1..10)]
                    one: u32,
                    #[parameter(range = 1..)]
                    two: u32,
                    #[parameter(min = 1)]
                    three: u32,
                    #[parameter(unit = "s", unit = "m")]
                    four: u32,
                }
            },
            &[
                "write the range with both its ends, such as `1..=10`",
                "write the range with both its ends, such as `1..=10`",
                "a parameter has `default`, `range`, `unit` and `help`; write one of these",
                "this is said twice; leave one",
            ],
        );
    }

    #[test]
    fn what_is_no_struct_of_plain_fields_is_refused() {
        let remedy = "parameters are plain values; take the generics away";
        check(
            parse_quote!(
                struct Config<T> {
                    one: T,
                }
            ),
            &[remedy],
        );
        check(
            parse_quote!(
                struct Config(u32);
            ),
            &["name the fields: parameters have names"],
        );
        let remedy = "parameters are the fields of a struct; make this one";
        check(
            parse_quote!(
                enum Config {
                    One,
                }
            ),
            &[remedy],
        );
        let remedy = "write `crate = path`, the path of `peerlet_overlay`";
        check(
            parse_quote!(
                #[parameters(path = x)]
                struct Config {
                    one: u32,
                }
            ),
            &[remedy],
        );
    }

    #[test]
    fn a_crate_of_another_name_can_be_given() {
        let input = parse_quote!(
            #[parameters(crate = other::overlay)]
            struct Config;
        );
        let code = derive(&input, parse_quote!(::peerlet_overlay)).expect("it is in order");
        let code = code.to_string();
        assert!(code.contains("other :: overlay :: Parameters for Config"), "{code}");
        assert!(!code.contains("peerlet_overlay"), "{code}");
    }
}
