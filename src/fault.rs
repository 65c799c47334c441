//! Floor 0: faults on purpose, at named steps, for runs that look whether anything is lost or doubled.
//!
//! `SLUICE_FAULTS` says which, as in `seed=42 commit:kill=0.01 upload:fail=0.1 tick:pause=0.05`: at each pass of a step the
//! process ends as by `kill -9`, sleeps up to a fifth of a second, the clock jumps by up to a day (`jump`), or the step fails,
//! with these chances. Equal seeds give equal draws in equal order of passes. Without the variable a pass costs one load of a pointer.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where a fault may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A source hands over what it has read and decoded.
    Fetch,
    /// A delivery is taken apart.
    Decode,
    Tick,
    /// Rows become Parquet.
    Encode,
    /// A data file, a vector or a segment of history is stored.
    Upload,
    /// An entry of a Delta log is written.
    Commit,
    Checkpoint,
    Vacuum,
    /// A manifest, and with it the catalog, is written.
    Manifest,
}

const STEPS: [(Step, &str); 9] = [
    (Step::Fetch, "fetch"),
    (Step::Decode, "decode"),
    (Step::Tick, "tick"),
    (Step::Encode, "encode"),
    (Step::Upload, "upload"),
    (Step::Commit, "commit"),
    (Step::Checkpoint, "checkpoint"),
    (Step::Vacuum, "vacuum"),
    (Step::Manifest, "manifest"),
];

const LONGEST_PAUSE_MS: u64 = 200;
/// A day.
const LONGEST_JUMP_US: f64 = 86_400e6;

/// How far the clock is off, on purpose; µs.
static CLOCK_OFF_US: AtomicI64 = AtomicI64::new(0);

#[cfg(test)]
thread_local! {
    /// The same for one thread's test.
    pub static TEST_CLOCK_OFF_US: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
}

/// The wall clock of engine and lake, µs since 1970. It may jump, as clocks do.
pub fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
    #[cfg(test)]
    let now = now + TEST_CLOCK_OFF_US.get();
    now + CLOCK_OFF_US.load(Ordering::Relaxed)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    Pause,
    Fail,
    /// The step is done, and fails all the same: an answer that was lost.
    Late,
    /// From now on the clock shows another time.
    Jump,
}

#[derive(Debug)]
struct Rule {
    step: Step,
    action: Action,
    /// From 0 to 1.
    chance: f64,
}

#[derive(Debug, Default)]
struct Plan {
    seed: u64,
    rules: Vec<Rule>,
    drawn: AtomicU64,
}

/// What a step that was made to fail says.
#[derive(Debug)]
pub struct Injected(Step);

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SLUICE_FAULTS made {:?} fail", self.0)
    }
}

impl std::error::Error for Injected {}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

fn plan() -> Option<&'static Plan> {
    PLAN.get_or_init(|| {
        let text = std::env::var("SLUICE_FAULTS").ok()?;
        match parse(&text) {
            Ok(plan) => {
                tracing::warn!(plan = text, "faults are injected on purpose");
                Some(plan)
            }
            Err(wrong) => {
                tracing::error!("SLUICE_FAULTS: {wrong}; no faults are injected");
                None
            }
        }
    })
    .as_ref()
}

fn parse(text: &str) -> Result<Plan, String> {
    let mut plan = Plan::default();
    for word in text.split_whitespace() {
        let (what, value) = word.split_once('=').ok_or_else(|| format!("\"{word}\" has no ="))?;
        if what == "seed" {
            plan.seed = value.parse().map_err(|_| format!("\"{value}\" is no seed"))?;
            continue;
        }
        let (step, action) = what.split_once(':').ok_or_else(|| format!("\"{what}\" names no action"))?;
        let step = STEPS.iter().find(|(_, name)| *name == step).ok_or_else(|| format!("no step \"{step}\""))?.0;
        let action = match action {
            "kill" => Action::Kill,
            "pause" => Action::Pause,
            "fail" => Action::Fail,
            "late" => Action::Late,
            "jump" => Action::Jump,
            other => return Err(format!("no action \"{other}\"")),
        };
        let chance = value.parse().ok().filter(|chance| (0.0..=1.0).contains(chance));
        plan.rules.push(Rule { step, action, chance: chance.ok_or_else(|| format!("\"{value}\" is no chance"))? });
    }
    Ok(plan)
}

impl Plan {
    /// From 0 to 1 (SplitMix64 over seed and number of the draw).
    fn draw(&self) -> f64 {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut z = self.seed.wrapping_add((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Ends the process or gives how long to sleep and whether to fail, where this pass is meant.
    fn pass(&self, step: Step, late: bool) -> (Option<Duration>, bool) {
        let (mut pause, mut fails) = (None, false);
        for rule in self.rules.iter().filter(|rule| rule.step == step && (rule.action == Action::Late) == late) {
            if self.draw() >= rule.chance {
                continue;
            }
            match rule.action {
                Action::Kill => {
                    #[cfg(unix)]
                    // SAFETY: a signal to this very process, which needs no memory of ours.
                    unsafe {
                        libc::kill(libc::getpid(), libc::SIGKILL);
                    }
                    std::process::abort();
                }
                Action::Pause => pause = Some(Duration::from_millis((self.draw() * LONGEST_PAUSE_MS as f64) as u64)),
                Action::Jump => {
                    CLOCK_OFF_US.store(((self.draw() * 2.0 - 1.0) * LONGEST_JUMP_US) as i64, Ordering::Relaxed);
                }
                Action::Fail | Action::Late => fails = true,
            }
        }
        (pause, fails)
    }
}

/// A pass of a step, before it is done.
pub async fn at(step: Step) -> Result<(), Injected> {
    let Some(plan) = plan() else { return Ok(()) };
    let (pause, fails) = plan.pass(step, false);
    if let Some(pause) = pause {
        tokio::time::sleep(pause).await;
    }
    if fails { Err(Injected(step)) } else { Ok(()) }
}

/// After a step was done: an error here is an answer that was lost on its way.
pub fn after(step: Step) -> Result<(), Injected> {
    match plan() {
        Some(plan) if plan.pass(step, true).1 => Err(Injected(step)),
        _ => Ok(()),
    }
}

/// The same as [`at`] on a thread that may block; steps that cannot fail only end or pause.
pub fn at_blocking(step: Step) {
    if let Some(pause) = plan().and_then(|plan| plan.pass(step, false).0) {
        std::thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_and_drawn_alike_for_equal_seeds() {
        let text = "seed=7 commit:kill=0.01 upload:fail=1 tick:pause=0";
        let (a, b) = (parse(text).expect("well formed"), parse(text).expect("well formed"));
        let draws = |plan: &Plan| (0..100).map(|_| plan.draw()).collect::<Vec<_>>();
        assert_eq!(draws(&a), draws(&b));
        assert!(draws(&a).iter().all(|draw| (0.0..1.0).contains(draw)));
        assert_eq!(a.pass(Step::Upload, false), (None, true));
        assert_eq!(a.pass(Step::Tick, false), (None, false));
        for wrong in ["commit", "commit:kill", "x:kill=1", "commit:x=1", "commit:kill=2", "seed=x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
