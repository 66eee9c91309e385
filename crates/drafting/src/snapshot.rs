//! Finished outputs as bytes, to warm an index up after a restart.
//!
//! Little endian: magic (8 bytes), version u32, fingerprint of the vocabulary u64, number of outputs u32; per output the length
//! of its namespace u32, the namespace in UTF-8, its number of tokens u32, the tokens i32; at the end a 64-bit FNV-1a of all
//! before it. Tokens are stored and nothing else: the links are built again, so no file can forge them. Everything is checked
//! before the first output is added.
use crate::error::DraftingError;
use crate::index::RetrievalIndex;

const MAGIC: &[u8; 8] = b"pnstkdrf";
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 8;

impl RetrievalIndex {
    /// The finished outputs; `fingerprint` names the vocabulary whose ids they are. Cost: linear.
    pub fn to_bytes(&self, fingerprint: u64) -> Vec<u8> {
        let outputs = self.outputs();
        let mut data = Vec::new();
        data.extend_from_slice(MAGIC);
        data.extend_from_slice(&VERSION.to_le_bytes());
        data.extend_from_slice(&fingerprint.to_le_bytes());
        data.extend_from_slice(&(outputs.len() as u32).to_le_bytes());
        for (namespace, tokens) in outputs {
            data.extend_from_slice(&(namespace.len() as u32).to_le_bytes());
            data.extend_from_slice(namespace.as_bytes());
            data.extend_from_slice(&(tokens.len() as u32).to_le_bytes());
            data.extend(tokens.iter().flat_map(|token| token.to_le_bytes()));
        }
        let checksum = fnv1a(&data);
        data.extend_from_slice(&checksum.to_le_bytes());
        data
    }

    /// Adds the outputs of `to_bytes` and returns their number. Cost: linear.
    ///
    /// # Errors
    /// `snapshot_refused` if the data is not a whole snapshot of this version and vocabulary; then nothing is added.
    pub fn restore(&self, data: &[u8], fingerprint: u64) -> Result<usize, DraftingError> {
        let outputs = read(data, fingerprint)?;
        for (namespace, tokens) in &outputs {
            self.insert(tokens, namespace)?;
        }
        Ok(outputs.len())
    }
}

fn fnv1a(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
    })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, num_bytes: usize) -> Result<&'a [u8], DraftingError> {
        if num_bytes > self.rest.len() {
            return Err(refused("it ends early"));
        }
        let (taken, rest) = self.rest.split_at(num_bytes);
        self.rest = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, DraftingError> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes were taken")))
    }

    fn u64(&mut self) -> Result<u64, DraftingError> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken")))
    }
}

fn refused(reason: &str) -> DraftingError {
    DraftingError::snapshot(format!("the snapshot is refused: {reason}; write a new one with `to_bytes`"))
}

fn read(data: &[u8], fingerprint: u64) -> Result<Vec<(String, Vec<i32>)>, DraftingError> {
    let Some(body_len) = data.len().checked_sub(CHECKSUM_BYTES) else {
        return Err(refused("it ends early"));
    };
    let (body, checksum) = data.split_at(body_len);
    let mut reader = Reader { rest: body };
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(refused("it was not written by penstock"));
    }
    let version = reader.u32()?;
    if version != VERSION {
        return Err(refused(&format!("its version is `{version}`, not `{VERSION}`")));
    }
    if fnv1a(body).to_le_bytes() != checksum {
        return Err(refused("its checksum does not fit"));
    }
    if reader.u64()? != fingerprint {
        return Err(refused("it belongs to another vocabulary"));
    }
    // Capacities follow the bytes that are there, never a number that the data claims.
    let mut outputs = Vec::new();
    for _ in 0..reader.u32()? {
        outputs.push(read_output(&mut reader)?);
    }
    match reader.rest {
        [] => Ok(outputs),
        _ => Err(refused("bytes follow its end")),
    }
}

fn read_output(reader: &mut Reader) -> Result<(String, Vec<i32>), DraftingError> {
    let name_len = reader.u32()? as usize;
    let name = std::str::from_utf8(reader.take(name_len)?).map_err(|_| refused("a namespace is not UTF-8"))?;
    let num_tokens = reader.u32()? as usize;
    let bytes = reader.take(num_tokens.saturating_mul(4))?;
    let token = |chunk: &[u8]| i32::from_le_bytes(chunk.try_into().expect("chunks have four bytes"));
    let tokens: Vec<i32> = bytes.chunks_exact(4).map(token).collect();
    if tokens.iter().any(|&token| token < 0) {
        return Err(refused("a token id is negative"));
    }
    Ok((name.to_owned(), tokens))
}
