//! The files that a scenario names: matrices, regions, event lines; and their checksums.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerlet_network::MODELS;
use peerlet_scenario::{Checksum, Problems, SOURCE_BYTES_MAX, Scenario, Sessions, read_file};
use ring::digest::SHA256;

/// The most bytes of a file that a scenario names: of event lines, and of a matrix as well.
pub const BYTES_MAX: u64 = SOURCE_BYTES_MAX;

/// A file that a scenario names.
pub struct Input {
    /// The key that names it, such as `network.file`.
    pub key: String,
    /// Where it is.
    pub path: PathBuf,
    /// The content, where the scenario has read it.
    pub text: Option<Arc<str>>,
}

/// The files that a scenario names.
pub fn all(scenario: &Scenario) -> Vec<Input> {
    let input = |key: String, span: &Range<usize>, name: &str, text| Input {
        key,
        path: scenario.sources.base(span).join(name),
        text,
    };
    let mut all = Vec::new();
    if let Some(network) = &scenario.network {
        let model = MODELS.iter().find(|model| model.name == network.model);
        let paths = model.iter().flat_map(|model| model.parameters);
        for parameter in paths.filter(|parameter| parameter.shape.contains("path")) {
            let Some(part) = network.parameters.get(parameter.name) else { continue };
            let key = format!("network.{}", parameter.name);
            let name = scenario.sources.read::<String>(&part.raw).ok();
            all.extend(name.map(|name| input(key, &part.raw.span, &name, None)));
        }
    }
    for (key, file) in &scenario.event_files {
        all.push(input(key.clone(), &file.span, &file.name, Some(file.text.clone())));
    }
    if let Some(Sessions::Trace(trace)) = scenario.churn.as_ref().map(|churn| &churn.sessions) {
        let file = &trace.file;
        let text = Some(file.text.clone());
        all.push(input("churn.trace".to_owned(), &file.span, &file.name, text));
    }
    all
}

/// Refuses a scenario if a file does not match its checksum.
pub fn check(scenario: &Scenario) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for Checksum { key, sha256, span } in &scenario.run.sha256 {
        let problem = |message: String, help: &str| scenario.sources.problem(span, message, help);
        let Some(input) = all(scenario).into_iter().find(|input| input.key == *key) else {
            let message = format!("there is a checksum for `{key}`, which names no file");
            let help = format!("take it away, as --set run.sha256.{key}= does");
            problems.push(problem(message, &help));
            continue;
        };
        let shown = input.path.display();
        match sum_of(&input.path) {
            Ok(sum) if sum == *sha256 => {}
            Ok(sum) => {
                let message = format!(
                    "`{shown}` is not the file that this scenario was run with: its SHA-256 is \
                     {sum}, and not {sha256}"
                );
                let help =
                    format!("bring the file back, or run with this one by --set run.sha256.{key}=");
                problems.push(problem(message, &help));
            }
            Err(error) => {
                let message = format!("cannot read `{shown}`: {error}");
                let help = format!("bring the file back, or name another by --set {key}=FILE");
                problems.push(problem(message, &help).unreadable());
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// The SHA-256 of a file's content, in hexadecimal.
///
/// # Errors
/// When the file cannot be read, or is longer than [`BYTES_MAX`].
pub fn sum_of(path: &Path) -> io::Result<String> {
    Ok(sha256(&read_file(path, BYTES_MAX)?))
}

/// The SHA-256 of these bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
