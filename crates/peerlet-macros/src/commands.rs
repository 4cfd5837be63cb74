//! `#[commands]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, ImplItem, ImplItemFn, Item, ItemImpl, Meta, Pat, Path, ReceiverKind,
    Result, ReturnType, Type,
};

use crate::help;

/// One command: a method.
struct Command {
    method: syn::Ident,
    help: String,
    /// Whether the method asks for the context.
    takes_context: bool,
    arguments: Vec<(String, Type)>,
    /// Its `#[cfg(..)]`: where a method is not there, its command is not.
    cfgs: Vec<Attribute>,
}

/// The `impl` block, and the implementation of `Commands`; `core` is the crate that has the trait.
/// A block with errors stays, so that they are the only ones.
pub(crate) fn expand(arguments: TokenStream, input: TokenStream, mut core: Path) -> TokenStream {
    let read = syn::meta::parser(|meta: ParseNestedMeta<'_>| {
        if !meta.path.is_ident("crate") {
            return Err(meta.error("write `crate = path`, the path of `peerlet_core`, or nothing"));
        }
        core = meta.value()?.parse()?;
        Ok(())
    });
    let mut block = match read.parse2(arguments).and_then(|()| block(input.clone())) {
        Ok(block) => block,
        Err(error) => {
            let error = error.into_compile_error();
            return quote! { #input #error };
        }
    };
    let code = commands(&mut block).map(|commands| implementation(&block, &commands, &core));
    let code = code.unwrap_or_else(Error::into_compile_error);
    quote! { #block #code }
}

fn block(input: TokenStream) -> Result<ItemImpl> {
    const REMEDY: &str = "put `#[commands]` on the `impl` block of the peerlet's own methods";
    match syn::parse2(input)? {
        Item::Impl(block) => match &block.trait_ {
            None => Ok(block),
            Some((path, _)) => Err(Error::new_spanned(path, REMEDY)),
        },
        other => Err(Error::new_spanned(other, REMEDY)),
    }
}

/// The commands of a block, whose marks are taken away; everything that is wrong with any of them.
fn commands(block: &mut ItemImpl) -> Result<Vec<Command>> {
    let (mut found, mut errors, mut is_marked) = (Vec::new(), None::<Error>, false);
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let is_mark = |attribute: &Attribute| attribute.path().is_ident("command");
        let Some(place) = method.attrs.iter().position(is_mark) else { continue };
        is_marked = true;
        let mark = method.attrs.remove(place);
        match check_mark(&mark).and_then(|()| command(method)) {
            Ok(command) => found.push(command),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    if !is_marked {
        let message = "no method is marked; write `#[command]` on each that scenarios may call";
        return Err(Error::new_spanned(&block.self_ty, message));
    }
    errors.map_or(Ok(found), Err)
}

fn check_mark(mark: &Attribute) -> Result<()> {
    match &mark.meta {
        Meta::Path(_) => Ok(()),
        _ => Err(Error::new_spanned(mark, "write `#[command]`: the method says all of it")),
    }
}

fn command(method: &ImplItemFn) -> Result<Command> {
    let signature = &method.sig;
    if let Some(asyncness) = &signature.asyncness {
        let message = "a command does not wait; start a task in it with `ctx.spawn(..)`";
        return Err(Error::new_spanned(asyncness, message));
    }
    if !signature.generics.params.is_empty() {
        let message = "an argument of a command has one type; take the generics away";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        let message = "nobody gets what a command returns; let it return nothing";
        return Err(Error::new_spanned(ty, message));
    }
    let is_borrowed = |kind: &ReceiverKind| matches!(kind, ReceiverKind::Reference(..));
    if !signature.receiver().is_some_and(|receiver| is_borrowed(&receiver.kind)) {
        let message = "a command is called on its peerlet; begin with `&mut self`";
        return Err(Error::new_spanned(&signature.ident, message));
    }
    let mut typed = signature.inputs.iter().skip(1).peekable();
    let takes_context = typed.next_if(|input| is_context(input)).is_some();
    let arguments = typed.map(argument).collect::<Result<_>>()?;
    let help = help::of(&method.attrs);
    let is_cfg = |attribute: &&Attribute| attribute.path().is_ident("cfg");
    let cfgs = method.attrs.iter().filter(is_cfg).cloned().collect();
    Ok(Command { method: signature.ident.clone(), help, takes_context, arguments, cfgs })
}

fn is_context(input: &FnArg) -> bool {
    let FnArg::Typed(input) = input else { return false };
    let Type::Reference(reference) = &*input.ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Context")
}

/// The name and the type of an argument.
fn argument(input: &FnArg) -> Result<(String, Type)> {
    let FnArg::Typed(input) = input else {
        return Err(Error::new_spanned(input, "`self` comes first"));
    };
    let Pat::Ident(name) = &*input.pat else {
        let message = "give the argument a name: scenarios show it";
        return Err(Error::new_spanned(&input.pat, message));
    };
    if let Type::Reference(reference) = &*input.ty {
        let message = if is_context(&FnArg::Typed(input.clone())) {
            "the context comes first, behind `&mut self`"
        } else {
            "a command owns its arguments; write `String` for a text"
        };
        return Err(Error::new_spanned(reference, message));
    }
    let name = name.ident.unraw().to_string();
    Ok((name.trim_start_matches('_').to_owned(), (*input.ty).clone()))
}

/// The implementation of `Commands`.
fn implementation(block: &ItemImpl, commands: &[Command], core: &Path) -> TokenStream {
    let (generics, _, bounds) = block.generics.split_for_impl();
    let ty = &block.self_ty;
    let declared = commands.iter().map(|command| {
        let Command { method, help, takes_context, arguments, cfgs } = command;
        let name = method.unraw().to_string();
        let parameters = arguments.iter().map(|(name, ty)| {
            quote_spanned! { ty.span() => .parameter::<#ty>(#name) }
        });
        let values = arguments.iter().map(|(name, ty)| {
            quote_spanned! { ty.span() => command.get::<#ty>(#name) }
        });
        // What is not used has a name that says so.
        let ctx = format_ident!("{}ctx", if *takes_context { "" } else { "_" });
        let command = format_ident!("{}command", if arguments.is_empty() { "_" } else { "" });
        let context = takes_context.then(|| quote! { #ctx, });
        quote! {
            #(#cfgs)*
            about.answers(
                #core::Signature::new(#name).help(#help) #(#parameters)*,
                |me, #ctx, #command| Self::#method(me, #context #(#values,)*),
            );
        }
    });
    quote! {
        #[automatically_derived]
        impl #generics #core::Commands for #ty #bounds {
            fn declare(about: &mut #core::Description<Self>) {
                #(#declared)*
            }
        }
    }
}
