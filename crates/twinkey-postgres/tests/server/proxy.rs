//! A wire between the provider and its server that can be cut, or go dead, at any byte.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What becomes of the wire once a direction has carried its last byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides see it cut.
    Cut,
    /// Nobody hears anything any more, and nobody is told.
    Dead,
}

/// One direction of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    plan: Mutex<Option<(Direction, usize, End)>>,
    to_server: AtomicUsize,
    to_client: AtomicUsize,
}

impl State {
    fn carried(&self, direction: Direction) -> &AtomicUsize {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

impl Proxy {
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            plan: Mutex::new(None),
            to_server: AtomicUsize::new(0),
            to_client: AtomicUsize::new(0),
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                wire(&client, &server, &shared);
            }
        });
        Self { port, state }
    }

    /// Counts from now on, and ends the wire after so many bytes in that direction.
    pub(crate) fn end_after(&self, direction: Direction, bytes: usize, end: End) {
        self.plan(Some((direction, bytes, end)));
    }

    /// Carries everything from now on.
    pub(crate) fn mend(&self) {
        self.plan(None);
    }

    fn plan(&self, plan: Option<(Direction, usize, End)>) {
        *self.state.plan.lock().unwrap() = plan;
        self.state.to_server.store(0, Ordering::SeqCst);
        self.state.to_client.store(0, Ordering::SeqCst);
    }

    /// How much it has carried since the last plan.
    pub(crate) fn carried(&self, direction: Direction) -> usize {
        self.state.carried(direction).load(Ordering::SeqCst)
    }
}

fn wire(client: &TcpStream, server: &TcpStream, state: &Arc<State>) {
    for (direction, from, to) in [
        (Direction::ToServer, client, server),
        (Direction::ToClient, server, client),
    ] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let state = state.clone();
        std::thread::spawn(move || carry(direction, from, to, &state));
    }
}

fn carry(direction: Direction, mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let plan = *state.plan.lock().unwrap();
        let before = state.carried(direction).load(Ordering::SeqCst);
        let (allowed, end) = match plan {
            Some((planned, limit, end)) if planned == direction => {
                (count.min(limit.saturating_sub(before)), end)
            }
            _ => (count, End::Cut),
        };
        let written = to.write_all(&buffer[..allowed]);
        state
            .carried(direction)
            .fetch_add(allowed, Ordering::SeqCst);
        if count > 0 && allowed == count && written.is_ok() {
            continue;
        }
        if end == End::Cut || count == 0 {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
