//! What the compiler says to those who let a task keep what is lent to a handler.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The newest build of this crate beside the test itself, which is the one that it is linked with.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.parent().expect("it is in a folder");
    let files = folder.read_dir().expect("it can be read").flatten().map(|file| file.path());
    let is_library = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("libpeerlet_core-") && name.ends_with(".rlib")
    };
    let built = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
    files.filter(is_library).max_by_key(built).expect("the library is built before its tests")
}

/// Compiles a peerlet with this handler; returns what the compiler says against it.
fn compile(handler: &str) -> String {
    compile_all(&format!(
        "use peerlet_core::*;
        pub struct Other;
        impl Peerlet for Other {{
            const NAME: &'static str = \"other\";
            type Message = u32;
            type Timer = Nothing;
        }}
        pub struct Tested;
        impl Peerlet for Tested {{
            const NAME: &'static str = \"tested\";
            type Message = u32;
            type Timer = Nothing;
            fn message(&mut self, ctx: &mut Context<Self>, from: Address, _: u32) {{ {handler} }}
        }}"
    ))
}

/// Compiles a library; returns what the compiler says against it.
pub(crate) fn compile_all(source: &str) -> String {
    let library = library();
    let mut rustc = Command::new(Path::new(env!("CARGO")).with_file_name("rustc"))
        .args(["-", "--edition=2024", "--crate-type=lib", "--crate-name=tested"])
        .args(["--emit=metadata", "--color=never", "--out-dir", env!("CARGO_TARGET_TMPDIR")])
        .arg("--extern")
        .arg(format!("peerlet_core={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", library.parent().expect("it is in a folder").display()))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the compiler that built this is there");
    let mut input = rustc.stdin.take().expect("it is piped");
    input.write_all(source.as_bytes()).expect("the compiler reads it");
    drop(input);
    let output = rustc.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stderr).expect("it speaks UTF-8");
    assert_eq!(output.status.success(), !said.contains("error"), "{said}");
    said
}

/// The compiler has one thing to say against the handler, and that is of use.
fn check_refused(handler: &str) {
    let said = compile(handler);
    let errors = said.lines().filter(|line| line.starts_with("error"));
    let errors = errors.filter(|line| !line.contains("aborting")).count();
    assert_eq!(errors, 1, "{said}");
    assert!(said.contains("write `task.with(|peerlet, ctx| ..).await` inside the task"), "{said}");
    for private in ["dyn World", "RefCell", "HostShared", "Column"] {
        assert!(!said.contains(private), "it names {private}: {said}");
    }
}

#[test]
fn a_task_that_takes_its_own_way_compiles() {
    let said = compile(
        "let peers = vec![from];
        ctx.spawn(move |task| async move {
            let calls = peers.iter().map(|peer| task.call(*peer, 1).within(SECOND));
            let answers = join_all(calls).await;
            let (_, first) = race(peers.iter().map(|peer| task.call(*peer, 2))).await;
            let mut set: WaitSet<_> = peers.iter().map(|peer| task.call(*peer, 3)).collect();
            let either = race2(set.next(), task.sleep(SECOND)).await;
            if let (Ok(_), Either::B(())) = (first, either) {
                task.with(move |_, ctx| ctx.send(from, answers.len() as u32)).await;
            }
        });",
    );
    assert!(!said.contains("error"), "{said}");
}

#[test]
fn a_task_that_captures_the_context_is_told_the_way() {
    check_refused(
        "ctx.spawn(move |task| async move {
            task.sleep(SECOND).await;
            ctx.send(from, 2);
        });",
    );
}

#[test]
fn so_is_one_that_captures_a_sibling() {
    check_refused(
        "let Some(other) = ctx.sibling::<Other>() else { return };
        ctx.spawn(move |task| async move {
            task.sleep(SECOND).await;
            drop(other);
        });",
    );
}
