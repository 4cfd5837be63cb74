//! `peerlet new`: a project, whole or not at all, and never over something else. What is in it is
//! compiled and tested by `peerlet`, in `tests/it/template.rs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use crate::command::text;
use crate::secret::Folder;
use crate::tidy::{packages_of, root};

/// Runs `peerlet new` in this folder.
fn new(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerlet"));
    let output = command.arg("new").args(arguments).current_dir(&folder.0).output();
    output.expect("the command runs")
}

/// The files below a folder, by their names.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("it is below").display().to_string();
            found.insert(name, std::fs::read_to_string(&path).expect("it is text"));
        }
    }
    found
}

#[test]
fn a_project_has_its_name_everywhere() {
    let folder = Folder::new("new");
    let output = new(&folder, &["my-rumor2"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("a new project is in `my-rumor2`\n"), "{said}");
    let files = files(&folder.0);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "my-rumor2/.gitignore",
            "my-rumor2/Cargo.toml",
            "my-rumor2/README.md",
            "my-rumor2/scenarios/my-rumor2.toml",
            "my-rumor2/src/lib.rs",
            "my-rumor2/src/main.rs",
            "my-rumor2/tests/simulation.rs",
        ]
    );
    for (name, content) in &files {
        assert!(!content.to_lowercase().contains("template"), "{name}:\n{content}");
    }
    assert!(files["my-rumor2/src/lib.rs"].contains("const NAME: &'static str = \"my_rumor2\";"));
    assert!(files["my-rumor2/src/lib.rs"].contains("pub struct MyRumor2 {"));
    assert!(files["my-rumor2/src/main.rs"].contains("my_rumor2::experiment().main()"));
    assert!(files["my-rumor2/Cargo.toml"].contains("\npeerlet = \"0.1\"\n"));
}

#[test]
fn cargo_reads_a_project_beside_a_checkout_or_in_one() {
    let folder = Folder::new("new-path");
    let checkout = root().join("crates/peerlet");
    let checkout = checkout.to_str().expect("it is text");
    assert_eq!(new(&folder, &["rumor", "--path", checkout]).status.code(), Some(0));
    let packages = packages_of(&folder.0.join("rumor"));
    assert_eq!((packages.len(), &packages[0]["name"]), (1, &"rumor".into()));
    let dependencies = packages[0]["dependencies"].as_array().expect("they are a list");
    assert!(dependencies.iter().any(|dependency| dependency["path"] == checkout), "{packages:?}");

    let outer = "[workspace]\nmembers = []\n";
    std::fs::write(folder.0.join("Cargo.toml"), outer).expect("tests may write there");
    assert_eq!(new(&folder, &["inner", "--path", checkout]).status.code(), Some(0));
    assert_eq!(packages_of(&folder.0.join("inner")).len(), 1);
}

#[test]
fn what_is_there_is_left_alone() {
    let folder = Folder::new("new-there");
    std::fs::create_dir(folder.0.join("rumor")).expect("tests may write there");
    std::fs::write(folder.0.join("gossip"), "mine").expect("tests may write there");
    for name in ["rumor", "gossip"] {
        let output = new(&folder, &[name]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), String::new()));
        let refusal = "exists and is left alone; name another project, or remove it first";
        assert_eq!(text(&output.stderr), format!("error: `{name}` {refusal}\n"));
    }
    assert_eq!(files(&folder.0), [("gossip".to_owned(), "mine".to_owned())].into());
}

#[test]
fn what_cannot_be_a_project_is_not_begun() {
    let folder = Folder::new("new-wrong");
    let refused = |arguments: &[&str], told: &str| {
        let output = new(&folder, arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: ") && said.contains(told), "{said}");
    };
    refused(&["Rumor"], "`Rumor` is no name for a project; use lower-case letters and digits");
    refused(&["../rumor"], "`../rumor` is no name for a project");
    refused(&["match"], "a project cannot be named `match`: the name has another meaning");
    refused(&["rumor", "--path", "."], "`.` is not the folder of the crate `peerlet`");
    assert_eq!(new(&folder, &[]).status.code(), Some(2));
    assert_eq!(std::fs::read_dir(&folder.0).expect("the folder is there").count(), 0);
}
