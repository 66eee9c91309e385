//! The index against a slow twin that scans all text, and the laws of sharing, removal, memory and threads.
use crate::blend::{BlendOptions, MAX_MATCH};
use crate::{DraftingError, IndexOptions, Noise, Proposal, ProposeOptions, Request, RetrievalIndex, Source, WidthCost};
use std::collections::{BTreeMap, BTreeSet};

/// SplitMix64 for tests.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn text(&mut self, len: usize, vocabulary: usize) -> Vec<i32> {
        (0..len)
            .map(|_| self.below(vocabulary).min(self.below(vocabulary)) as i32)
            .collect()
    }
}

fn index(options: IndexOptions) -> RetrievalIndex {
    RetrievalIndex::new(options).expect("options are valid")
}

fn start(index: &RetrievalIndex, prompt: &[i32]) -> Request {
    index.start(prompt, true, "").expect("tokens are valid")
}

fn propose(request: &mut Request, budget: usize) -> Proposal {
    request
        .propose(budget, ProposeOptions::default())
        .expect("a live request proposes")
}

fn priced(per_node: f64) -> ProposeOptions {
    with_setup(per_node, 0.0)
}

fn with_setup(per_node: f64, setup: f64) -> ProposeOptions {
    ProposeOptions {
        cost: Some(WidthCost { per_node, setup }),
        ..ProposeOptions::default()
    }
}

fn share_output(index: &RetrievalIndex, output: &[i32]) -> u64 {
    index.insert(output, "").expect("tokens are valid")
}

/// A place: text number (0 is the request's own), index of the token that followed, match length.
type TwinPlace = (usize, usize, usize);

/// Every place of every text that ends like `texts[0]`; no chain, no limit.
fn twin_places(texts: &[Vec<i32>]) -> Vec<TwinPlace> {
    let own = &texts[0];
    let mut places = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        for next in 1..text.len() {
            let matches = |len: usize| len <= next && len <= own.len() && text[next - len..next] == own[own.len() - len..];
            let len = (1..=MAX_MATCH).take_while(|&len| matches(len)).last();
            places.extend(len.map(|len| (number, next, len)));
        }
    }
    places
}

/// The formula at the head of `blend.rs`, word for word.
fn twin_blend(texts: &[Vec<i32>], places: &[TwinPlace], options: &BlendOptions) -> (BTreeMap<i32, f64>, f64) {
    let mut levels: Vec<usize> = places.iter().map(|place| place.2.min(MAX_MATCH)).collect();
    levels.sort_unstable_by(|left, right| right.cmp(left));
    levels.dedup();
    let (mut left, mut probabilities) = (1.0, BTreeMap::new());
    for level in levels {
        let mut counts: BTreeMap<i32, f64> = BTreeMap::new();
        for &(text, next, len) in places {
            if len.min(MAX_MATCH) >= level {
                *counts.entry(texts[text][next]).or_default() += if text == 0 { 1.0 } else { options.other_weight };
            }
        }
        let (l, total) = (level as f64, counts.values().sum::<f64>());
        let escape = options.strength * counts.len() as f64 / l.powf(options.exponent) * (options.knee / l).min(1.0).powi(2);
        for (token, count) in counts {
            *probabilities.entry(token).or_insert(0.0) += left * count / (total + escape);
        }
        left *= escape / (total + escape);
    }
    (probabilities, left)
}

/// Share of a token in all text, others' at their weight.
fn twin_share(texts: &[Vec<i32>], token: i32, options: &BlendOptions) -> f64 {
    let weight = |number| if number == 0 { 1.0 } else { options.other_weight };
    let count = |number: usize| texts[number].iter().filter(|&&other| other == token).count() as f64;
    let part: f64 = (0..texts.len()).map(|number| weight(number) * count(number)).sum();
    part / (0..texts.len())
        .map(|number| weight(number) * texts[number].len() as f64)
        .sum::<f64>()
}

