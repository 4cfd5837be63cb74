//! The command that repeats a run, as a shell takes it.

use std::ffi::OsString;

use peerlet_scenario::{is_steering, pipes_read};

/// This command once more, without its run folder; with this seed alone where one is given. `None`
/// when it read a pipe, which has no content any more.
pub(crate) fn again(seed: Option<u64>) -> Option<String> {
    pipes_read().is_empty().then(|| repeated(std::env::args_os(), seed))
}

/// This program as it was called.
pub(crate) fn program() -> String {
    quoted(&std::env::args_os().next().unwrap_or_default().to_string_lossy())
}

fn repeated(arguments: impl IntoIterator<Item = OsString>, seed: Option<u64>) -> String {
    let words = arguments.into_iter().map(|word| word.to_string_lossy().into_owned());
    let typed: Vec<String> = words.collect();
    let is_fidelity = typed.get(1).is_some_and(|command| command == "fidelity");
    let (mut words, mut typed) = (Vec::new(), typed.into_iter());
    while let Some(word) = typed.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (word.as_str(), None),
        };
        match name {
            "--trace" => {}
            "--twin" => drop(value.is_none().then(|| typed.next())),
            // Another one takes their place.
            "--seed" | "--seeds" if seed.is_some() => drop(value.is_none().then(|| typed.next())),
            "--set" => {
                let value = value.map(str::to_owned).or_else(|| typed.next()).unwrap_or_default();
                if seed.is_none() || !sets_seed(&value) {
                    words.extend(["--set".to_owned(), quoted(&value)]);
                }
            }
            _ if name.starts_with('-') && !name.starts_with("--") => {
                words.extend(without_folder(&word, &mut typed));
            }
            _ => words.push(quoted(&word)),
        }
    }
    match seed {
        Some(seed) if is_fidelity => words.push(format!("--seeds {seed}..{seed}")),
        Some(seed) => words.push(format!("--seed {seed}")),
        None => {}
    }
    words.join(" ")
}

/// Whether an assignment would override `--seed`.
fn sets_seed(assignment: &str) -> bool {
    let key = assignment.split('=').next().unwrap_or_default();
    key.trim().trim_matches('"') == "seed"
}

/// Short options without `-o DIR`; they may stand together, as in `-qo DIR`.
fn without_folder(word: &str, rest: &mut impl Iterator<Item = String>) -> Option<String> {
    let Some((flags, folder)) = word.split_once('o') else { return Some(quoted(word)) };
    if folder.is_empty() {
        rest.next();
    }
    (flags.len() > 1).then(|| quoted(flags))
}

/// An argument as a shell takes it; with characters that would steer a terminal written out.
pub(crate) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if argument.chars().all(plain) && !argument.is_empty() {
        return argument.to_owned();
    }
    if !argument.contains(is_steering) {
        return format!("'{}'", argument.replace('\'', "'\\''"));
    }
    let mut format = String::new();
    for character in argument.chars() {
        match character {
            '%' => format += "%%",
            '\\' => format += "\\\\",
            '\'' => format += "'\\''",
            _ if is_steering(character) => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    format += &format!("\\{byte:03o}");
                }
            }
            _ => format.push(character),
        }
    }
    format!("\"$(printf '{format}')\"")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_command_is_repeated_with_one_seed_and_without_its_folder() {
        let check = |typed: &str, seed, expected: &str| {
            assert_eq!(repeated(typed.split('|').map(OsString::from), seed), expected, "{typed}");
        };
        check("p|sim|a b.toml", None, "p sim 'a b.toml'");
        check("p|sim|--seeds|1..9|-q", Some(3), "p sim -q --seed 3");
        check("p|sim|--seeds=1..9|--set|x='", Some(3), r"p sim --set 'x='\''' --seed 3");
        check("p|sim|--set=a=b c", None, "p sim --set 'a=b c'");
        check("p|sim|--seed|4|--twin|/tmp/x", None, "p sim --seed 4");
        check("p|sim|--seed|4", Some(5), "p sim --seed 5");
        check("p|sim|x|--set|seed=4|--seeds|1..2", Some(1), "p sim x --seed 1");
        check("p|fidelity|x|--seeds|1..9", Some(3), "p fidelity x --seeds 3..3");
        check("p|fidelity|x", Some(3), "p fidelity x --seeds 3..3");
        check("p|fidelity|x|--seeds|1..9", None, "p fidelity x --seeds 1..9");
        for folder in ["-o|out", "-oout", "-o=out", "-o|out|--trace", "--trace|-o|out"] {
            check(&format!("p|sim|x|{folder}|--json"), None, "p sim x --json");
        }
        check("p|sim|-qo|out|x", None, "p sim -q x");
        check("p|sim|-vqoout|x", None, "p sim -vq x");
        check("p|sim|-vv|x", None, "p sim -vv x");
    }

    #[test]
    fn a_shell_reads_every_argument_as_it_was() {
        for argument in ["", "plain", "a b", "'", "$HOME `x` \"", "a\nb", "\x1b[31m %s \\n'é", "*"]
        {
            let line = format!("printf %s {}", quoted(argument));
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), argument, "{line}");
            assert!(!line.contains('\x1b'), "{line:?}");
        }
    }
}
