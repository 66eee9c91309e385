//! The name somebody may have meant.

/// Names longer than this are not compared.
const MAX_NAME_CHARS: usize = 64;

/// The name of `names` that is most like `wanted`, if any is like it at all.
pub(super) fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().collect();
    if wanted.len() > MAX_NAME_CHARS {
        return None;
    }
    let allowed = wanted.len().div_ceil(3);
    names
        .filter(|name| name.len() <= 4 * MAX_NAME_CHARS)
        .map(|name| (edit_distance(&wanted, &name.to_lowercase()), name))
        .filter(|&(distance, _)| distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// `did you mean ...?`, or all of `names` where none is like `wanted`.
pub(super) fn one_of_names(wanted: &str, what: &str, names: &[&str]) -> String {
    match nearest(wanted, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("the {what} are `{}`", names.join("`, `")),
    }
}

/// How many characters must be put in, taken out or exchanged to make one of the other (Levenshtein).
fn edit_distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, character) in b.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..a.len() {
            let exchanged = diagonal + usize::from(a[j] != character);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[a.len()]
}
