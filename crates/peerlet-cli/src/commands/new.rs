//! `new`: writes a project with a small peerlet, a scenario and tests, to begin with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::print::print;

#[derive(Args, Debug)]
pub(crate) struct New {
    /// The name of the project and of its folder: lower-case letters, digits, `-` and `_`
    name: String,
    /// The folder of the crate `peerlet` in a checkout, in place of the published crate
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

/// The `Cargo.toml` of a project. It has another name here, where it is none.
const MANIFEST: &str = include_str!("../../template/manifest.toml");

/// The dependency in it.
const PUBLISHED: &str = "peerlet = \"0.1\"";

/// The other files of a project. A test of `peerlet` compiles and runs them as they are.
const FILES: [(&str, &str); 6] = [
    (".gitignore", include_str!("../../template/gitignore")),
    ("README.md", include_str!("../../template/README.md")),
    ("src/lib.rs", include_str!("../../template/src/lib.rs")),
    ("src/main.rs", include_str!("../../template/src/main.rs")),
    ("tests/simulation.rs", include_str!("../../template/tests/simulation.rs")),
    ("scenarios/template-name.toml", include_str!("../../template/scenarios/template-name.toml")),
];

/// The longest name.
const NAME_MAX: usize = 64;

/// Names that a crate or its peerlet cannot have: the words of the language, what Cargo keeps for
/// itself, what the code of the template uses, and what scenarios mean something else by.
const TAKEN: [&str; 4] = [
    "abstract as async await become box break const continue crate do dyn else enum extern false \
     final fn for gen if impl in let loop macro match mod move mut override priv pub ref return \
     self static struct super trait true try type typeof union unsafe unsized use virtual where \
     while yield",
    "alloc build core deps examples incremental proc_macro std test",
    "address clone command commands configured context debug default description deserialize \
     duration exit_code experiment message metric metrics ok option parameters partial_eq peer \
     peerlet result serde serialize some string test_peer vec",
    "bootstrap lookups neighbors network router witness",
];

/// Writes the project into a new folder of its name.
pub(crate) fn run(new: &New) -> Result<Exit, Failure> {
    check_name(&new.name)?;
    let manifest = manifest(new)?;
    let folder = Path::new(&new.name);
    if fs::symlink_metadata(folder).is_ok() {
        return Err(Failure::Io(format!(
            "`{}` exists and is left alone; name another project, or remove it first",
            new.name
        )));
    }
    // Whole or not at all: it gets its name when everything is in it.
    let draft = PathBuf::from(format!(".{}.{}", new.name, std::process::id()));
    let failed = || Failure::io(format!("the project `{}` cannot be written", new.name));
    fs::create_dir(&draft).map_err(failed())?;
    let written = write(&draft, &new.name, &manifest).and_then(|()| fs::rename(&draft, folder));
    if let Err(error) = written {
        // Whether it can be removed changes nothing about the error.
        fs::remove_dir_all(&draft).ok();
        return Err(failed()(error));
    }
    print(&format!(
        "a new project is in `{0}`\n\
         to test it: cd {0} && cargo test\n\
         to run it:  cargo run --release -- sim scenarios/{0}.toml\n",
        new.name
    ))
}

/// A name that a crate, a peerlet and a folder can have.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_word = |word: &str| !word.is_empty() && word.chars().all(is_plain);
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_MAX
        && name.split(['-', '_']).all(is_word);
    if !is_name {
        return Err(Failure::Usage(format!(
            "`{name}` is no name for a project; use lower-case letters and digits, a letter first, \
             with single `-` or `_` between words, {NAME_MAX} characters at most"
        )));
    }
    if TAKEN.iter().any(|names| names.split(' ').any(|taken| taken == snake(name))) {
        return Err(Failure::Usage(format!(
            "a project cannot be named `{name}`: the name has another meaning in its code or in \
             scenarios; choose another one"
        )));
    }
    Ok(())
}

fn snake(name: &str) -> String {
    name.replace('-', "_")
}

/// The name as that of a type.
fn camel(name: &str) -> String {
    let words = name.split(['-', '_']).map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.collect()
}

/// The project's `Cargo.toml`.
fn manifest(new: &New) -> Result<String, Failure> {
    let mut manifest = named(MANIFEST, &new.name);
    if let Some(path) = &new.path {
        let path = checked(path)?;
        let dependency = format!("peerlet = {{ path = \"{path}\" }}");
        manifest = manifest.replace(PUBLISHED, &dependency);
    }
    let here = std::env::current_dir().map_err(Failure::io("the current folder"))?;
    if here.ancestors().any(|folder| folder.join("Cargo.toml").exists()) {
        manifest += "\n# On its own, and no part of the workspace around it.\n[workspace]\n";
    }
    Ok(manifest)
}

/// The absolute path of the crate `peerlet`, as a text in TOML.
fn checked(path: &Path) -> Result<String, Failure> {
    let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
    if !manifest.lines().any(|line| line == "name = \"peerlet\"") {
        return Err(Failure::Usage(format!(
            "`{}` is not the folder of the crate `peerlet`; give `crates/peerlet` of a checkout",
            path.display()
        )));
    }
    let path = fs::canonicalize(path).map_err(Failure::io(path.display()))?;
    match path.to_str() {
        Some(text) if !text.contains(char::is_control) => {
            Ok(text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        _ => Err(Failure::Usage("the path of the crate `peerlet` is no plain text".to_owned())),
    }
}

/// Writes all files into a folder that is there.
fn write(folder: &Path, name: &str, manifest: &str) -> io::Result<()> {
    for (file, text) in FILES {
        let file = folder.join(named(file, name));
        fs::create_dir_all(file.parent().expect("a file is in a folder"))?;
        fs::write(file, named(text, name))?;
    }
    fs::write(folder.join("Cargo.toml"), manifest)
}

/// A text of the template with the project's name in it.
fn named(text: &str, name: &str) -> String {
    let text = text.replace("template_name", &snake(name)).replace("TemplateName", &camel(name));
    text.replace("template-name", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_crates_are_told_from_others() {
        for name in ["rumor", "a", "my-rumor", "my_rumor2", "x1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "a".repeat(NAME_MAX + 1);
        let others = ["", "Rumor", "1a", "a b", "a/b", "..", "-a", "a-", "a--b", "a.b", "ä", &long];
        let taken =
            ["fn", "self", "gen", "test", "peerlet", "serde", "router", "test-peer", "peer"];
        for name in others.into_iter().chain(taken) {
            assert!(matches!(check_name(name), Err(Failure::Usage(_))), "{name}");
        }
    }

    #[test]
    fn names_of_types_are_in_camel_case() {
        assert_eq!(["rumor", "my-rumor_2b"].map(camel), ["Rumor", "MyRumor2b"]);
    }

    #[test]
    fn the_template_has_what_is_replaced() {
        assert!(MANIFEST.contains(PUBLISHED) && MANIFEST.contains("template-name"));
        assert!(FILES.iter().any(|(_, text)| text.contains("TemplateName.raise")));
    }
}