/// Probability of `token` after a node that only matches led to.
fn twin_probability(texts: &[Vec<i32>], places: &[TwinPlace], token: i32, options: &BlendOptions) -> f64 {
    let (probabilities, left) = twin_blend(texts, places, options);
    let by_frequency = left * options.frequent_share * twin_share(texts, token, options);
    probabilities.get(&token).copied().unwrap_or(by_frequency)
}

fn check_against_twin(texts: &[Vec<i32>], tree: &Proposal, options: &BlendOptions) {
    let mut behind: Vec<Option<Vec<TwinPlace>>> = vec![Some(twin_places(texts))];
    for node in 1..tree.token_ids.len() {
        let (parent, token) = (tree.parents[node] as usize, tree.token_ids[node]);
        let places = behind[parent].clone();
        // Behind a frequent token places are looked up anew, some of them: the formula is checked where all are known.
        if let Some(places) = &places {
            let expected = twin_probability(texts, places, token, options).ln();
            assert!(
                (tree.logprobs[node] as f64 - expected).abs() < 1e-4,
                "node {node} {expected} {tree:?} {texts:?}"
            );
        }
        let follow = |places: Vec<TwinPlace>| {
            let moved = places.into_iter().filter(|&(text, next, _)| texts[text][next] == token);
            moved
                .map(|(text, next, len)| (text, next + 1, len + 1))
                .filter(|&(text, next, _)| next < texts[text].len())
                .collect()
        };
        behind.push(places.filter(|_| tree.sources[node] != 3).map(follow));
    }
}

#[test]
fn probabilities_are_those_of_the_formula() {
    let mut random = Random(1);
    let mut checked = 0;
    for _ in 0..300 {
        let vocabulary = 2 + random.below(8);
        let texts: Vec<Vec<i32>> = (0..1 + random.below(3))
            .map(|_| {
                let len = 1 + random.below(40);
                random.text(len, vocabulary)
            })
            .collect();
        let options = IndexOptions {
            blend: BlendOptions {
                max_places: 1024,
                floor: 0.0,
                ..BlendOptions::default()
            },
            ..IndexOptions::default()
        };
        let shared = index(options.clone());
        for text in &texts[1..] {
            share_output(&shared, text);
        }
        let mut request = start(&shared, &texts[0]);
        let tree = propose(&mut request, 1 + random.below(40));
        check_against_twin(&texts, &tree, &options.blend);
        checked += tree.token_ids.len() - 1;
    }
    assert!(checked > 2000);
}

#[test]
fn trees_are_best_first_and_the_smaller_is_the_start_of_the_larger() {
    let mut random = Random(2);
    for _ in 0..200 {
        let shared = index(IndexOptions::default());
        for _ in 0..3 {
            let text = random.text(60, 12);
            share_output(&shared, &text);
        }
        let text = random.text(50, 12);
        let mut request = start(&shared, &text);
        let large = propose(&mut request, 48);
        let small = propose(&mut request, 10);
        assert_eq!(small.token_ids[..], large.token_ids[..small.token_ids.len()]);
        assert_eq!(small.parents[..], large.parents[..small.parents.len()]);
        let mut reached = vec![0.0];
        for node in 1..large.token_ids.len() {
            reached.push(reached[large.parents[node] as usize] + large.logprobs[node] as f64);
            assert!(node == 1 || reached[node] <= reached[node - 1] + 1e-5);
        }
    }
}

#[test]
fn a_width_cost_takes_the_prefix_that_pays_best() {
    let mut random = Random(3);
    for (cost, setup) in [
        (0.002, 0.0),
        (0.02, 0.0),
        (0.1, 0.0),
        (0.4, 0.0),
        (0.02, 0.2),
        (0.1, 0.1),
        (0.0, 0.3),
        (0.1, 3.0),
    ] {
        let text = random.text(80, 6);
        let shared = index(IndexOptions::default());
        let mut request = start(&shared, &text);
        let all = propose(&mut request, 64);
        let chosen = request.propose(64, with_setup(cost, setup)).expect("a live request proposes");
        let mut reached = vec![0.0f64];
        let (mut sum, mut best, mut best_width) = (0.0, 1.0, 0);
        for node in 1..all.token_ids.len() {
            reached.push(reached[all.parents[node] as usize] + all.logprobs[node] as f64);
            sum += reached[node].exp();
            let value = (1.0 + sum) / (1.0 + setup + cost * node as f64);
            if value > best + 1e-9 {
                (best, best_width) = (value, node);
            }
        }
        assert_eq!(chosen.token_ids.len() - 1, best_width, "cost {cost}, setup {setup}");
    }
}

