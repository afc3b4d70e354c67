//! Progress on a terminal; lines elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output::visible;
use super::steps::Steps;
use crate::progress::Progress;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Draws a bar on standard error when that is a terminal, else says now and then how far it is; and prints notes there either way.
pub struct Terminal {
    draw: bool,
    quiet: bool,
    bar: Mutex<Option<ProgressBar>>,
    /// In the place of a bar.
    steps: Mutex<Option<Steps>>,
}

/// A line to standard error. Where nobody reads it, or nothing more can be written there, the work is no less done.
pub fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

impl Terminal {
    /// Also catches Ctrl-C: the first asks the work to stop at the next safe point, the second ends it at once.
    pub fn new(quiet: bool) -> Self {
        // A handler may be set once only; a second `Terminal` keeps the first one's.
        let _ = ctrlc::set_handler(|| {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        });
        Self { draw: stderr().is_terminal() && !quiet, quiet, bar: Mutex::new(None), steps: Mutex::new(None) }
    }

    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn steps(&self) -> MutexGuard<'_, Option<Steps>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Terminal {
    fn start(&self, what: &str, total: u64, unit: &'static str) {
        if !self.draw {
            *self.steps() = Some(Steps::new(what, total, unit, Instant::now()));
            return;
        }
        let template = match total {
            // Nobody knows how much there is.
            0 => format!("{{msg}} {{spinner}} {{pos}} {unit} {{per_sec:.dim}}"),
            _ => format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {unit} {{per_sec:.dim}} {{eta:.dim}} left"),
        };
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("per_sec", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
                let _ = write!(w, "{:.0}/s", state.per_sec());
            });
        let bar = ProgressBar::new(total).with_style(style).with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.bar() = Some(bar);
    }

    fn advance(&self, n: u64) {
        if let Some(bar) = &*self.bar() {
            bar.inc(n);
        }
        let line = self.steps().as_mut().and_then(|steps| steps.advance(n, Instant::now()));
        if let Some(line) = line {
            self.note(&line);
        }
    }

    fn finish(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
        *self.steps() = None;
    }

    fn note(&self, message: &str) {
        if self.quiet {
            return;
        }
        let message = visible(message);
        match &*self.bar() {
            Some(bar) => bar.suspend(|| say(&message)),
            None => say(&message),
        }
    }

    fn interrupted(&self) -> bool {
        INTERRUPTED.load(Ordering::Relaxed)
    }
}
