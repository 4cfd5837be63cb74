//! The line at the foot of a terminal that is written over and over, on standard error.
//!
//! All other output to standard error while it is shown comes through here, so that it stands on
//! a line of its own.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use peerlet_scenario::printable;

/// Whether standard error is a terminal that can write over a line.
pub(crate) fn is_possible() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Shows this in place of what was shown before.
pub(crate) fn show(text: &str) {
    // A terminal that went away is nobody's loss.
    line().show(&printable(text)).ok();
}

/// Takes the line away.
pub(crate) fn clear() {
    line().clear().ok();
}

/// Says something that stays, on a line of its own.
pub(crate) fn say(text: &str) {
    draw(&format!("{}\n", printable(text)));
}

/// Says something that stays as it is: it is known to be fit for a terminal.
pub(crate) fn draw(text: &str) {
    line().write_all(text.as_bytes()).ok();
}

/// Puts this before each line of the log and before errors, from now on: which of several runs they
/// are of.
pub(crate) fn label(text: &str) {
    text.clone_into(&mut lock(&LABEL));
}

/// The same for what this thread says, which has the run to itself.
pub(crate) fn label_thread(text: &str) {
    THREAD_LABEL.set(text.to_owned());
}

/// The present label.
pub(crate) fn labeled() -> String {
    let own = THREAD_LABEL.with_borrow(String::clone);
    if own.is_empty() { lock(&LABEL).clone() } else { own }
}

static LABEL: Mutex<String> = Mutex::new(String::new());

thread_local! {
    static THREAD_LABEL: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Standard error for everybody who writes whole lines.
pub(crate) struct Log;

impl Write for Log {
    /// Others' words are in logs as well.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        line().write_all(format!("{}{}", labeled(), printable(&text)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        line().flush()
    }
}

static LINE: LazyLock<Mutex<StatusLine<io::Stderr>>> =
    LazyLock::new(|| Mutex::new(StatusLine { out: io::stderr(), is_shown: false }));

fn line() -> MutexGuard<'static, StatusLine<io::Stderr>> {
    lock(&LINE)
}

/// A panic elsewhere left nothing half-done behind these locks.
fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Back to the first column and nothing right of it.
const CLEAR: &str = "\r\x1b[K";
/// Around a text: what does not fit is cut off, since a line that wraps cannot be taken back.
const UNWRAPPED: (&str, &str) = ("\x1b[?7l", "\x1b[?7h");

struct StatusLine<W> {
    out: W,
    is_shown: bool,
}

impl<W: Write> StatusLine<W> {
    fn show(&mut self, text: &str) -> io::Result<()> {
        self.is_shown = true;
        let (begin, end) = UNWRAPPED;
        self.out.write_all(format!("{CLEAR}{begin}{text}{end}").as_bytes())?;
        self.out.flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_shown) {
            self.out.write_all(CLEAR.as_bytes())?;
            self.out.flush()?;
        }
        Ok(())
    }
}

impl<W: Write> Write for StatusLine<W> {
    /// Writes all of it, so that nothing comes between.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.clear()?;
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(act: impl FnOnce(&mut StatusLine<Vec<u8>>) -> io::Result<()>) -> String {
        let mut line = StatusLine { out: Vec::new(), is_shown: false };
        act(&mut line).expect("a vector takes all");
        String::from_utf8(line.out).expect("it is text")
    }

    #[test]
    fn what_is_shown_is_gone_before_anything_else_is_written() {
        let text = written(|line| {
            line.show("1 %")?;
            line.show("2 %")?;
            writeln!(line, "a warning")?;
            line.show("3 %")?;
            line.clear()
        });
        let [one, two, three] =
            ["1 %", "2 %", "3 %"].map(|percent| format!("\r\x1b[K\x1b[?7l{percent}\x1b[?7h"));
        assert_eq!(text, format!("{one}{two}\r\x1b[Ka warning\n{three}\r\x1b[K"));
    }

    #[test]
    fn where_nothing_is_shown_nothing_is_cleared() {
        let text = written(|line| {
            line.clear()?;
            writeln!(line, "a warning")
        });
        assert_eq!(text, "a warning\n");
    }
}