#[test]
fn what_was_not_worth_its_cost_still_teaches() {
    let shared = index(IndexOptions::default());
    let mut request = start(&shared, &[1, 2, 1, 2, 1, 2, 1]);
    let dear = with_setup(0.01, 100.0);
    let cheap = with_setup(0.0, 0.9);
    assert_eq!(request.propose(4, dear).expect("a live request proposes").token_ids, [1]);
    let before = request.propose(4, cheap).expect("a live request proposes").token_ids.len();
    assert!(before > 1, "the text repeats itself");
    for next in 3..200 {
        request.propose(4, dear).expect("a live request proposes");
        request.extend(&[next, 1]).expect("a live request takes tokens");
    }
    let after = request.propose(4, with_setup(0.0, 0.3)).expect("a live request proposes");
    assert_eq!(after.token_ids, [1], "nothing that was expected behind 1 ever came");
}

#[test]
fn a_floor_leaves_out_the_unlikely_and_nothing_else() {
    let mut random = Random(12);
    for floor in [0.01, 0.1, 0.5] {
        let text = random.text(80, 6);
        let shared = index(IndexOptions::default());
        let mut request = start(&shared, &text);
        let all = propose(&mut request, 64);
        let options = ProposeOptions {
            floor,
            ..ProposeOptions::default()
        };
        let likely = request.propose(64, options).expect("a live request proposes");
        let mut reached = vec![0.0f64];
        for node in 1..all.token_ids.len() {
            reached.push(reached[all.parents[node] as usize] + all.logprobs[node] as f64);
        }
        let count = reached.iter().filter(|reached| reached.exp() >= floor).count();
        assert_eq!(likely.token_ids, all.token_ids[..count]);
    }
}

#[test]
fn what_was_removed_was_never_there() {
    let mut random = Random(4);
    for _ in 0..60 {
        let (with, without) = (index(IndexOptions::default()), index(IndexOptions::default()));
        let mut doomed = Vec::new();
        for _ in 0..8 {
            let len = random.below(70);
            let text = random.text(len, 9);
            if random.below(2) == 0 {
                doomed.push(share_output(&with, &text));
            } else {
                share_output(&with, &text);
                share_output(&without, &text);
            }
        }
        for id in doomed {
            with.remove(id);
            assert!(!with.remove(id));
        }
        let prompt = random.text(30, 9);
        assert_eq!(
            propose(&mut start(&with, &prompt), 40),
            propose(&mut start(&without, &prompt), 40)
        );
        assert_eq!(with.stats().num_tokens, without.stats().num_tokens);
    }
}

/// The distinct tokens proposed after `prompt` because other requests wrote them there.
fn others(index: &RetrievalIndex, prompt: &[i32], namespace: &str) -> BTreeSet<i32> {
    let mut request = index.start(prompt, true, namespace).expect("tokens are valid");
    let tree = propose(&mut request, 16);
    let from_others = |node: &usize| tree.sources[*node] == Source::Other as u8;
    (0..tree.sources.len())
        .filter(from_others)
        .map(|node| tree.token_ids[node])
        .collect()
}

