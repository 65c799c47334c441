//! Many random cases.

use super::case::{Case, Raw, Seen, raw};
use super::shrink::Shrinker;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Cases of the inner ring.
const CASES: u32 = 40;
/// How long a failing case is made smaller.
const SHRINK: Duration = Duration::from_secs(60);
/// Failures that a long run reports at most.
const FAILURES: usize = 20;
/// One view in so many may be refused with `0A000`.
const REFUSED: u64 = 20;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

fn generator(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

#[test]
fn a_random_view_equals_its_query_at_every_tick() {
    let long = number("SLUICE_ORACLE_CASES");
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let seed = number("SLUICE_ORACLE_SEED").unwrap_or_else(|| if long.is_some() { clock() } else { 1 });
    let cases = long.map_or(CASES, |cases| cases as u32);
    println!("SLUICE_ORACLE_SEED={seed} SLUICE_ORACLE_CASES={cases}");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let run = |case: &Case, seen: &mut Seen| {
        let run = AssertUnwindSafe(|| runtime.block_on(case.run(seen)));
        catch_unwind(run).unwrap_or_else(|_| Err("a panic, see above".to_string())).err()
    };
    let (seen, failures) = (RefCell::new(Seen::default()), RefCell::new(Vec::new()));
    let begun = Instant::now();
    let check = |raw: Raw| {
        let case = Case::from(&raw);
        let Some(reason) = run(&case, &mut seen.borrow_mut()) else { return Ok(()) };
        println!("a case fails and is made smaller; at first:\n{}\n\n{reason}", case.script());
        let (case, reason) = Shrinker::run(case, reason, SHRINK, &mut |case| run(case, &mut Seen::default()));
        let mut failures = failures.borrow_mut();
        let failure = format!("failure {}\n\n{}\n\n{reason}\n", failures.len() + 1, case.script());
        println!("{failure}");
        failures.push(failure);
        // A long run looks for more.
        match long.is_some() && failures.len() < FAILURES {
            true => Ok(()),
            false => Err(TestCaseError::fail("the oracle was contradicted")),
        }
    };
    let outcome = TestRunner::new_with_rng(config, generator(seed)).run(&raw(6, 5), check);
    report(&seen.borrow(), begun);
    let failures = failures.into_inner();
    assert!(failures.is_empty(), "SLUICE_ORACLE_SEED={seed}\n\n{}", failures.join("\n"));
    outcome.expect("the cases can be made");
    let seen = seen.borrow();
    let refused: u64 = seen.refused.values().sum();
    assert!(refused * REFUSED <= seen.views, "{refused} of {} views were refused: {:#?}", seen.views, seen.refused);
    assert!(seen.compared > 4 * seen.in_error, "most comparisons must find rows");
}

fn report(seen: &Seen, begun: Instant) {
    let Seen { cases, views, compared, in_error, failed_at_once, .. } = seen;
    let seconds = begun.elapsed().as_secs_f64();
    let refused: u64 = seen.refused.values().sum();
    println!("{cases} cases, {views} views ({refused} refused, {failed_at_once} failed at once) in {seconds:.0} s");
    println!("{compared} comparisons found the same rows, {in_error} an error on both sides");
    for (message, count) in &seen.refused {
        println!("refused {count} times: {message}");
    }
    let shapes: Vec<String> = seen.shapes.iter().map(|(shape, count)| format!("{shape} {count}")).collect();
    println!("views with {}", shapes.join(", "));
}
