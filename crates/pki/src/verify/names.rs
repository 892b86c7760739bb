//! Distinguished names: one text and one folded form for comparing, and the list of permitted names.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::asn1::{Any, BmpString, Ia5StringRef, PrintableStringRef, Utf8StringRef};
use der::{Encode, Tag, Tagged};
use serde::{Deserialize, Serialize};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::Name;

/// A distinguished name, as text to show and in a folded form to compare.
///
/// Two names are the same when their folded forms are equal bytes. Folding turns every string value
/// (printable, UTF-8, IA5, BMP, and Teletex where it is plain ASCII) into UTF-8 in lower case, without white
/// space at its ends and with single spaces inside; other values stay as they are. Source: RFC 5280 7.1, with
/// the simplification that all string types fold alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DistinguishedName {
    text: String,
    #[serde(skip)]
    folded: Vec<u8>,
}

impl DistinguishedName {
    /// The name in both forms.
    ///
    /// Errors: a value whose folded form cannot be encoded, which a decoded name never has.
    pub(crate) fn of(name: &Name) -> der::Result<Self> {
        let mut folded = Vec::with_capacity(128);
        for rdn in name.iter_rdn() {
            let mut attributes = Vec::with_capacity(48);
            for attribute in rdn.iter() {
                fold_attribute(attribute, &mut attributes)?;
            }
            Any::new(Tag::Set, attributes)?.encode_to_vec(&mut folded)?;
        }
        Ok(Self { text: text_of_name(name), folded })
    }

    /// The name as text. Source: RFC 4514.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Shape: the folded relative distinguished names in DER, one after the other, from the root down.
    pub fn folded(&self) -> &[u8] {
        &self.folded
    }

    /// The name without any part.
    pub fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Whether this name is `base` or stands below it.
    ///
    /// Each relative distinguished name carries its length, so a prefix of bytes is a prefix of names.
    pub fn is_within(&self, base: &Self) -> bool {
        self.folded.starts_with(&base.folded)
    }

    /// Whether both are the same name, whatever their string types, case and spacing.
    pub fn is_same(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl std::fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The name as RFC 4514 text: what `Name::to_string` writes, but without its search through all known
/// identifiers for the usual attributes, which would cost a sixth of a whole verification.
fn text_of_name(name: &Name) -> String {
    let mut text = String::with_capacity(96);
    let rdns: Vec<_> = name.iter_rdn().collect();
    for (number, rdn) in rdns.into_iter().rev().enumerate() {
        for (part, attribute) in rdn.iter().enumerate() {
            match (number, part) {
                (0, 0) => {}
                (_, 0) => text.push(','),
                _ => text.push('+'),
            }
            match plain_text(attribute) {
                Some((key, value)) => text.extend([key, "=", value]),
                None => text.push_str(&attribute.to_string()),
            }
        }
    }
    text
}

/// Key and value of a usual attribute whose value needs no escape.
fn plain_text(attribute: &AttributeTypeAndValue) -> Option<(&'static str, &str)> {
    const KEYS: [(ObjectIdentifier, &str); 6] = [
        (rfc4519::CN, "CN"),
        (rfc4519::C, "C"),
        (rfc4519::O, "O"),
        (rfc4519::OU, "OU"),
        (rfc4519::L, "L"),
        (rfc4519::ST, "ST"),
    ];
    let (_, key) = KEYS.iter().find(|(identifier, _)| *identifier == attribute.oid)?;
    let is_text = matches!(attribute.value.tag(), Tag::PrintableString | Tag::Utf8String);
    let value = std::str::from_utf8(attribute.value.value()).ok().filter(|_| is_text)?;
    let needs_escape = |c: char| c.is_ascii_control() || r#""+,;<>\"#.contains(c);
    let is_plain = !value.starts_with(['#', ' ']) && !value.ends_with(' ') && !value.contains(needs_escape);
    is_plain.then_some((*key, value))
}

/// SEQUENCE { type, folded value }
fn fold_attribute(attribute: &AttributeTypeAndValue, out: &mut Vec<u8>) -> der::Result<()> {
    let mut content = Vec::with_capacity(40);
    attribute.oid.encode_to_vec(&mut content)?;
    match text_of(&attribute.value) {
        Some(text) => Utf8StringRef::new(&fold_text(&text))?.encode_to_vec(&mut content)?,
        None => attribute.value.encode_to_vec(&mut content)?,
    };
    Any::new(Tag::Sequence, content)?.encode_to_vec(out)?;
    Ok(())
}

fn text_of(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::PrintableString => {
            value.decode_as::<PrintableStringRef<'_>>().ok().map(|s| s.as_str().to_owned())
        }
        Tag::Utf8String => value.decode_as::<Utf8StringRef<'_>>().ok().map(|s| s.as_str().to_owned()),
        Tag::Ia5String => value.decode_as::<Ia5StringRef<'_>>().ok().map(|s| s.as_str().to_owned()),
        Tag::BmpString => value.decode_as::<BmpString>().ok().map(|s| s.to_string()),
        // T.61 is a code of its own; only its ASCII part is the same in all readings.
        Tag::TeletexString => Some(value.value())
            .filter(|bytes| bytes.is_ascii())
            .and_then(|b| String::from_utf8(b.to_vec()).ok()),
        _ => None,
    }
}

fn fold_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.to_lowercase().split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Which names one rule permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameScope {
    /// The name itself.
    Exact,
    /// The name and all names below it.
    Subtree,
}

/// One entry of the list of permitted distinguished names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRule {
    /// The name as RFC 4514 text, for example `O=Operator A,C=CH`.
    pub name: String,
    /// What it permits.
    pub scope: NameScope,
}

