//! Whether a mantissa can still become a number that meets the goal, and how.
//!
//! With more digits and an exponent, a coefficient `M` reaches the decimals `M.www... * 10^scale` for a range of scales, with
//! as many digits as are left. A piece of the goal's language is reached where, at some scale, the grid of those decimals
//! has a point in it with the right divisibility.
use super::cells::{Cell, Choice, Point, Side};
use super::prefix::{Mantissa, Stage};
use super::{Grid, MAX_WORK};
use num_bigint::BigUint;
use penstock_automata::Limit;

/// How a mantissa becomes a number that meets the goal; see [`Mantissa::completion`].
pub(super) struct Witness {
    pub scale: i64,
    pub more: Vec<u8>,
}

/// # Errors
/// `max_number_work`.
pub(super) fn witness(side: &Side, mantissa: &Mantissa, grid: &Grid) -> Result<Option<Witness>, Limit> {
    if mantissa.stage == Stage::Point && mantissa.room(grid) == 0 {
        return Ok(None);
    }
    let point = side.points.iter().find_map(|point| reach_point(point, mantissa, grid));
    match point {
        Some(witness) => Ok(Some(witness)),
        None => reach_cells(side, mantissa, grid, mantissa.room(grid)),
    }
}

/// A witness with few digits: the shortest to a single number, or one that uses a coarse grid.
///
/// # Errors
/// `max_number_work`.
pub(super) fn short_text(side: &Side, mantissa: &Mantissa, grid: &Grid) -> Result<Option<String>, Limit> {
    let room = mantissa.room(grid);
    if mantissa.stage == Stage::Point && room == 0 {
        return Ok(None);
    }
    let spell = |witness: Witness| mantissa.completion(witness.scale, &witness.more, grid);
    let points = side.points.iter().filter_map(|point| reach_point(point, mantissa, grid));
    let mut best = points.map(spell).min_by_key(|text| plainness(text));
    for digits in [0, 1, 2, 3, 5, 8, 16, 32, 64]
        .into_iter()
        .filter(|&digits| digits < room)
        .chain([room])
    {
        if best.as_ref().is_some_and(|text| text.len() as i64 <= digits) {
            break;
        }
        if let Some(witness) = reach_cells(side, mantissa, grid, digits)? {
            let text = spell(witness);
            best = best.into_iter().chain([text]).min_by_key(|text| plainness(text));
            break;
        }
    }
    Ok(best)
}

/// Literals without an exponent come first, then those without a point, then short ones.
pub(super) fn plainness(text: &str) -> (bool, bool, usize) {
    (text.contains('e'), text.contains('.'), text.len())
}

fn reach_point(point: &Point, mantissa: &Mantissa, grid: &Grid) -> Option<Witness> {
    if point.digits.is_empty() {
        return mantissa.is_zero().then(|| Witness {
            scale: -mantissa.num_places,
            more: Vec::new(),
        });
    }
    let magnitude = point.exponent + point.digits.len() as i64 - 1;
    let (low, high) = mantissa.scales(grid);
    if mantissa.is_zero() {
        // 0.www * 10^scale: the first digit lies below the scale, the last one within the room.
        let scale = (magnitude + 1).max(low).max((-mantissa.num_places).min(high));
        let num_more = scale - point.exponent;
        if scale > high || num_more > mantissa.room(grid) {
            return reach_lower(point, mantissa, grid, magnitude);
        }
        return Some(padded(point, scale, num_more));
    }
    let written = &mantissa.significant;
    let same = written
        .iter()
        .enumerate()
        .all(|(i, digit)| point.digits.get(i).unwrap_or(&b'0') == digit);
    let scale = magnitude - (written.len() as i64 - 1);
    let more = point.digits.get(written.len()..).unwrap_or_default();
    let fits = (low..=high).contains(&scale) && more.len() as i64 <= mantissa.room(grid);
    (same && fits).then(|| Witness {
        scale,
        more: more.to_vec(),
    })
}

/// The lowest scale that a point above zero can have behind a zero coefficient.
fn reach_lower(point: &Point, mantissa: &Mantissa, grid: &Grid, magnitude: i64) -> Option<Witness> {
    let (low, high) = mantissa.scales(grid);
    let scale = (magnitude + 1).max(low);
    let num_more = scale - point.exponent;
    (scale <= high && num_more <= mantissa.room(grid)).then(|| padded(point, scale, num_more))
}

fn padded(point: &Point, scale: i64, num_more: i64) -> Witness {
    let mut more = vec![b'0'; num_more as usize - point.digits.len()];
    more.extend(&point.digits);
    Witness { scale, more }
}

fn reach_cells(side: &Side, mantissa: &Mantissa, grid: &Grid, digits: i64) -> Result<Option<Witness>, Limit> {
    let mut work = 0;
    for cell in &side.cells {
        for choice in &cell.choices {
            for scale in scales(cell, choice, mantissa, grid, digits) {
                work += 1;
                if work > MAX_WORK {
                    return Err(Limit {
                        name: "max_number_work",
                        configured: MAX_WORK,
                    });
                }
                if let Some(witness) = reach_cell(cell, choice, mantissa, grid, digits, scale) {
                    return Ok(Some(witness));
                }
            }
        }
    }
    Ok(None)
}

/// The scales at which some decimal of the right length lies in the cell, those without an exponent first.
fn scales(cell: &Cell, choice: &Choice, mantissa: &Mantissa, grid: &Grid, digits: i64) -> Vec<i64> {
    let (low, high) = mantissa.scales(grid);
    let num_significant = mantissa.significant.len() as i64;
    // At scale s a nonzero coefficient reaches numbers of exactly this many digits more than s (a zero one: at most). The cell's
    // lengths are estimates to the safe side.
    let ahead = num_significant + grid.places;
    let mut least = cell.least_length - ahead;
    if choice.is_multiple {
        least = least.max(choice.least_length - ahead);
    }
    let most = match num_significant {
        0 => cell.most_length + digits - grid.places,
        _ => cell.most_length - ahead,
    };
    let mut scales: Vec<i64> = (low.max(least)..=high.min(most)).collect();
    let home = -mantissa.num_places;
    scales.sort_by_key(|scale| ((scale - home).abs(), *scale));
    scales
}

fn reach_cell(cell: &Cell, choice: &Choice, mantissa: &Mantissa, grid: &Grid, digits: i64, scale: i64) -> Option<Witness> {
    let unit = grid.power(scale + grid.places);
    let first = &mantissa.coefficient * unit;
    let last = &first + unit - 1u8;
    let low = (&cell.low + 1u8).max(first);
    let high = (&cell.high - 1u8).min(last);
    if low > high {
        return None;
    }
    let power = scale + grid.places - digits;
    let found = match choice.is_multiple {
        true => choice.first_within(&choice.step(power), &low, &high)?,
        false => choice.first_within(grid.power(power), &low, &high)?,
    };
    let number = found / grid.power(power) - &mantissa.coefficient * grid.power(digits);
    Some(Witness {
        scale,
        more: digits_of(&number, digits as usize),
    })
}

/// `width` digits, without the zeros at their end.
fn digits_of(number: &BigUint, width: usize) -> Vec<u8> {
    let text = match number == &BigUint::ZERO {
        true => String::new(),
        false => format!("{:0>width$}", number.to_string()),
    };
    text.trim_end_matches('0').as_bytes().to_vec()
}
