use super::*;
use crate::bitmask;
use crate::trie::tests::Random;

/// Every token is looked at, sorted and given its noise.
fn slowly(row: Row<'_>, settings: &Settings, key: u64) -> Result<TokenId, NoChoice> {
    let is_allowed = |token: TokenId| row.mask.is_none_or(|words| bitmask::test(words, token));
    let allowed: Vec<TokenId> = (0..row.logits.len() as TokenId).filter(|&token| is_allowed(token)).collect();
    let logit = |token: TokenId| f64::from(row.logits[token as usize]);
    if allowed.iter().any(|&token| logit(token).is_nan()) {
        return Err(NoChoice::NotANumber);
    }
    let best = allowed.iter().map(|&token| logit(token)).fold(f64::NEG_INFINITY, f64::max);
    if best == f64::NEG_INFINITY {
        return Err(NoChoice::Nothing);
    }
    let infinite = best == f64::INFINITY;
    let mut kept: Vec<Candidate> = allowed
        .into_iter()
        .filter(|&token| {
            if infinite {
                logit(token) == best
            } else {
                logit(token) > f64::NEG_INFINITY
            }
        })
        .map(|token| Candidate {
            z: if infinite {
                0.0
            } else {
                (logit(token) - best)
                    / if settings.temperature == 0.0 {
                        1.0
                    } else {
                        settings.temperature
                    }
            },
            token,
        })
        .collect();
    kept.sort_by(Candidate::order);
    if settings.temperature == 0.0 {
        return Ok(kept[0].token);
    }
    if !infinite {
        kept.truncate(settings.top_k.unwrap_or(usize::MAX));
        let total: f64 = kept.iter().map(|candidate| candidate.z.exp()).sum();
        let (mut before, wanted) = (0.0, settings.top_p.unwrap_or(2.0) * total);
        kept.retain(|candidate| {
            let stays = before < wanted;
            before += candidate.z.exp();
            stays
        });
        kept.retain(|candidate| candidate.z.exp() >= settings.min_p.unwrap_or(0.0));
    }
    let mut leader = Leader::NOBODY;
    for candidate in kept {
        leader.meet(candidate.z, Noise::bits(key, candidate.token), candidate.token);
    }
    Ok(leader.token)
}

fn pick<T: Copy>(random: &mut Random, options: &[T]) -> T {
    options[random.below(options.len())]
}

fn random_logits(random: &mut Random, size: usize) -> Vec<f32> {
    let kind = random.below(6);
    let scale = pick(random, &[0.0f32, 0.3, 3.0, 30.0]);
    let mut logits: Vec<f32> = (0..size)
        .map(|_| {
            let unit = (random.next() >> 40) as f32 / (1u64 << 24) as f32;
            match kind {
                0 => (unit * 4.0).floor() * scale,
                1 => -scale * (unit + 1e-6).ln(),
                _ => scale * (unit - 0.5),
            }
        })
        .collect();
    if kind == 2 {
        for _ in 0..1 + size / 3 {
            logits[random.below(size)] = f32::NEG_INFINITY;
        }
    }
    if kind == 3 && random.below(4) == 0 {
        let odd = pick(random, &[f32::INFINITY, f32::NAN, f32::MAX, f32::MIN]);
        for _ in 0..1 + random.below(3) {
            logits[random.below(size)] = odd;
        }
    }
    logits
}

fn random_mask(random: &mut Random, size: usize) -> Option<Vec<u32>> {
    let mut words = vec![0; bitmask::words_for(size) - usize::from(size > 64 && random.below(4) == 0)];
    let inside = size.min(words.len() * WORD_BITS);
    match random.below(6) {
        0 => return None,
        1 => bitmask::set(&mut words, random.below(inside) as u32),
        2 => bitmask::fill(&mut words, inside),
        kind => {
            for token in 0..inside as u32 {
                if random.below(40) < [1, 12, 37][kind - 3] {
                    bitmask::set(&mut words, token);
                }
            }
        }
    }
    Some(words)
}

#[test]
fn the_choice_is_that_of_sorting_everything() {
    let (mut random, mut chooser) = (Random(3), Chooser::default());
    let (mut refused, mut differing) = (0, 0);
    for number in 0..30_000 {
        let size = 1 + pick(&mut random, &[3, 33, 64, 200, 700]) - random.below(3);
        let logits = random_logits(&mut random, size);
        let mask = random_mask(&mut random, size);
        let row = Row {
            logits: &logits,
            mask: mask.as_deref(),
        };
        let settings = Settings {
            temperature: pick(&mut random, &[0.0, 0.2, 0.8, 1.0, 3.0]),
            top_k: pick(&mut random, &[None, None, Some(1), Some(2), Some(17), Some(100_000)]),
            top_p: pick(&mut random, &[None, None, Some(0.05), Some(0.617), Some(0.95), Some(1.0)]),
            min_p: pick(&mut random, &[None, None, Some(0.0), Some(0.011), Some(0.5)]),
        };
        let key = Noise { seed: number, sample: 0 }.key(5);
        let (found, wanted) = (chooser.choose(row, &settings, key), slowly(row, &settings, key));
        assert_eq!(found, wanted, "{number} {settings:?}");
        refused += usize::from(found.is_err());
        differing += usize::from(found != chooser.choose(row, &Settings::default(), 0));
    }
    assert!(refused > 200 && differing > 5_000, "{refused} {differing}");
}

#[test]
fn a_walk_ends_where_no_child_carries_the_token() {
    // Rows say: behind node n the token n + 1 is best.
    let rows: Vec<Vec<f32>> = (0..5)
        .map(|node| (0..8).map(|token| if token == node + 1 { 1.0 } else { 0.0 }).collect())
        .collect();
    let walk = |token_ids: &[i32], parents: &[i32]| {
        let row_of = |node: usize| Row {
            logits: &rows[node],
            mask: None,
        };
        let noise = Noise { seed: 0, sample: 0 };
        choose_along(
            &mut Chooser::default(),
            row_of,
            token_ids,
            parents,
            &Settings::default(),
            noise,
            0,
        )
    };
    assert_eq!(walk(&[7], &[-1]), Ok(vec![1]));
    assert_eq!(walk(&[7, 1, 5], &[-1, 0, 1]), Ok(vec![1, 2]));
    assert_eq!(
        walk(&[7, 1, 1, 2], &[-1, 0, 0, 1]),
        Ok(vec![1, 2, 4]),
        "the first of equal siblings stands"
    );
    assert_eq!(walk(&[7, 3, 1, 3], &[-1, 0, 0, 2]), Ok(vec![1, 3, 4]));
}

#[test]
fn a_row_without_a_choice_ends_a_walk_before_it() {
    let rows = [vec![0.0, 1.0], vec![f32::NAN, 0.0]];
    let walk = |first: usize| {
        let row_of = |node: usize| Row {
            logits: &rows[node + first],
            mask: None,
        };
        let noise = Noise { seed: 0, sample: 0 };
        choose_along(
            &mut Chooser::default(),
            row_of,
            &[0, 1][..2 - first],
            &[-1, 0],
            &Settings::default(),
            noise,
            0,
        )
    };
    assert_eq!(walk(0), Ok(vec![1]));
    assert_eq!(walk(1), Err(NoChoice::NotANumber));
}
