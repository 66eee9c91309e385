//! The outgoing edges of a term: a piecewise constant function from characters to terms.
use crate::charset::MAX_CHAR;
use crate::regex::{Limit, Node, RegexId, Regexes};
use std::sync::Arc;

/// For every character the term that is left after it, as pieces: `(first character, target)`, ascending, the first at 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pieces: Vec<(u32, RegexId)>,
}

impl Row {
    /// The pieces: each holds from its first character up to the next piece.
    pub fn pieces(&self) -> &[(u32, RegexId)] {
        &self.pieces
    }

    /// The target of one character. Cost: logarithmic in the number of pieces.
    pub fn target(&self, character: u32) -> RegexId {
        let after = self.pieces.partition_point(|piece| piece.0 <= character);
        self.pieces[after - 1].1
    }

    /// The piece that holds this character: its first and last character, and its target.
    pub fn piece_at(&self, character: u32) -> (u32, u32, RegexId) {
        let after = self.pieces.partition_point(|piece| piece.0 <= character);
        let (start, target) = self.pieces[after - 1];
        let end = self.pieces.get(after).map_or(MAX_CHAR, |next| next.0 - 1);
        (start, end, target)
    }

    /// The pieces as inclusive ranges whose target is not [`RegexId::NEVER`].
    pub fn ranges(&self) -> impl Iterator<Item = (u32, u32, RegexId)> + '_ {
        self.pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| piece.1 != RegexId::NEVER)
            .map(|(i, piece)| {
                let end = self.pieces.get(i + 1).map_or(MAX_CHAR, |next| next.0 - 1);
                (piece.0, end, piece.1)
            })
    }

    /// Whether some character in `low..=high` leads on.
    pub fn any_in(&self, low: u32, high: u32) -> bool {
        let first = self.pieces.partition_point(|piece| piece.0 <= low) - 1;
        self.pieces[first..]
            .iter()
            .take_while(|piece| piece.0 <= high)
            .any(|piece| piece.1 != RegexId::NEVER)
    }

    pub(crate) fn pruned(&self, dead: &[RegexId]) -> Row {
        self.map(|target| if dead.contains(&target) { RegexId::NEVER } else { target })
    }

    pub(crate) fn constant(target: RegexId) -> Row {
        Row {
            pieces: vec![(0, target)],
        }
    }

    /// Drops the pieces behind the last character.
    pub(crate) fn without_end(mut self) -> Row {
        self.pieces.retain(|piece| piece.0 <= MAX_CHAR);
        self
    }

    /// From `start` on, what was pushed before is replaced; starts ascend.
    pub(crate) fn push(&mut self, start: u32, target: RegexId) {
        match self.pieces.last_mut() {
            Some(last) if last.1 == target => {}
            Some(last) if last.0 == start => last.1 = target,
            _ => self.pieces.push((start, target)),
        }
    }

    fn map(&self, mut change: impl FnMut(RegexId) -> RegexId) -> Row {
        let mut out = Row {
            pieces: Vec::with_capacity(self.pieces.len()),
        };
        let (mut last, mut answer) = (None, RegexId::NEVER);
        for &(start, target) in &self.pieces {
            if last != Some(target) {
                (last, answer) = (Some(target), change(target));
            }
            out.push(start, answer);
        }
        out
    }
}

/// Combines rows piece by piece; `join` sees the targets of one piece, in the order of the rows.
fn zip(rows: &[Arc<Row>], mut join: impl FnMut(&[RegexId]) -> RegexId) -> Row {
    let mut starts: Vec<u32> = rows.iter().flat_map(|row| row.pieces.iter().map(|piece| piece.0)).collect();
    starts.sort_unstable();
    starts.dedup();
    let mut at = vec![0; rows.len()];
    let mut out = Row {
        pieces: Vec::with_capacity(starts.len()),
    };
    let mut targets = vec![RegexId::NEVER; rows.len()];
    for start in starts {
        for (i, row) in rows.iter().enumerate() {
            while at[i] + 1 < row.pieces.len() && row.pieces[at[i] + 1].0 <= start {
                at[i] += 1;
            }
            targets[i] = row.pieces[at[i]].1;
        }
        let target = join(&targets);
        out.push(start, target);
    }
    out
}

impl Regexes {
    /// The edges of a term. Targets may still be dead where the term holds *and* or *not*: see [`Regexes::live_row`].
    ///
    /// # Errors
    /// `max_regex_states`.
    pub fn row(&mut self, term: RegexId) -> Result<Arc<Row>, Limit> {
        if let Some(row) = &self.rows[term.0 as usize] {
            return Ok(row.clone());
        }
        if self.nodes.len() > self.max_regex_states {
            return Err(Limit {
                name: "max_regex_states",
                configured: self.max_regex_states as u64,
            });
        }
        let row = Arc::new(self.build_row(term)?);
        self.rows[term.0 as usize] = Some(row.clone());
        Ok(row)
    }

    /// The term that is left after `character`, [`RegexId::NEVER`] where nothing can follow.
    ///
    /// # Errors
    /// `max_regex_states`, `max_emptiness_states`.
    pub fn step(&mut self, term: RegexId, character: u32) -> Result<RegexId, Limit> {
        Ok(self.live_row_ref(term)?.target(character))
    }