#[test]
fn outputs_are_shared_at_the_end_and_prompts_never() {
    let shared = index(IndexOptions::default());
    let mut first = start(&shared, &[1, 2, 3]);
    first.extend(&[4, 5, 6]).expect("tokens are valid");
    assert_eq!(others(&shared, &[4], ""), BTreeSet::from([]));
    first.finish();
    first.finish();
    assert_eq!(others(&shared, &[4], ""), BTreeSet::from([5, 6]));
    let after_prompt = propose(&mut start(&shared, &[2]), 16).token_ids;
    assert!(!after_prompt.contains(&1) && !after_prompt.contains(&3));
    let mut private = shared.start(&[7], false, "").expect("tokens are valid");
    private.extend(&[8, 9]).expect("tokens are valid");
    private.finish();
    drop(start(&shared, &[10, 11, 10, 11]));
    assert_eq!(shared.stats().num_outputs, 1);
    assert_eq!(
        first.extend(&[1]).map_err(|error| error.code().to_owned()),
        Err("request_finished".to_owned())
    );
}

#[test]
fn namespaces_see_nothing_of_each_other() {
    let shared = index(IndexOptions::default());
    shared.insert(&[1, 2, 3], "tenant").expect("tokens are valid");
    assert_eq!(others(&shared, &[1], "tenant"), BTreeSet::from([2, 3]));
    assert_eq!(others(&shared, &[1], "another"), BTreeSet::from([]));
}

#[test]
fn namespaces_that_nobody_uses_are_forgotten() {
    let shared = index(IndexOptions::default());
    for tenant in 0..50 {
        let mut request = shared
            .start(&[1], tenant % 2 == 0, &tenant.to_string())
            .expect("tokens are valid");
        request.extend(&[2, 3]).expect("tokens are valid");
        if tenant % 5 > 0 {
            request.finish();
        }
    }
    assert_eq!(shared.stats().num_namespaces, shared.stats().num_outputs);
    shared.clear();
    assert_eq!(shared.stats().num_namespaces, 0);
}

#[test]
fn the_memory_bound_holds_and_the_oldest_go_first() {
    let mut random = Random(5);
    let max_size_bytes = 400_000;
    let shared = index(IndexOptions {
        max_size_bytes,
        ..IndexOptions::default()
    });
    let mut last = 0;
    for _ in 0..200 {
        let prompt = random.text(50, 1000);
        let mut request = start(&shared, &prompt);
        for _ in 0..5 {
            let text = random.text(30, 1000);
            request.extend(&text).expect("tokens are valid");
            assert!(shared.stats().size_bytes <= max_size_bytes);
        }
        last = request.id();
        request.finish();
        assert!(shared.stats().size_bytes <= max_size_bytes);
    }
    let held = shared.stats().num_outputs;
    assert!((2..200).contains(&held));
    assert!(shared.remove(last));
    assert!(!shared.remove(0));
    shared.clear();
    assert_eq!(shared.stats().size_bytes, 0);
}

#[test]
fn a_text_that_does_not_fit_drafts_nothing_and_breaks_nothing() {
    let shared = index(IndexOptions {
        max_size_bytes: 20_000,
        ..IndexOptions::default()
    });
    let mut request = start(&shared, &[3; 50]);
    assert!(request.fits());
    request.extend(&[4; 5000]).expect("tokens are valid");
    assert!(!request.fits());
    assert_eq!(propose(&mut request, 8), Proposal::root(4));
    request.finish();
    assert!(shared.stats().size_bytes <= 20_000);
}

#[test]
fn refusals_change_nothing_and_name_the_way_out() {
    let shared = index(IndexOptions::default());
    let mut request = start(&shared, &[]);
    let code = |result: Result<Proposal, DraftingError>| result.expect_err("this is refused").code();
    assert_eq!(code(request.propose(1, ProposeOptions::default())), "request_empty");
    assert_eq!(
        request.extend(&[1, -1]).expect_err("this is refused").code(),
        "token_id_negative"
    );
    assert_eq!(request.num_tokens(), 0);
    request.extend(&[1, 2]).expect("tokens are valid");
    assert_eq!(code(request.propose(1 << 20, ProposeOptions::default())), "draft_budget");
    for cost in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(code(request.propose(1, priced(cost))), "width_cost");
        assert_eq!(code(request.propose(1, with_setup(0.1, cost))), "width_cost");
    }
    assert_eq!(propose(&mut request, 0), Proposal::root(2));
    let blend = BlendOptions {
        strength: f64::NAN,
        ..BlendOptions::default()
    };
    let refused = RetrievalIndex::new(IndexOptions {
        blend,
        ..IndexOptions::default()
    });
    assert_eq!(refused.err().map(|error| error.code()), Some("index_options"));
}

