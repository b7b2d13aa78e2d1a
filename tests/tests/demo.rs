//! The demo, as `cargo xtask demo` starts it, only shorter.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use twinkey_tests::{program, text};

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("twinkey-demo"));
    command
        .args(["--plain", "--rotations", "3"])
        .args(arguments)
        .stdin(Stdio::null());
    command
}

#[test]
fn the_demo_holds_what_it_promises_and_draws_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let picture = directory.path().join("timeline.svg");
    let output = demo(&["--picture", picture.to_str().expect("a path")])
        .output()
        .expect("the demo starts");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert_eq!(
        said.lines().filter(|line| line.starts_with("ok ")).count(),
        7,
        "{said}"
    );
    let svg = std::fs::read_to_string(&picture).expect("a picture");
    assert_eq!(
        svg.matches(">4</text>").count(),
        1,
        "the fourth key is in the picture"
    );
}

#[test]
fn the_demo_stops_on_ctrl_c_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(
        home.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("open to all");
    let mut command = demo(&[]);
    let mut child = command
        .env("TMPDIR", home.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the demo starts");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let passed = |line: String| line.contains("createSecret passed");
    assert!(
        lines.by_ref().any(|line| passed(line.expect("a line"))),
        "no rotation began"
    );
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
    for _ in lines {}
    assert_eq!(child.wait().expect("an end").code(), Some(130));
    let left: Vec<_> = std::fs::read_dir(home.path())
        .expect("a directory")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