    fn build_row(&mut self, term: RegexId) -> Result<Row, Limit> {
        Ok(match self.node(term).clone() {
            Node::Never | Node::Empty | Node::External(_) => Row::constant(RegexId::NEVER),
            Node::Class(set) => {
                let mut row = Row::constant(RegexId::NEVER);
                for &(low, high) in set.ranges() {
                    row.push(low, RegexId::EMPTY);
                    if high < MAX_CHAR {
                        row.push(high + 1, RegexId::NEVER);
                    }
                }
                row
            }
            Node::Concat(..) => self.concat_row(term)?,
            Node::Or(parts) => {
                let rows = self.rows_of(&parts)?;
                zip(&rows, |targets| self.or(targets))
            }
            Node::And(parts) => {
                let rows = self.rows_of(&parts)?;
                zip(&rows, |targets| self.and(targets))
            }
            Node::Not(part) => {
                let row = self.row(part)?.map(|target| self.not(target));
                without_surrogates(&row)
            }
            Node::Repeat { body, min, max } => {
                let max = if max == crate::INFINITE { max } else { max - 1 };
                let rest = self.repeat(body, min.saturating_sub(1), max);
                self.row(body)?.map(|target| self.concat(target, rest))
            }
            Node::Loop { spec, place } => {
                let unrolled = self.unroll(spec, place);
                (*self.row(unrolled)?).clone()
            }
            Node::Scan { scan, node, least } => self.scan_row(scan, node, least),
            Node::Words { list, low, high, depth } => self.words_row(list, low, high, depth),
        })
    }

    fn rows_of(&mut self, parts: &[RegexId]) -> Result<Vec<Arc<Row>>, Limit> {
        parts.iter().map(|&part| self.row(part)).collect()
    }

    /// A loop over the spine and no recursion: `a?b?c?...` is as deep as the user likes.
    fn concat_row(&mut self, term: RegexId) -> Result<Row, Limit> {
        let (mut rows, mut rest) = (Vec::new(), term);
        loop {
            let (head, tail) = match *self.node(rest) {
                Node::Concat(head, tail) => (head, tail),
                _ => (rest, RegexId::EMPTY),
            };
            let row = self.row(head)?.map(|target| self.concat(target, tail));
            rows.push(Arc::new(row));
            if tail == RegexId::EMPTY || !self.is_nullable(head) {
                break;
            }
            rest = tail;
        }
        if rows.len() == 1 {
            return Ok((*rows[0]).clone());
        }
        Ok(zip(&rows, |targets| self.or(targets)))
    }

    fn words_row(&mut self, list: u32, low: u32, high: u32, depth: u32) -> Row {
        let words = self.words[list as usize].clone();
        let mut row = Row::constant(RegexId::NEVER);
        let mut i = low as usize;
        if words[i].len() == depth as usize {
            i += 1;
        }
        while i < high as usize {
            let character = words[i][depth as usize];
            let same = words[i..high as usize].partition_point(|word| word[depth as usize] <= character);
            let target = self.words_term(&words, list, i as u32, (i + same) as u32, depth + 1);
            row.push(character, target);
            row.push(character + 1, RegexId::NEVER);
            i += same;
        }
        row
    }

    /// A single word is an ordinary literal, so that equal rests of different lists are equal terms.
    fn words_term(&mut self, words: &[Box<[u32]>], list: u32, low: u32, high: u32, depth: u32) -> RegexId {
        if high - low > 1 {
            return self.intern(Node::Words { list, low, high, depth });
        }
        let text: String = words[low as usize][depth as usize..]
            .iter()
            .filter_map(|&c| char::from_u32(c))
            .collect();
        self.literal(&text)
    }

    /// The external symbols that may come next, each with what is left after it, ordered by symbol.
    pub fn externals(&mut self, term: RegexId) -> Vec<(u32, RegexId)> {
        let mut found: Vec<(u32, RegexId)> = Vec::new();
        self.collect_externals(term, RegexId::EMPTY, &mut found);
        found.sort_unstable();
        found.dedup();
        let mut out: Vec<(u32, RegexId)> = Vec::new();
        for (symbol, rest) in found {
            match out.last_mut() {
                Some(last) if last.0 == symbol => last.1 = self.or(&[last.1, rest]),
                _ => out.push((symbol, rest)),
            }
        }
        out
    }

    fn collect_externals(&mut self, term: RegexId, after: RegexId, out: &mut Vec<(u32, RegexId)>) {
        let mut rest = term;
        loop {
            if self.is_regular(rest) {
                return;
            }
            let (head, tail) = match *self.node(rest) {
                Node::Concat(head, tail) => (head, tail),
                _ => (rest, RegexId::EMPTY),
            };
            let follow = self.concat(tail, after);
            match self.node(head).clone() {
                Node::External(symbol) => out.push((symbol, follow)),
                Node::Or(parts) => parts.iter().for_each(|&part| self.collect_externals(part, follow, out)),
                Node::Repeat { body, min, max } => {
                    let max = if max == crate::INFINITE { max } else { max - 1 };
                    let again = self.repeat(body, min.saturating_sub(1), max);
                    let follow = self.concat(again, follow);
                    self.collect_externals(body, follow, out);
                }
                _ => {}
            }
            if tail == RegexId::EMPTY || !self.is_nullable(head) {
                return;
            }
            rest = tail;
        }
    }
}

/// The complement is taken within characters, and surrogates are none.
fn without_surrogates(row: &Row) -> Row {
    let mut out = Row {
        pieces: Vec::with_capacity(row.pieces.len() + 2),
    };
    for &(start, target) in row.pieces.iter().filter(|piece| piece.0 < 0xD800) {
        out.push(start, target);
    }
    out.push(0xD800, RegexId::NEVER);
    out.push(0xE000, row.target(0xE000));
    for &(start, target) in row.pieces.iter().filter(|piece| piece.0 > 0xE000) {
        out.push(start, target);
    }
    out
}
