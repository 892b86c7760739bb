//! The workspace as the rules see it: manifests and files, read once.

use crate::source::Source;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use toml::Table;

/// Folders that hold no text of ours.
const FOREIGN_FOLDERS: [&str; 3] = ["target", "node_modules", "tabellion-data"];

/// Folders that hold bytes for tests, from the root.
const DATA_FOLDERS: [&str; 4] = ["fuzz/artifacts", "fuzz/corpus", "fuzz/seeds", "vectors"];

/// Everything that the rules look at.
#[derive(Debug)]
pub struct Workspace {
    /// The folder of the root manifest.
    pub root: PathBuf,
    /// The root manifest.
    pub manifest: Table,
    /// The members below `crates/`, and `xtask`.
    pub crates: Vec<Crate>,
    /// Every Rust file of the members and of `fuzz/`.
    pub sources: Vec<Source>,
    /// Every Markdown file: (path from the root, text).
    pub documents: Vec<(String, String)>,
}

/// One member.
#[derive(Debug)]
pub struct Crate {
    /// The folder's name, such as `ledger`.
    pub short: String,
    /// The folder, from the root.
    pub folder: String,
    /// The package's name, such as `tabellion-ledger`.
    pub package: String,
    /// Its manifest.
    pub manifest: Table,
}

/// A kind of dependency, by the name of its table in a manifest.
pub const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

impl Crate {
    /// The packages named in one dependency table, sorted.
    pub fn dependencies(&self, table: &str) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let targets = self.manifest.get("target").and_then(|value| value.as_table());
        let per_target =
            targets.into_iter().flat_map(|targets| targets.values()).filter_map(|value| value.as_table());
        for owner in std::iter::once(&self.manifest).chain(per_target) {
            if let Some(entries) = owner.get(table).and_then(|value| value.as_table()) {
                names.extend(entries.keys().map(String::as_str));
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The folder of the root manifest. `cargo run` names the folder of this crate at run time; what was compiled
/// in may be that of another checkout with the same target folder.
pub fn root() -> Result<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = Path::new(&here);
    let root = here.parent().context("xtask stands in a folder below the root")?;
    Ok(root.to_path_buf())
}

impl Workspace {
    /// Reads the whole of it.
    pub fn read(root: &Path) -> Result<Self> {
        let manifest = table(&root.join("Cargo.toml"))?;
        let mut crates = Vec::new();
        let mut folders: Vec<String> = children(&root.join("crates"))?
            .into_iter()
            .filter(|path| path.join("Cargo.toml").is_file())
            .map(|path| relative(root, &path))
            .collect();
        folders.push("xtask".to_owned());
        for folder in folders {
            let manifest = table(&root.join(&folder).join("Cargo.toml"))?;
            let name = manifest
                .get("package")
                .and_then(|package| package.get("name"))
                .and_then(|name| name.as_str());
            let package = name.with_context(|| format!("{folder}/Cargo.toml names no package"))?.to_owned();
            let short = folder.rsplit('/').next().unwrap_or_default().to_owned();
            crates.push(Crate { short, folder, package, manifest });
        }
        let mut files = Vec::new();
        walk(root, root, &mut files)?;
        let mut sources = Vec::new();
        let mut documents = Vec::new();
        for file in files {
            let path = relative(root, &file);
            let ours = ["crates/", "xtask/", "fuzz/"].iter().any(|folder| path.starts_with(folder));
            if path.ends_with(".rs") && ours {
                sources.push(Source::new(path, read(&file)?));
            } else if path.ends_with(".md") {
                documents.push((path, read(&file)?));
            }
        }
        Ok(Self { root: root.to_path_buf(), manifest, crates, sources, documents })
    }

    /// The member of that short name, if there is one yet.
    pub fn find(&self, short: &str) -> Option<&Crate> {
        self.crates.iter().find(|member| member.short == short)
    }

    /// The text of a document, by its path from the root.
    pub fn document(&self, path: &str) -> Option<&str> {
        self.documents.iter().find(|(name, _)| name == path).map(|(_, text)| text.as_str())
    }
}

/// Reads a text file; the error names it.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn table(path: &Path) -> Result<Table> {
    read(path)?.parse().with_context(|| format!("{} is not TOML", path.display()))
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The entries of a folder, sorted by name, so that findings come in the same order everywhere.
fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for path in children(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_symlink() || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            let foreign = FOREIGN_FOLDERS.contains(&name.as_str());
            if !foreign && !DATA_FOLDERS.contains(&relative(root, &path).as_str()) {
                walk(root, &path, files)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}
