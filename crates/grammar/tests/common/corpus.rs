//! Reads `corpus/*.md`; the format is described in `corpus/README.md`.
use std::path::PathBuf;

#[derive(Clone, Debug, Default)]
pub struct Case {
    pub file: String,
    pub heading: String,
    pub grammar: String,
    pub accept: Vec<String>,
    pub reject: Vec<String>,
    pub errors: Vec<String>,
}

/// All cases of one folder of the corpus, ordered by file.
pub fn cases(folder: &str) -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../corpus").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    files.iter().flat_map(read).collect()
}

fn read(path: &PathBuf) -> Vec<Case> {
    let text = std::fs::read_to_string(path).expect("a readable file");
    let file = path.file_name().expect("a file").to_string_lossy().into_owned();
    let mut cases: Vec<Case> = Vec::new();
    let mut block: Option<(&str, Vec<&str>)> = None;
    for line in text.lines() {
        if let Some((kind, mut lines)) = block.take() {
            if line.starts_with("```") {
                let case = cases.last_mut().expect("blocks stand under a heading");
                fill(case, kind, &lines);
            } else {
                lines.push(line);
                block = Some((kind, lines));
            }
        } else if let Some(kind) = line.strip_prefix("```") {
            block = Some((kind.trim(), Vec::new()));
        } else if let Some(heading) = line.strip_prefix("## ") {
            cases.push(Case {
                file: file.clone(),
                heading: heading.to_owned(),
                ..Case::default()
            });
        }
    }
    cases
}

fn fill(case: &mut Case, kind: &str, lines: &[&str]) {
    let strings = || {
        let lines = lines.iter().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    };
    match kind {
        "grammar" => case.grammar = lines.join("\n"),
        "accept" => case.accept = strings(),
        "reject" => case.reject = strings(),
        "error" => case.errors = strings(),
        other => panic!("{}: unknown block `{other}` in `{}`", case.file, case.heading),
    }
}
