//! Reads cases, one JSON object a line (`schema`, `tests` with `data` and `valid`; optionally `draft`, `id`, `file`,
//! `description`), and counts verdicts that differ from the label and refusals by keyword and reason.
//!
//! `zcat suite.jsonl.gz | cargo run --release -p penstock-schema --example verdicts -- [--remotes FILE] [--annotate] [--show N]`
#[path = "../tests/common/mod.rs"]
mod common;

use penstock_schema::{Draft, FormatMode, SchemaMachine, SchemaOptions};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Instant;

#[derive(Default)]
struct Counts {
    cases: usize,
    tests: usize,
    refused: BTreeMap<String, usize>,
    wrong: usize,
    accepted_invalid: usize,
    refused_valid: usize,
    limits: usize,
    lowering: Vec<f64>,
    walking: f64,
}

fn main() {
    let (mut options, mut show, mut remotes) = (SchemaOptions::default(), 40, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--annotate" => options.format = FormatMode::Annotation,
            "--remotes" => remotes = arguments.next(),
            "--show" => show = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(show),
            "--lenient" => options.strict = false,
            other => panic!("unknown argument {other}"),
        }
    }
    if let Some(path) = remotes {
        let text = std::fs::read_to_string(path).expect("the remotes file");
        options.registry = serde_json::from_str(&text).expect("an object by address");
    }
    let mut counts = Counts::default();
    for line in std::io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        run_case(&case, &mut options, &mut counts, &mut show);
    }
    report(counts);
}

fn run_case(case: &Value, options: &mut SchemaOptions, counts: &mut Counts, show: &mut usize) {
    counts.cases += 1;
    options.default_draft = match case["draft"].as_str() {
        Some("draft7") => Draft::Draft7,
        _ => Draft::Draft202012,
    };
    let name = format!("{} {} {}", case["id"], case["file"], case["description"]);
    let mut machine = SchemaMachine::new();
    let start = Instant::now();
    let lowered = machine.lower(&case["schema"], options);
    let took = start.elapsed().as_secs_f64();
    if took > 0.004 {
        println!("SLOW lowering {name}: {took:.4} s");
    }
    counts.lowering.push(took);
    let lowered = match lowered {
        Ok(lowered) => lowered,
        Err(error) => {
            let tests = case["tests"].as_array().expect("tests");
            if error.kind == penstock_schema::ErrorKind::Empty && tests.iter().all(|test| test["valid"] == false) {
                counts.tests += tests.len();
                return;
            }
            let first = &error.problems[0];
            *counts
                .refused
                .entry(format!("{:?} {} {}", error.kind, first.keyword, first.reason))
                .or_default() += 1;
            if *show > 0 {
                *show -= 1;
                println!("REFUSED {name}: {error}");
            }
            return;
        }
    };
    let start = Instant::now();
    for test in case["tests"].as_array().expect("tests") {
        counts.tests += 1;
        let valid = test["valid"] == true;
        match common::accepts(&mut machine, lowered.root, &test["data"]) {
            Ok(accepted) if accepted == valid => {}
            Ok(accepted) => {
                counts.wrong += 1;
                *(if accepted {
                    &mut counts.accepted_invalid
                } else {
                    &mut counts.refused_valid
                }) += 1;
                if *show > 0 {
                    *show -= 1;
                    println!("WRONG {name} / {}: label {valid}, ours {accepted}", test["description"]);
                }
            }
            Err(limit) => {
                counts.limits += 1;
                println!("LIMIT {name}: {limit}");
            }
        }
    }
    let took = start.elapsed().as_secs_f64();
    if took > 0.1 {
        println!("SLOW {name}: {took:.3} s");
    }
    counts.walking += took;
}

fn report(mut counts: Counts) {
    counts.lowering.sort_by(f64::total_cmp);
    let at = |share: f64| counts.lowering[((counts.lowering.len() - 1) as f64 * share) as usize] * 1e6;
    println!(
        "cases {} tests {} wrong {} (accepted invalid {}, refused valid {}) limits {}",
        counts.cases, counts.tests, counts.wrong, counts.accepted_invalid, counts.refused_valid, counts.limits
    );
    println!(
        "lowering us p50 {:.1} p90 {:.1} p99 {:.1} max {:.1}; walking {:.2} s",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
        counts.walking
    );
    for (reason, count) in counts.refused {
        println!("{count:5} {reason}");
    }
}
