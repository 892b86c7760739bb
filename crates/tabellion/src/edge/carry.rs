//! `tabellion edge export` and `import`: blocks in files.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tabellion_client::{CarriedReader, ChainFault, ClientError};
use tabellion_ledger::Height;
use tabellion_node::core::Core;
use tabellion_node::edge::{ImportError, Imported, import_file};
use tabellion_node::store::{Store, StoreConfig, StoreError};
use tabellion_node::sync::STORE_FOLDER;
use tabellion_node::{NodeError, PoolLimits, now};

use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::node_commands::{EdgeFile, any_seed};
use crate::output::Output;

/// What went into a file, or came from one.
#[derive(Serialize)]
struct Carried {
    file: PathBuf,
    first: u64,
    last: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<u64>,
}

/// Writes blocks to a file.
pub async fn export(from: u64, out: &Path, context: &Context, output: Output) -> Done {
    let mut party = context.relying_party()?;
    // Aside, then renamed into its place: what is there is whole.
    let aside = out.with_extension(format!("{}.part", std::process::id()));
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::new(Code::Error, format!("cannot write {}: {error}", path.display()))
    };
    let file = File::create(&aside).map_err(|error| failed(&aside, &error))?;
    let bar = output.progress(0, "exporting");
    let outcome = party.export_from(Height(from), BufWriter::new(file), |height, last| {
        bar.set_length(last.0);
        bar.set_position(height.0);
    });
    let outcome = outcome.await;
    bar.finish_and_clear();
    let head = outcome.map_err(|error| {
        let _ = std::fs::remove_file(&aside);
        let gone = matches!(&error, ClientError::Chain(ChainFault::BodyGone { .. }));
        match gone {
            true => Failure::of(Code::Error, &error).hint("name a node that keeps all bodies with --node"),
            false => Failure::from(error),
        }
    })?;
    std::fs::rename(&aside, out).map_err(|error| failed(out, &error))?;
    context.remember(&party);
    let (first, last) = (head.first.0, head.last.0);
    output.line(format!("blocks    {first} to {last} in {}", out.display()));
    output.value(&Carried { file: out.to_owned(), first, last, new: None });
    output.say(format!(
        "Carry it to the edge: into its inbox, or tabellion edge import DIR {}. The next one begins with \
         --from-block {}.",
        out.display(),
        last + 1
    ));
    Ok(())
}

/// Takes files into the folder of an edge that does not run, lowest blocks first.
pub fn import(folder: &Path, mut files: Vec<PathBuf>, output: Output) -> Done {
    let file = EdgeFile::read(folder)?;
    let core = open(&file, folder)?;
    files.sort_by_cached_key(|path| {
        let reader = File::open(path).ok().and_then(|file| CarriedReader::open(BufReader::new(file)).ok());
        reader.map(|reader| reader.head().first)
    });
    for path in files {
        let imported = import_file(&core, &path).map_err(|error| refused(&path, &error))?;
        let Imported { first, last, new } = imported;
        output.line(format!("taken     {}: blocks {first} to {last}, {new} of them new", path.display()));
        output.value(&Carried { file: path, first: first.0, last: last.0, new: Some(new) });
    }
    let newest = core.newest();
    core.store().checkpoint(now()).map_err(|error| Failure::of(Code::Error, &error))?;
    output.line(format!("newest    block {} of {}", newest.height, crate::output::moment(newest.time)));
    Ok(())
}

fn open(file: &EdgeFile, folder: &Path) -> Result<Arc<Core>, Failure> {
    let genesis = file.genesis(folder)?;
    let data = folder.join(&file.data).join(STORE_FOLDER);
    let store = Store::open(&data, genesis.ledger_id(), StoreConfig::default()).map_err(|error| {
        let failure = Failure::of(Code::Error, &error);
        match (error, file.inbox(folder)) {
            (StoreError::Open { .. }, Some(inbox)) => {
                failure.hint(format!("if the edge runs, lay the file into {}", inbox.display()))
            }
            _ => failure,
        }
    })?;
    let core = Core::open(genesis, any_seed()?, Vec::new(), Arc::new(store), PoolLimits::default());
    Ok(Arc::new(core.map_err(|error| Failure::of(Code::Error, &error))?))
}

fn refused(path: &Path, error: &ImportError) -> Failure {
    let code = match error {
        ImportError::File(_) => Code::Proof,
        ImportError::Follow(_) => Code::Refused,
        ImportError::Node(NodeError::Diverged { .. }) => Code::Proof,
        ImportError::Node(_) => Code::Error,
    };
    let failure = Failure::of(code, error);
    let message = format!("{}: {}", path.display(), failure.message);
    Failure { message, ..failure }.hint(error.advice())
}