#[test]
fn snapshots_come_back_whole_or_not_at_all() {
    let shared = index(IndexOptions::default());
    shared.insert(&[1, 2, 3, 1, 2, 4], "").expect("tokens are valid");
    shared.insert(&[5, 6], "tenant").expect("tokens are valid");
    let data = shared.to_bytes(77);
    let other = index(IndexOptions::default());
    assert_eq!(other.restore(&data, 77), Ok(2));
    assert_eq!(propose(&mut start(&other, &[1]), 5), propose(&mut start(&shared, &[1]), 5));
    assert!(other.restore(&data, 78).is_err());
    for cut in 0..data.len() {
        assert!(other.restore(&data[..cut], 77).is_err());
    }
    for place in 0..data.len() {
        let mut damaged = data.clone();
        damaged[place] ^= 0x40;
        assert!(other.restore(&damaged, 77).is_err());
    }
    assert_eq!(other.stats().num_outputs, 2);
}

#[test]
fn noise_ranks_as_the_sampler_does() {
    // Text drawn from a known distribution by the sampler's rule: a drafter that reads the noise foresees more of it.
    let table: Vec<Vec<f64>> = (0..6)
        .map(|from| (0..6).map(|to| ((from * 5 + to * 3) % 7 + 1) as f64).collect())
        .collect();
    let draw = |noise: Noise, at: u64, last: i32| {
        let weigh = |to: usize| table[last as usize][to] * Noise::factor(noise.key(at), to as u32);
        (0..6)
            .max_by(|&left, &right| weigh(left).total_cmp(&weigh(right)))
            .expect("six tokens") as i32
    };
    let mut prompt = vec![0];
    for at in 0..3000 {
        prompt.push(draw(Noise { seed: 1, sample: 0 }, at, prompt[prompt.len() - 1]));
    }
    let noise = Noise { seed: 2, sample: 3 };
    let shared = index(IndexOptions::default());
    let mut request = start(&shared, &prompt);
    let (mut with, mut without, mut last) = (0, 0, prompt[prompt.len() - 1]);
    for at in 0..500 {
        let token = draw(noise, at, last);
        let guess = request
            .propose(
                1,
                ProposeOptions {
                    noise: Some(noise),
                    ..Default::default()
                },
            )
            .expect("a live request proposes");
        with += (guess.token_ids[1] == token) as u32;
        without += (propose(&mut request, 1).token_ids[1] == token) as u32;
        request.extend(&[token]).expect("tokens are valid");
        last = token;
    }
    assert!(with > without + 150, "{with} {without}");
}

#[test]
fn threads_may_share_an_index() {
    let shared = index(IndexOptions {
        max_size_bytes: 300_000,
        ..IndexOptions::default()
    });
    let work = |seed: u64| {
        let mut random = Random(seed);
        for _ in 0..60 {
            let prompt = random.text(40, 50);
            let mut request = start(&shared, &prompt);
            for _ in 0..8 {
                let tree = request.propose(16, priced(0.01)).expect("a live request proposes");
                let text = if tree.token_ids.len() > 1 {
                    vec![tree.token_ids[1]]
                } else {
                    random.text(3, 50)
                };
                request.extend(&text).expect("tokens are valid");
            }
            request.finish();
            shared.remove(request.id().saturating_sub(9));
            shared.stats();
        }
    };
    std::thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || work(seed));
        }
    });
    assert!(shared.stats().size_bytes <= 300_000);
    shared.clear();
    assert_eq!(shared.stats().size_bytes, 0);
}

#[test]
fn shared_types_are_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<RetrievalIndex>();
    check::<crate::TrieStore>();
    check::<Request>();
}
