//! The meta-schemas of the drafts, read when they are first referred to.
use serde_json::{Map, Value};
use std::sync::OnceLock;

const FILES: [&str; 5] = [
    include_str!("../data/draft4.json"),
    include_str!("../data/draft6.json"),
    include_str!("../data/draft7.json"),
    include_str!("../data/draft201909.json"),
    include_str!("../data/draft202012.json"),
];

/// The meta-schema or vocabulary with this address, without its fragment.
pub(crate) fn find(uri: &str) -> Option<&'static Value> {
    static ALL: OnceLock<Vec<Map<String, Value>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let read = |text| serde_json::from_str(text).expect("the data files are objects by address");
        FILES.iter().copied().map(read).collect()
    });
    all.iter().find_map(|file| file.get(uri))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_draft_has_its_metaschema() {
        for uri in [
            "http://json-schema.org/draft-04/schema",
            "http://json-schema.org/draft-06/schema",
            "http://json-schema.org/draft-07/schema",
            "https://json-schema.org/draft/2019-09/schema",
            "https://json-schema.org/draft/2020-12/meta/unevaluated",
        ] {
            assert!(super::find(uri).is_some(), "{uri}");
        }
    }
}
