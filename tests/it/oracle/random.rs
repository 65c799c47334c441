//! Many random cases.

use super::case::{Case, Raw, Seen, raw};
use super::coverage;
use super::shrink::Shrinker;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Cases of the inner ring.
const CASES: u64 = 100;
/// How long a failing case is made smaller.
const SHRINK: Duration = Duration::from_secs(60);
/// Failures that a long run reports at most.
const FAILURES: usize = 20;
/// After how many cases a run says how far it is.
const STEP: u64 = 100;
/// So many cases must have all constructs among them.
const MANY: u64 = 1000;
/// One view in so many may be refused with `0A000`.
const REFUSED: u64 = 20;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

/// The case of a seed: each has its own, so that one is run again by itself.
fn case(seed: u64) -> Case {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let made: Raw = raw(6, 5).new_tree(&mut runner).expect("a case can be made").current();
    Case::from(&made)
}

/// What is wrong with a case, and what was run.
fn run(case: &Case, seen: &mut Seen) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut script = Vec::new();
    let run = AssertUnwindSafe(|| runtime.block_on(case.run(seen, &mut script)));
    let reason = catch_unwind(run).unwrap_or_else(|_| Err("a panic, see above".to_string())).err()?;
    Some(format!("{}\n\n{reason}\n", script.join("\n")))
}

#[test]
fn a_random_view_equals_its_query_at_every_tick() {
    let long = number("SLUICE_ORACLE_CASES");
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() << 20);
    let first = number("SLUICE_ORACLE_SEED").unwrap_or_else(|| if long.is_some() { clock() } else { 1 });
    let cases = long.unwrap_or(CASES);
    println!("SLUICE_ORACLE_SEED={first} SLUICE_ORACLE_CASES={cases}");
    // The judge that is named has one set of tables.
    let alone = std::env::var_os("SLUICE_ORACLE_POSTGRES").is_some();
    // A case waits for its lake and its threads now and then: two for each core keep the cores busy.
    let cores = std::thread::available_parallelism().map_or(2, usize::from) as u64;
    let threads = if alone { 1 } else { number("SLUICE_ORACLE_THREADS").unwrap_or(2 * cores) };
    let (next, failed) = (AtomicU64::new(0), AtomicUsize::new(0));
    let (all, failures) = (Mutex::new(Seen::default()), Mutex::new(Vec::new()));
    let begun = Instant::now();
    let work = || {
        let mut seen = Seen::default();
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            // A long run looks for more.
            if nth >= cases || failed.load(Ordering::Relaxed) >= if long.is_some() { FAILURES } else { 1 } {
                break;
            }
            if nth > 0 && nth % STEP == 0 {
                println!("{nth} cases after {:.0} s", begun.elapsed().as_secs_f64());
            }
            let seed = first + nth;
            let random = case(seed);
            let Some(reason) = run(&random, &mut seen) else { continue };
            failed.fetch_add(1, Ordering::Relaxed);
            println!("SLUICE_ORACLE_SEED={seed} SLUICE_ORACLE_CASES=1 fails and is made smaller; at first:\n{reason}");
            let (_, reason) = Shrinker::run(random, reason, SHRINK, &mut |case| run(case, &mut Seen::default()));
            let failure =
                format!("failure of SLUICE_ORACLE_SEED={seed} SLUICE_ORACLE_CASES=1, made smaller\n\n{reason}");
            println!("{failure}");
            failures.lock().expect("no thread has panicked").push(failure);
        }
        all.lock().expect("no thread has panicked").add(seen);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let seen = all.into_inner().expect("no thread has panicked");
    report(&seen, begun);
    let failures = failures.into_inner().expect("no thread has panicked");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // A few cases say nothing about the mix.
    if cases < CASES {
        return;
    }
    let refused: u64 = seen.refused.values().sum();
    assert!(refused * REFUSED <= seen.views, "{refused} of {} views were refused: {:#?}", seen.views, seen.refused);
    assert!(seen.compared > 4 * seen.in_error, "most comparisons must find rows");
    if cases >= MANY {
        let missing = coverage::missing(&seen.constructs);
        assert!(missing.is_empty(), "{cases} cases without {missing:?}");
    }
}

fn report(seen: &Seen, begun: Instant) {
    let Seen { cases, views, compared, in_error, failed_at_once, altered, kept, .. } = seen;
    let seconds = begun.elapsed().as_secs_f64();
    let refused: u64 = seen.refused.values().sum();
    println!("{cases} cases, {views} views ({refused} refused, {failed_at_once} failed at once) in {seconds:.0} s");
    println!("{compared} comparisons found the same rows, {in_error} an error on both sides");
    println!("{altered} changes of columns were made, {kept} refused because a view reads the column");
    for (message, count) in &seen.refused {
        println!("refused {count} times: {message}");
    }
    let counts: Vec<String> = seen.constructs.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("seen: {}", counts.join(", "));
}
