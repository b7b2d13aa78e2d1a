//! The rotation function as Lambda runs it: the real `bootstrap` in a process of its own, started when
//! there is none, ended at the deadline.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use twinkey_core::{SecretId, Step, VersionId};

use crate::{Answer, ClockAhead, RuntimeApi, program};

/// What an invocation has unless a test says otherwise; more than anything here takes.
const TIME: Duration = Duration::from_mins(1);

/// One execution environment of the function. Two of them at once are two concurrent invocations.
pub struct Function {
    /// Empty: the build beside the test that runs.
    command: Vec<OsString>,
    environment: Vec<(String, String)>,
    clock: Option<ClockAhead>,
    /// What the function may take before it is ended.
    pub time: Duration,
    streams: Streams,
    running: Option<(RuntimeApi, Child)>,
}

/// What the function has written, in all its processes.
pub struct Streams {
    folder: TempDir,
}

impl Function {
    /// A function with these variables and nothing else of our environment. Nothing is started.
    #[must_use]
    pub fn new(environment: &[(&str, &str)]) -> Self {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            command: Vec::new(),
            environment: environment.iter().map(text).collect(),
            clock: None,
            time: TIME,
            streams: Streams {
                folder: TempDir::new().expect("a directory"),
            },
            running: None,
        }
    }

    /// The same function from another build, or through another program.
    #[must_use]
    pub fn from(mut self, command: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.command = command.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a variable, from the next start on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.unset(name);
        self.environment.push((name.into(), value.into()));
    }

    /// Gives its machine another clock, from the next start on.
    pub fn go_by(&mut self, clock: &ClockAhead) {
        let (name, file) = clock.variable();
        self.set(name, file);
        self.load(clock.library());
        self.clock = Some(clock.clone());
    }

    /// Loads a library, from the next start on, beside those that are loaded already.
    pub fn load(&mut self, library: &Path) {
        let library = library.display();
        let loaded = self.environment.iter().find(|(set, _)| set == "LD_PRELOAD");
        let libraries = match loaded {
            Some((_, others)) => format!("{others} {library}"),
            None => library.to_string(),
        };
        self.set("LD_PRELOAD", libraries);
    }

    /// Removes a variable, from the next start on.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(set, _)| set != name);
    }

    /// Delivers one step of a rotation, as Secrets Manager does.
    pub async fn step(&mut self, step: Step, arn: &SecretId, token: &VersionId) -> Answer {
        let event = step_event(step, arn.as_str(), token.as_str());
        self.invoke(event.as_bytes()).await
    }

    /// Delivers the four steps, up to the first that does not pass.
    pub async fn rotate(&mut self, arn: &SecretId, token: &VersionId) -> Result<(), Answer> {
        for step in Step::ALL {
            match self.step(step, arn, token).await {
                Answer::Passed(_) => {}
                other => return Err(other),
            }
        }
        Ok(())
    }

    /// Sends any event, and starts the function if it does not run.
    pub async fn invoke(&mut self, event: &[u8]) -> Answer {
        if self.running.is_none() {
            let api = RuntimeApi::start().await;
            let child = self.start(&api.address());
            self.running = Some((api, child));
        }
        let ahead = self.clock.as_ref().map(ClockAhead::ahead);
        let (api, child) = self.running.as_mut().expect("just started");
        let answer = tokio::select! {
            answer = api.invoke(event, self.time, ahead.unwrap_or_default()) => answer,
            _ = child.wait() => Answer::Exited,
        };
        if matches!(answer, Answer::Exited | Answer::TimedOut) {
            self.end().await;
        }
        answer
    }

    /// Ends the process, as Lambda does with one that it needs no more. The next event starts another.
    pub async fn end(&mut self) {
        if let Some((_, mut child)) = self.running.take() {
            child.kill().await.expect("ended");
        }
    }

    /// Stops the process in its tracks: it takes events and answers none.
    pub async fn freeze(&self) {
        let (api, child) = self.running.as_ref().expect("it runs");
        api.until_it_rests().await;
        let script = format!("kill -STOP {}", child.id().expect("it runs"));
        let stopped = std::process::Command::new("sh")
            .args(["-c", &script])
            .status();
        assert!(stopped.expect("a shell").success());
    }

    /// The process that runs, if one does.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.running.as_ref().and_then(|(_, child)| child.id())
    }

    /// What it has written.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Starts a process that takes its events from a Runtime API.
    #[must_use]
    pub fn start(&self, runtime_api: &str) -> Child {
        let (program, arguments) = match self.command.split_first() {
            Some((program, arguments)) => (program.clone(), arguments),
            None => (program("bootstrap").into(), [].as_slice()),
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "TEST-function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .envs(self.environment.clone())
            .stdin(Stdio::null())
            .stdout(self.streams.open("stdout"))
            .stderr(self.streams.open("stderr"))
            .kill_on_drop(true);
        command.spawn().expect("the function starts")
    }
}

/// The event of one step.
#[must_use]
pub fn step_event(step: Step, arn: &str, token: &str) -> String {
    let event = serde_json::json!({
        "Step": step, "SecretId": arn, "ClientRequestToken": token,
    });
    event.to_string()
}

impl Streams {
    /// The lines on stdout that are of this kind: `step`, `rotation`, `tick`, `request`, `abandon`, `event`.
    #[must_use]
    pub fn records(&self, kind: &str) -> Vec<serde_json::Value> {
        let read = |line: &str| serde_json::from_str(line).expect("stdout is JSON lines");
        let lines = self.stdout();
        let all = lines.lines().map(read);
        all.filter(|line: &serde_json::Value| line["record"] == kind)
            .collect()
    }

    /// Everything on stdout.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.path("stdout"))
    }

    /// Everything on stderr.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.path("stderr"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str) -> File {
        let options = File::options()
            .create(true)
            .append(true)
            .open(self.path(name));
        options.expect("a file")
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
