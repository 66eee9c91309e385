//! Addresses: just enough of RFC 3986 to resolve `$id` and `$ref`.
use std::borrow::Cow;

/// An absolute or relative address, split. Borrowed from its text.
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

fn split(uri: &str) -> Parts<'_> {
    let scheme_end = uri
        .find([':', '/', '?', '#'])
        .filter(|&at| at > 0 && uri.as_bytes()[at] == b':');
    let (scheme, rest) = match scheme_end {
        Some(at) => (Some(&uri[..at]), &uri[at + 1..]),
        None => (None, uri),
    };
    let (rest, query) = match rest.find('?') {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    match rest.strip_prefix("//") {
        Some(after) => {
            let end = after.find('/').unwrap_or(after.len());
            Parts {
                scheme,
                authority: Some(&after[..end]),
                path: &after[end..],
                query,
            }
        }
        None => Parts {
            scheme,
            authority: None,
            path: rest,
            query,
        },
    }
}

/// The address and the fragment of a reference.
pub(super) fn split_fragment(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// `reference` (without fragment) against `base`.
pub(super) fn join(base: &str, reference: &str) -> String {
    if reference.is_empty() {
        return base.to_owned();
    }
    let (base, new) = (split(base), split(reference));
    if new.scheme.is_some() {
        return reference.to_owned();
    }
    let (authority, path) = if new.authority.is_some() {
        (new.authority, remove_dots(new.path))
    } else if new.path.starts_with('/') {
        (base.authority, remove_dots(new.path))
    } else if new.path.is_empty() {
        (base.authority, base.path.to_owned())
    } else {
        let folder = base.path.rfind('/').map_or("", |at| &base.path[..=at]);
        let folder = if folder.is_empty() && base.authority.is_some() {
            "/"
        } else {
            folder
        };
        (base.authority, remove_dots(&format!("{folder}{}", new.path)))
    };
    let mut out = String::new();
    if let Some(scheme) = base.scheme {
        out.push_str(scheme);
        out.push(':');
    }
    if let Some(authority) = authority {
        out.push_str("//");
        out.push_str(authority);
    }
    out.push_str(&path);
    if let Some(query) = new.query {
        out.push('?');
        out.push_str(query);
    }
    out
}

fn remove_dots(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').collect();
    for (i, &segment) in segments.iter().enumerate() {
        let last = i + 1 == segments.len();
        match segment {
            "." | ".." => {
                if segment == ".." && out.len() > 1 {
                    out.pop();
                }
                if last {
                    out.push("");
                }
            }
            _ => out.push(segment),
        }
    }
    out.join("/")
}

/// Percent-decoding; broken escapes stay as they are.
pub(super) fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|&byte| (byte as char).to_digit(16));
        match (bytes[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((16 * high + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_or(text.into(), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_joined_as_rfc_3986_says() {
        for (base, reference, joined) in [
            ("http://a/b/c/d?q", "g", "http://a/b/c/g"),
            ("http://a/b/c/d", "../g", "http://a/b/g"),
            ("http://a/b/c/d", "./", "http://a/b/c/"),
            ("http://a/b/c/d", "/g", "http://a/g"),
            ("http://a/b/c/d", "//g", "http://g"),
            ("http://a", "g", "http://a/g"),
            ("http://a/b", "urn:x:y", "urn:x:y"),
            ("", "item.json", "item.json"),
            ("urn:uuid:1", "", "urn:uuid:1"),
        ] {
            assert_eq!(join(base, reference), joined, "{base} {reference}");
        }
    }

    #[test]
    fn percent_escapes_are_decoded() {
        assert_eq!(percent_decode("a%25b%22"), "a%b\"");
        assert_eq!(percent_decode("100%"), "100%");
    }
}
