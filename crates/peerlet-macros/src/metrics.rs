//! `metrics!`.

use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Generics, Ident, LitStr, Path, Result, Token, Type, Visibility, braced,
    parenthesized, token,
};

use crate::help;

/// `METRICS for Hello { .. }`; where the peerlet has type parameters,
/// `impl<T> METRICS for Hello<T> { .. }`.
struct Declaration {
    generics: Generics,
    visibility: Visibility,
    list: Ident,
    peerlet: Type,
    metrics: Punctuated<Metric, Token![,]>,
}

/// `/// Help.` and `NAME: kind.unit("s")`.
struct Metric {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    handle: Ident,
    kind: Ident,
    /// The name, where it is not that of the handle.
    name: Option<LitStr>,
    /// Calls on the metric: its unit, its quantum and its tags.
    calls: TokenStream,
}

/// The constant of all metrics and their handles; `core` is the crate that has the traits.
pub(crate) fn expand(input: TokenStream, core: Path) -> TokenStream {
    match syn::parse2::<Declaration>(input) {
        Ok(declaration) => declaration.code(&core),
        Err(error) => error.into_compile_error(),
    }
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> Result<Declaration> {
        let mut generics = match input.parse::<Option<Token![impl]>>()? {
            Some(_) => input.parse()?,
            None => Generics::default(),
        };
        let visibility = input.parse()?;
        let begins = "begin with the name of the list and the peerlet: `METRICS for Hello { .. }`";
        let list = input.parse().map_err(|error| syn::Error::new(error.span(), begins))?;
        if !input.peek(Token![for]) {
            return Err(input.error(begins));
        }
        input.parse::<Token![for]>()?;
        let peerlet = input.parse()?;
        generics.where_clause = input.parse()?;
        let inner;
        braced!(inner in input);
        let metrics = inner.parse_terminated(Metric::parse, Token![,])?;
        Ok(Declaration { generics, visibility, list, peerlet, metrics })
    }
}

impl Parse for Metric {
    fn parse(input: ParseStream<'_>) -> Result<Metric> {
        let attributes = input.call(Attribute::parse_outer)?;
        if let Some(cfg) = attributes.iter().find(|attribute| attribute.path().is_ident("cfg")) {
            let message = "a metric is always there: take `cfg` away, or make two lists";
            return Err(syn::Error::new_spanned(cfg, message));
        }
        let (visibility, handle) = (input.parse()?, input.parse()?);
        input.parse::<Token![:]>()?;
        let kind: Ident = input.parse()?;
        if !["counter", "gauge", "histogram"].iter().any(|known| kind == known) {
            let message = "a metric is a `counter`, a `gauge` or a `histogram`";
            return Err(syn::Error::new(kind.span(), message));
        }
        let mut name = None;
        if input.peek(token::Paren) {
            let inner;
            parenthesized!(inner in input);
            name = inner.parse()?;
        }
        if !input.is_empty() && !input.peek(Token![,]) && !input.peek(Token![.]) {
            return Err(input.error("go on with `.unit(\"s\")`, `.quantum(1e-9)` or a comma"));
        }
        let mut calls = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            calls.extend([input.parse::<TokenTree>()?]);
        }
        Ok(Metric { attributes, visibility, handle, kind, name, calls })
    }
}

impl Declaration {
    fn code(&self, core: &Path) -> TokenStream {
        let Declaration { visibility, list, metrics, .. } = self;
        let entries = metrics.iter().map(|metric| metric.entry(core));
        let handles =
            metrics.iter().zip(0..).map(|(metric, place)| self.handle(metric, place, core));
        quote! {
            #[doc = "The metrics, in the order of their places."]
            #visibility const #list: &[#core::Metric] = &[#(#entries,)*];
            #(#handles)*
        }
    }

    /// The handle of the metric at this place: a type with one value, both of the same name.
    fn handle(&self, metric: &Metric, place: u16, core: &Path) -> TokenStream {
        let Declaration { generics, list, peerlet, .. } = self;
        let Metric { attributes, visibility, handle, .. } = metric;
        let (generics, _, bounds) = generics.split_for_impl();
        let index = usize::from(place);
        let tagged = metric.has_tags().then(|| {
            quote_spanned! { handle.span() =>
                impl #handle {
                    /// Attaches a value to each tag, given by its index.
                    #[allow(dead_code)]
                    #visibility const fn tagged<const N: usize>(
                        self,
                        values: [usize; N],
                    ) -> #core::Tagged<#handle, N> {
                        #core::Tagged::new(self, values)
                    }
                }
            }
        });
        quote_spanned! { handle.span() =>
            #(#attributes)*
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
            #visibility struct #handle;

            #tagged

            #[automatically_derived]
            impl #generics #core::MetricOf<#peerlet> for #handle #bounds {
                const LISTED: ::core::option::Option<(u16, #core::Metric)> =
                    ::core::option::Option::Some((#place, #list[#index]));

                fn metric(self) -> #core::Metric {
                    #list[#index]
                }
            }
        }
    }
}

impl Metric {
    /// Whether one of the calls adds a tag.
    fn has_tags(&self) -> bool {
        let is_tag = |token: TokenTree| matches!(token, TokenTree::Ident(name) if name == "tag");
        self.calls.clone().into_iter().any(is_tag)
    }

    fn entry(&self, core: &Path) -> TokenStream {
        let Metric { attributes, handle, kind, name, calls, .. } = self;
        let own = || LitStr::new(&handle.unraw().to_string().to_lowercase(), handle.span());
        let (name, help) = (name.clone().unwrap_or_else(own), help::of(attributes));
        quote! { #core::Metric::#kind(#name).help(#help) #calls }
    }
}
