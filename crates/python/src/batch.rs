//! One call for a whole batch: fill every row, accept a token in every matcher.
//!
//! What is remembered is served by the calling thread, row after row: a row costs about a microsecond, less than a thread
//! takes to wake, and the matchers of one grammar would wait for each other. Threads help where masks must be made, one
//! grammar each, and where the rows alone are more than the caches hold.
use crate::buffer::Rows;
use crate::matcher::{fail, token_id, Matcher};
use crate::pool;
use penstock_matcher as matcher;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::Arc;

/// Fills one row for each matcher: row `rows[i]` (default `i`) for `matchers[i]`. Rows are independent: the answer holds,
/// for each matcher, what its `fill_next_token_bitmask` would have returned, or the error it would have raised.
#[pyfunction]
#[pyo3(signature = (matchers, bitmask, rows=None))]
pub fn fill_next_token_bitmasks<'py>(
    py: Python<'py>,
    matchers: Vec<PyRefMut<'py, Matcher>>,
    bitmask: &Bound<'py, PyAny>,
    rows: Option<Vec<usize>>,
) -> PyResult<Bound<'py, PyList>> {
    let mut matchers = matchers;
    let targets = rows.unwrap_or_else(|| (0..matchers.len()).collect());
    if targets.len() != matchers.len() {
        let (rows, count) = (targets.len(), matchers.len());
        return Err(PyValueError::new_err(format!(
            "`{rows}` rows for `{count}` matchers; give one row for each"
        )));
    }
    let mut sorted = targets.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(PyValueError::new_err(
            "two matchers would write one row; give each a row of its own",
        ));
    }
    let mut view = Rows::new(bitmask)?;
    let mut slots: Vec<Option<&mut [u32]>> = view.rows_mut().into_iter().map(Some).collect();
    if let Some(&row) = targets.iter().find(|&&row| row >= slots.len()) {
        let count = slots.len();
        return Err(PyValueError::new_err(format!(
            "row `{row}` is outside the bitmask of `{count}` rows; allocate more"
        )));
    }
    let mut jobs: Vec<Fill<'_>> = Vec::with_capacity(matchers.len());
    for (matcher, &row) in matchers.iter_mut().zip(&targets) {
        jobs.push(Fill {
            matcher: &mut matcher.inner,
            row: slots[row].take().expect("rows are distinct"),
            outcome: None,
        });
    }
    py.detach(|| fill_all(&mut jobs));
    listed(py, jobs.into_iter().map(|job| job.outcome.unwrap_or(Ok(true)).map_err(fail)))
}

/// Reads one token for each matcher: `token_ids[i]` for `matchers[i]`. Rows are independent: the answer holds, for each
/// matcher, what its `accept_token` would have returned, or the error it would have raised.
#[pyfunction]
#[pyo3(signature = (matchers, token_ids))]
pub fn accept_next_tokens<'py>(
    py: Python<'py>,
    matchers: Vec<PyRefMut<'py, Matcher>>,
    token_ids: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    let mut matchers = matchers;
    let tokens: Vec<i64> = token_ids.try_iter()?.map(|id| id?.extract()).collect::<PyResult<_>>()?;
    if tokens.len() != matchers.len() {
        let (tokens, count) = (tokens.len(), matchers.len());
        return Err(PyValueError::new_err(format!(
            "`{tokens}` tokens for `{count}` matchers; give one token for each"
        )));
    }
    let mut jobs: Vec<Accept<'_>> = Vec::with_capacity(matchers.len());
    for (matcher, token) in matchers.iter_mut().zip(tokens) {
        jobs.push((&mut matcher.inner, token, None));
    }
    let accept = |job: &mut Accept<'_>| job.2 = u32::try_from(job.1).ok().map(|token| job.0.accept_token(token));
    py.detach(|| match jobs.len() < PARALLEL_ACCEPTS {
        true => jobs.iter_mut().for_each(accept),
        false => by_grammar(&mut jobs, |job| &*job.0, accept),
    });
    listed(
        py,
        jobs.into_iter().map(|(_, token, outcome)| match outcome {
            Some(outcome) => outcome.map_err(fail),
            None => token_id(token).map(|_| false),
        }),
    )
}

/// Batches whose rows hold this much together are written by several threads even if every mask is remembered.
const PARALLEL_BYTES: usize = 8 << 20;

/// How many neighbours one thread takes at once while nothing has to be made.
const ROWS_AT_ONCE: usize = 32;

/// Batches of fewer matchers accept their tokens in the calling thread.
const PARALLEL_ACCEPTS: usize = 128;

type Outcome = Result<bool, matcher::MatcherError>;
/// A matcher, the token that it is to read, and what came of it; None for a number that is no id.
type Accept<'a> = (&'a mut matcher::Matcher, i64, Option<Outcome>);

struct Fill<'a> {
    matcher: &'a mut matcher::Matcher,
    row: &'a mut [u32],
    outcome: Option<Outcome>,
}

/// Remembered masks first; those that must be made are handed to the threads, since each may take milliseconds.
fn fill_all(jobs: &mut [Fill<'_>]) {
    let num_bytes: usize = jobs.iter().map(|job| 4 * job.row.len()).sum();
    let chunk = match num_bytes < PARALLEL_BYTES {
        true => jobs.len(),
        false => ROWS_AT_ONCE,
    };
    pool::for_each(jobs, chunk, |job| {
        job.outcome = job.matcher.fill_remembered_bitmask(job.row).transpose();
    });
    let mut missing: Vec<&mut Fill<'_>> = jobs.iter_mut().filter(|job| job.outcome.is_none()).collect();
    by_grammar(
        &mut missing,
        |job| &*job.matcher,
        |job| {
            job.outcome = Some(job.matcher.fill_next_token_bitmask(job.row));
        },
    );
}

/// Works on all jobs, those of one grammar by one thread: they would wait for its lock.
fn by_grammar<T: Send>(jobs: &mut [T], matcher_of: impl Fn(&T) -> &matcher::Matcher, work: impl Fn(&mut T) + Sync) {
    let grammar = |job: &&mut T| Arc::as_ptr(matcher_of(job).compiled());
    let mut all: Vec<&mut T> = jobs.iter_mut().collect();
    all.sort_by_key(grammar);
    let mut groups: Vec<&mut [&mut T]> = all.chunk_by_mut(|a, b| grammar(a) == grammar(b)).collect();
    pool::for_each(&mut groups, 1, |group| group.iter_mut().for_each(|job| work(job)));
}

/// Answers and errors as a list.
fn listed<'py>(py: Python<'py>, outcomes: impl Iterator<Item = PyResult<bool>>) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for outcome in outcomes {
        match outcome {
            Ok(answer) => list.append(answer)?,
            Err(error) => list.append(error.into_value(py))?,
        }
    }
    Ok(list)
}

/// The functions of this file.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(fill_next_token_bitmasks, module)?)?;
    module.add_function(wrap_pyfunction!(accept_next_tokens, module)?)
}
