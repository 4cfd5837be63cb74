//! The command that repeats this one.

/// Options of this command that are not for repeating it, each with a value.
const LEFT_OUT: [&str; 2] = ["--seeds", "--twin"];

/// This command once more, as a shell takes it; of several seeds with this one alone.
pub(crate) fn again(seed: Option<u64>) -> String {
    repeated(std::env::args(), seed)
}

fn repeated(arguments: impl IntoIterator<Item = String>, seed: Option<u64>) -> String {
    let (mut words, mut arguments) = (Vec::new(), arguments.into_iter());
    while let Some(argument) = arguments.next() {
        let name = argument.split('=').next().unwrap_or_default();
        match LEFT_OUT.contains(&name) {
            false => words.push(quoted(&argument)),
            true if name == argument => drop(arguments.next()),
            true => {}
        }
    }
    if let Some(seed) = seed {
        words.push(format!("--seed {seed}"));
    }
    words.join(" ")
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match argument.chars().all(plain) && !argument.is_empty() {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_repeated_with_one_seed() {
        let check = |typed: &[&str], seed, expected: &str| {
            assert_eq!(repeated(typed.iter().map(|word| (*word).to_owned()), seed), expected);
        };
        check(&["p", "sim", "a b.toml"], None, "p sim 'a b.toml'");
        check(&["p", "sim", "--seeds", "1..9", "-q"], Some(3), "p sim -q --seed 3");
        check(
            &["p", "sim", "--seeds=1..9", "--set", "x='"],
            Some(3),
            r"p sim --set 'x='\''' --seed 3",
        );
        check(&["p", "sim", "--seed", "4", "--twin", "/tmp/x"], None, "p sim --seed 4");
    }
}
