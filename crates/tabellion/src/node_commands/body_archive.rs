//! The archive of bodies that an operator names: a folder, or a bucket of an object store.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tabellion_node::{BodyArchive, BucketSettings};

/// What a bucket's address begins with.
const SCHEME: &str = "s3://";
/// The region where none is named.
const REGION: &str = "us-east-1";

/// The archive of this name. A folder is relative to `folder`; what a bucket needs is in the environment, by
/// the variables that other programs use: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
/// `AWS_REGION`, `AWS_ENDPOINT_URL`.
pub fn body_archive(name: &str, folder: &Path) -> Result<BodyArchive> {
    match name.strip_prefix(SCHEME) {
        Some(rest) => {
            let settings = settings(rest, |variable| std::env::var(variable).ok())?;
            BodyArchive::in_bucket(settings).with_context(|| format!("the archive {name}"))
        }
        None => Ok(BodyArchive::new(folder.join(name))),
    }
}

fn settings(rest: &str, variable: impl Fn(&str) -> Option<String>) -> Result<BucketSettings> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    // A key with such parts would be one of another place.
    let is_path = prefix.is_empty() || prefix.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if bucket.is_empty() || !is_path {
        bail!("'{SCHEME}{rest}' is no archive: {SCHEME}bucket/prefix");
    }
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let needed = |name: &str| {
        set(name).with_context(|| format!("the archive {SCHEME}{rest} needs {name} in the environment"))
    };
    Ok(BucketSettings {
        endpoint: set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL")),
        region: set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")).unwrap_or_else(|| REGION.to_owned()),
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        key: needed("AWS_ACCESS_KEY_ID")?,
        secret: needed("AWS_SECRET_ACCESS_KEY")?,
        token: set("AWS_SESSION_TOKEN"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_in_a_bucket_needs_a_name_and_a_key() {
        let all = |name: &str| (name != "AWS_SESSION_TOKEN").then(|| name.to_lowercase());
        let none = |_: &str| None;
        let no_secret = |name: &str| (name != "AWS_SECRET_ACCESS_KEY").then(String::new);
        for (rest, expected) in [
            ("bucket", Some(("bucket", ""))),
            ("bucket/", Some(("bucket", ""))),
            ("bucket/a/b/", Some(("bucket", "a/b"))),
            ("", None),
            ("/a", None),
            ("bucket//a", None),
            ("bucket/a/../b", None),
        ] {
            let found = settings(rest, all).ok();
            let found = found.as_ref().map(|it| (it.bucket.as_str(), it.prefix.as_str()));
            assert_eq!(found, expected, "{rest}");
        }
        let found = settings("bucket/a", all).unwrap();
        assert_eq!((found.key.as_str(), found.token), ("aws_access_key_id", None));
        assert_eq!(found.endpoint.as_deref(), Some("aws_endpoint_url_s3"));
        assert!(!format!("{:?}", settings("bucket/a", all)).contains("secret"));
        let missing = settings("bucket/a", none).unwrap_err().to_string();
        assert!(missing.contains("needs AWS_ACCESS_KEY_ID in the environment"), "{missing}");
        assert!(settings("bucket/a", no_secret).is_err());
    }
}