/// Which subjects may be recorded. Source: X.1409 8.2.1 (3), the list of distinguished names (optional).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRules {
    /// The list; without a list all names are permitted, with an empty one none is.
    pub permitted: Option<Vec<NameRule>>,
}

/// The list, parsed.
#[derive(Clone, Debug)]
pub(crate) struct PermittedNames(Option<Vec<(DistinguishedName, NameScope)>>);

impl PermittedNames {
    /// Errors: the text of the first rule that is not a distinguished name.
    pub fn new(rules: &NameRules) -> Result<Self, String> {
        let parse = |rule: &NameRule| {
            let name: Name = rule.name.parse().map_err(|_| rule.name.clone())?;
            let name = DistinguishedName::of(&name).map_err(|_| rule.name.clone())?;
            if name.is_empty() { Err(rule.name.clone()) } else { Ok((name, rule.scope)) }
        };
        let permitted = rules.permitted.as_ref().map(|list| list.iter().map(parse).collect()).transpose()?;
        Ok(Self(permitted))
    }

    pub fn permits(&self, subject: &DistinguishedName) -> bool {
        let Some(rules) = &self.0 else { return true };
        rules.iter().any(|(name, scope)| match scope {
            NameScope::Exact => subject.is_same(name),
            NameScope::Subtree => subject.is_within(name),
        })
    }
}

/// Whether `name` is a DNS name as RFC 5280 4.2.1.6 wants it (RFC 1034 3.5, RFC 1123 2.1), or a wildcard of
/// one: labels of letters, digits and inner hyphens, no dot at either end, `*` only as the whole first label.
pub(crate) fn is_dns_name(name: &str, underscore_allowed: bool) -> bool {
    const NAME_BYTES_MAX: usize = 253;
    const LABEL_BYTES_MAX: usize = 63;
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let label_is_valid = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_BYTES_MAX
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || (underscore_allowed && b == b'_'))
    };
    name.len() <= NAME_BYTES_MAX && bare.split('.').all(label_is_valid)
}

/// Whether some name that the wildcard `*.suffix` stands for lies in the subtree `excluded`.
///
/// A wildcard stands for exactly one label, so `*.example.com` meets `bar.example.com`, `example.com` and
/// `com`, but not `a.bar.example.com`.
pub(crate) fn wildcard_meets_subtree(wildcard: &str, excluded: &str) -> bool {
    let Some(suffix) = wildcard.strip_prefix("*.") else { return false };
    let (suffix, excluded) = (suffix.to_ascii_lowercase(), excluded.to_ascii_lowercase());
    let is_below = |name: &str, base: &str| name.strip_suffix(base).is_some_and(|rest| rest.ends_with('.'));
    let one_label_above = excluded.split_once('.').is_some_and(|(_, parent)| parent == suffix);
    excluded.is_empty() || suffix == excluded || is_below(&suffix, &excluded) || one_label_above
}
