//! A line on standard error for loads that take longer than a second.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Shows what is going on, from the first second on, when standard error is a terminal.
pub(crate) struct Progress {
    phases: Option<Sender<&'static str>>,
    printer: Option<JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn start() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { phases: None, printer: None };
        }
        let (phases, updates) = mpsc::channel();
        let printer = std::thread::spawn(move || {
            let start = Instant::now();
            let mut phase = "";
            let mut printed = false;
            loop {
                match updates.recv_timeout(Duration::from_millis(250)) {
                    Ok(next) => phase = next,
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                let elapsed = start.elapsed();
                if elapsed >= Duration::from_secs(1) {
                    printed = true;
                    eprint!("\r\x1b[Knftwrap: {phase} ({:.1} s)", elapsed.as_secs_f32());
                    let _ = std::io::stderr().flush();
                }
            }
            if printed {
                eprint!("\r\x1b[K");
            }
        });
        Self { phases: Some(phases), printer: Some(printer) }
    }

    pub(crate) fn phase(&self, phase: &'static str) {
        if let Some(phases) = &self.phases {
            let _ = phases.send(phase);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.phases = None;
        if let Some(printer) = self.printer.take() {
            let _ = printer.join();
        }
    }
}
