//! Macros for authors of peerlets: parameters, commands and metrics from plain Rust.
//!
//! The code that they write names items by absolute paths, which differ between the users of
//! `peerlet` and those of its parts. So each macro is here once for each crate that re-exports it:
//! `peerlet` has those with plain names, `peerlet-core` and `peerlet-overlay` those that begin with
//! theirs. Take a macro from one of these crates, where its page has examples.

mod commands;
mod help;
mod metrics;
mod parameters;

use proc_macro::TokenStream;
use syn::parse_quote;

/// Makes the parameters of a peerlet from a plain struct; for users of `peerlet`.
#[proc_macro_derive(Parameters, attributes(parameter, parameters))]
pub fn parameters(input: TokenStream) -> TokenStream {
    parameters::expand(input.into(), parse_quote!(::peerlet::overlay)).into()
}

/// Makes the parameters of a peerlet from a plain struct.
#[proc_macro_derive(OverlayParameters, attributes(parameter, parameters))]
pub fn overlay_parameters(input: TokenStream) -> TokenStream {
    parameters::expand(input.into(), parse_quote!(::peerlet_overlay)).into()
}

/// Makes commands from the methods of a peerlet that are marked `#[command]`; for users of
/// `peerlet`.
#[proc_macro_attribute]
pub fn commands(arguments: TokenStream, input: TokenStream) -> TokenStream {
    commands::expand(arguments.into(), input.into(), parse_quote!(::peerlet::core)).into()
}

/// Makes commands from the methods of a peerlet that are marked `#[command]`.
#[proc_macro_attribute]
pub fn core_commands(arguments: TokenStream, input: TokenStream) -> TokenStream {
    commands::expand(arguments.into(), input.into(), parse_quote!(::peerlet_core)).into()
}

/// Declares the metrics that a peerlet records; for users of `peerlet`.
#[proc_macro]
pub fn metrics(input: TokenStream) -> TokenStream {
    metrics::expand(input.into(), parse_quote!(::peerlet::core)).into()
}

/// Declares the metrics that a peerlet records.
#[proc_macro]
pub fn core_metrics(input: TokenStream) -> TokenStream {
    metrics::expand(input.into(), parse_quote!(::peerlet_core)).into()
}
