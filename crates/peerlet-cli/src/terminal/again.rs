//! The command that repeats a run, as a shell takes it.

use std::ffi::{OsStr, OsString};

use peerlet_scenario::{is_steering, pipes_read};

/// This command once more, without its run folder; with this seed alone where one is given. `None`
/// when it read a pipe, which has no content any more.
pub(crate) fn again(seed: Option<u64>) -> Option<String> {
    again_with(seed, "")
}

/// The same with these options as well.
pub(crate) fn again_with(seed: Option<u64>, options: &str) -> Option<String> {
    pipes_read().is_empty().then(|| repeated(std::env::args_os(), seed, options))
}

/// This program as it was called.
pub(crate) fn program() -> String {
    quoted_word(&std::env::args_os().next().unwrap_or_default())
}

fn repeated(
    arguments: impl IntoIterator<Item = OsString>,
    seed: Option<u64>,
    more: &str,
) -> String {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let is_fidelity = typed.get(1).is_some_and(|command| command == "fidelity");
    // Behind `--` there are no options.
    let options = typed.iter().position(|word| word == "--").unwrap_or(typed.len());
    let (options, names) = typed.split_at(options);
    let mut words = Vec::new();
    let mut typed = options.iter().peekable();
    while let Some(typed_word) = typed.next() {
        let word = typed_word.to_string_lossy();
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (&*word, None),
        };
        match name {
            "--trace" => drop(value.is_none().then(|| typed.next_if(|next| is_filter(next)))),
            // What failed was not looked at yet, or is looked at again.
            "--until" | "--show" => drop(value.is_none().then(|| typed.next())),
            "--second-run" => drop(value.is_none().then(|| typed.next())),
            // Another one takes their place.
            "--seed" | "--seeds" if seed.is_some() => drop(value.is_none().then(|| typed.next())),
            "--set" => {
                let next = || typed.next().map(|word| word.to_string_lossy().into_owned());
                let value = value.map(str::to_owned).or_else(next).unwrap_or_default();
                if seed.is_none() || !sets_seed(&value) {
                    words.extend(["--set".to_owned(), quoted(&value)]);
                }
            }
            _ if name.starts_with('-') && !name.starts_with("--") => {
                words.extend(without_folder(&word, &mut typed));
            }
            _ => words.push(quoted_word(typed_word)),
        }
    }
    match seed {
        Some(seed) if is_fidelity => words.push(format!("--seeds {seed}..{seed}")),
        Some(seed) => words.push(format!("--seed {seed}")),
        None => {}
    }
    if !more.is_empty() {
        words.push(more.to_owned());
    }
    words.extend(names.iter().map(|word| quoted_word(word)));
    words.join(" ")
}

/// Whether the word after `--trace` is its filter.
fn is_filter(word: &OsStr) -> bool {
    !word.to_string_lossy().starts_with('-')
}

/// Whether an assignment would override `--seed`.
fn sets_seed(assignment: &str) -> bool {
    let key = assignment.split('=').next().unwrap_or_default();
    key.trim().trim_matches('"') == "seed"
}

/// Short options without `-o DIR`; they may stand together, as in `-qo DIR`.
fn without_folder<T>(word: &str, rest: &mut impl Iterator<Item = T>) -> Option<String> {
    let Some((flags, folder)) = word.split_once('o') else { return Some(quoted(word)) };
    if folder.is_empty() {
        rest.next();
    }
    (flags.len() > 1).then(|| quoted(flags))
}

/// An argument that may be no text, as a shell takes it.
fn quoted_word(word: &OsStr) -> String {
    word.to_str().map_or_else(|| printed(word.as_encoded_bytes()), quoted)
}

/// An argument as a shell takes it; with characters that would steer a terminal or end the line
/// written out.
pub(crate) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if argument.chars().all(plain) && !argument.is_empty() {
        return argument.to_owned();
    }
    // A shell takes line feeds at the end of a command's output away.
    let ends_line = argument.contains('\n') && !argument.ends_with('\n');
    if !argument.contains(is_steering) && !ends_line {
        return format!("'{}'", argument.replace('\'', "'\\''"));
    }
    printed(argument.as_bytes())
}

/// Bytes as the output of `printf`.
fn printed(bytes: &[u8]) -> String {
    let mut format = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '%' => format += "%%",
                '\\' => format += "\\\\",
                '\'' => format += "'\\''",
                _ if is_steering(character) || character == '\n' => {
                    let mut bytes = [0; 4];
                    format += &octal(character.encode_utf8(&mut bytes).as_bytes());
                }
                _ => format.push(character),
            }
        }
        format += &octal(chunk.invalid());
    }
    // A word that begins like an option is none.
    let end = if format.starts_with('-') { "-- " } else { "" };
    format!("\"$(printf {end}'{format}')\"")
}

fn octal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:03o}")).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_command_is_repeated_with_one_seed_and_without_its_folder() {
        let check = |typed: &str, seed, expected: &str| {
            assert_eq!(
                repeated(typed.split('|').map(OsString::from), seed, ""),
                expected,
                "{typed}"
            );
        };
        check("p|sim|a b.toml", None, "p sim 'a b.toml'");
        check("p|sim|--seeds|1..9|-q", Some(3), "p sim -q --seed 3");
        check("p|sim|--seeds=1..9|--set|x='", Some(3), r"p sim --set 'x='\''' --seed 3");
        check("p|sim|--set=a=b c", None, "p sim --set 'a=b c'");
        check("p|sim|--seed|4|--second-run|/tmp/x", None, "p sim --seed 4");
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
        // Behind `--` there are names only.
        check("p|sim|--seed|4|--|-dash.toml", None, "p sim --seed 4 -- -dash.toml");
        check("p|sim|--seeds|1..2|--|x", Some(2), "p sim --seed 2 -- x");
        check("p|sim|--|-o", None, "p sim -- -o");
        check("p|sim|-oout|--|--seed", Some(1), "p sim --seed 1 -- --seed");
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_names_that_are_no_text_as_they_were() {
        use std::os::unix::ffi::OsStrExt;
        for name in [&b"caf\xe9.toml"[..], b"\xff", b"-\xe9'%\\ $x\n."] {
            let line = format!("printf %s {}", quoted_word(OsStr::from_bytes(name)));
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(output.stdout, name, "{line}");
            assert!(line.is_ascii() && !line.contains('\n'), "{line:?}");
        }
        assert!(!quoted("a\nb").contains('\n'));
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
