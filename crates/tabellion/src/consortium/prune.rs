//! `tabellion node prune`: bodies in which nothing is needed any more go, and their room with them.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tabellion_consortium::{Genesis, NodeRole, node_of_key};
use tabellion_ledger::LedgerId;
use tabellion_node::store::{Store, StoreConfig};
use tabellion_node::sync::STORE_FOLDER;
use tabellion_node::{ArchiveError, PruneSettings, Pruned, Pruner, Step};

use super::args::{PruneArgs, RestoreArgs};
use super::drain::may_go;
use super::status::Local;
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::node_commands::{Answer, Control, DiskNumbers, PruneNumbers, Request, ask, body_archive, read};
use crate::output::Output;

/// Prunes the node of a folder, whether it runs or not.
pub async fn prune(args: PruneArgs, context: &Context, output: Output) -> Done {
    let PruneArgs { data, dry_run, keep, force } = args;
    let local = Local::open(&data)?;
    let keep_ms = keep.map(|keep| keep.ms());
    let running = ask_node(&local, Request::Prune { dry_run: true, keep_ms }, output).await?;
    let Some(Told { plan: Some(plan), .. }) = running else {
        return offline(&local, dry_run, keep_ms, output).await;
    };
    tell_plan(&plan, dry_run, output);
    if dry_run {
        output.value(&plan);
        return Ok(());
    }
    match (may_go(&local, context, output).await, force) {
        (Ok(()), _) => {}
        (Err(failure), true) => output.warn(format!("{failure} (--force)")),
        (Err(failure), false) => return Err(failure),
    }
    let told = ask_node(&local, Request::Prune { dry_run: false, keep_ms }, output).await?;
    match told {
        Some(Told { deleted: Some(deleted), disk: Some(disk), .. }) => {
            tell_done(&deleted, disk, output);
            Ok(())
        }
        _ => Err(Failure::new(Code::Error, "the node broke off before it was done")
            .hint("nothing that must stay is lost; start it again and look at its log")),
    }
}

/// What a running node said.
#[derive(Default)]
struct Told {
    plan: Option<PruneNumbers>,
    deleted: Option<PruneNumbers>,
    disk: Option<DiskNumbers>,
}

/// Asks the node of a folder; `None` where none runs.
async fn ask_node(local: &Local, request: Request, output: Output) -> Result<Option<Told>, Failure> {
    let (mut told, mut failed) = (Told::default(), None);
    let asked = ask(&local.data, request, |answer| match answer {
        Answer::Plan(plan) => told.plan = Some(plan),
        Answer::Compacting(deleted) => {
            output.say(format!(
                "{} bodies are deleted; the node stops for a moment while its files shrink",
                deleted.bodies
            ));
            told.deleted = Some(deleted);
        }
        Answer::Compacted(disk) => told.disk = Some(disk),
        Answer::Failed { reason } => failed = Some(reason),
        Answer::Draining { .. } | Answer::Stopping { .. } | Answer::Stopped { .. } => {}
    });
    let asked = asked.await?;
    match failed {
        Some(reason) => Err(Failure::new(Code::Error, format!("the node's files did not shrink: {reason}"))
            .hint("what was deleted stays deleted, and later blocks take its room")),
        None => Ok(asked.map(|()| told)),
    }
}

/// The same on the store of a node that does not run.
async fn offline(local: &Local, dry_run: bool, keep_ms: Option<u64>, output: Output) -> Done {
    // Held until the end: no node starts meanwhile.
    let lock = Control::open(&local.data)?;
    let ledger = ledger_of(local)?;
    let folder = local.data.join(STORE_FOLDER);
    if !folder.exists() {
        return Err(Failure::new(Code::Error, format!("{} holds no store", local.data.display())));
    }
    let store = open(&folder, ledger)?;
    let node = node_of_key(&store.tip(), &local.key);
    if node.is_some_and(|node| node.role == NodeRole::Backup) {
        return Err(Failure::new(Code::Refused, "this is a backup node: it keeps all bodies"));
    }
    drop(store);
    let mut settings = local.prune_settings()?;
    settings.keep_ms = keep_ms.unwrap_or(settings.keep_ms);
    let outcome = match dry_run {
        true => plan_offline(&folder, ledger, settings.keep_ms, output),
        false => prune_offline(&folder, ledger, settings, output),
    };
    lock.close().await;
    outcome
}

/// Brings bodies back from an archive into the store of a node that does not run.
pub async fn restore(args: RestoreArgs, output: Output) -> Done {
    let RestoreArgs { data, from } = args;
    let local = Local::open(&data)?;
    let lock = Control::open(&local.data)?;
    let outcome = restore_into(&local, &from, output);
    lock.close().await;
    outcome
}

fn restore_into(local: &Local, from: &str, output: Output) -> Done {
    let failed = |error: &dyn std::error::Error| Failure::of(Code::Error, error);
    let ledger = ledger_of(local)?;
    let archive = body_archive(from, Path::new(""));
    let archive = archive.map_err(|error| Failure::new(Code::Usage, format!("{error:#}")))?;
    let names = archive.names(&ledger).map_err(|error| failed(&error))?;
    let store = open(&local.data.join(STORE_FOLDER), ledger)?;
    let (mut restored, mut bytes, mut refused) = (0_u64, 0_u64, 0_u64);
    for name in names {
        let body = match archive.read(&name) {
            Ok(body) => body,
            // What the server does not give now is no body of another ledger.
            Err(error @ ArchiveError::Bucket { .. }) => return Err(failed(&error)),
            Err(error) => {
                output.warn(format!("{name}: {error}"));
                refused += 1;
                continue;
            }
        };
        let header = body.header.header();
        let height = header.height;
        // The node's own headers say what is right; they were verified when they came.
        let ours = store.header(height).map_err(|error| failed(&error))?;
        if ours.as_ref() != Some(header) {
            output.warn(format!("{name}: the node holds another header {height}, or none"));
            refused += 1;
            continue;
        }
        if store.restore_body(height, &body.body).map_err(|error| failed(&error))? {
            restored += 1;
            bytes += body.body.transactions.iter().map(|tx| tx.as_bytes().len() as u64).sum::<u64>();
        }
    }
    output.line(format!("restored  {restored} bodies, {bytes} bytes"));
    output.value(&serde_json::json!({ "bodies": restored, "bytes": bytes, "refused": refused }));
    match refused {
        0 => Ok(()),
        count => Err(Failure::new(Code::Proof, format!("{count} files are no bodies of this ledger"))),
    }
}

fn ledger_of(local: &Local) -> Result<LedgerId, Failure> {
    let genesis = Genesis::from_bytes(&read(&local.genesis_file())?);
    Ok(genesis.map_err(|error| Failure::of(Code::Error, &error))?.ledger_id())
}

fn open(folder: &Path, ledger: LedgerId) -> Result<Arc<Store>, Failure> {
    let store = Store::open(folder, ledger, StoreConfig::default());
    store.map(Arc::new).map_err(|error| Failure::of(Code::Error, &error))
}

fn plan_offline(folder: &Path, ledger: LedgerId, keep_ms: u64, output: Output) -> Done {
    let report = Pruner::new(open(folder, ledger)?, keep_ms).dry_run();
    let plan = PruneNumbers::from(&report.map_err(|error| Failure::of(Code::Error, &error))?);
    tell_plan(&plan, true, output);
    output.value(&plan);
    Ok(())
}

fn prune_offline(folder: &Path, ledger: LedgerId, settings: PruneSettings, output: Output) -> Done {
    let disk_before = Store::disk_bytes(folder);
    let mut pruner = Pruner::new(open(folder, ledger)?, settings.keep_ms).archive(settings.archive);
    let mut sum = Pruned::default();
    while let Step::Did(deleted) = pruner.step().map_err(|error| Failure::of(Code::Error, &error))? {
        sum.add(deleted);
    }
    drop(pruner);
    output.say(format!("{} bodies are deleted; the files shrink", sum.bodies));
    let compacted = Store::compact(folder, ledger, StoreConfig::default());
    compacted.map_err(|error| Failure::of(Code::Error, &error))?;
    let disk = DiskNumbers { disk_before, disk_after: Store::disk_bytes(folder) };
    tell_done(&sum.into(), disk, output);
    Ok(())
}

fn tell_plan(plan: &PruneNumbers, dry_run: bool, output: Output) {
    let word = if dry_run { "would go" } else { "goes" };
    let (blocks, certificates) = (plan.blocks.unwrap_or_default(), plan.certificates.unwrap_or_default());
    output.line(format!(
        "{word:<9} {} bytes: {} bodies of {blocks} blocks, with {} transactions and {} certificates",
        plan.bytes, plan.bodies, plan.transactions, certificates
    ));
    for (lane, bytes) in &plan.lanes {
        output.line(format!("  {lane:<12} {bytes} bytes"));
    }
}

fn tell_done(deleted: &PruneNumbers, disk: DiskNumbers, output: Output) {
    #[derive(Serialize)]
    struct Done<'a> {
        #[serde(flatten)]
        deleted: &'a PruneNumbers,
        #[serde(flatten)]
        disk: DiskNumbers,
        disk_freed: u64,
    }
    output.line(format!("deleted   {} bodies, {} bytes", deleted.bodies, deleted.bytes));
    output.line(format!(
        "disk      {} bytes freed: {} before, {} now",
        disk.freed(),
        disk.disk_before,
        disk.disk_after
    ));
    output.value(&Done { deleted, disk, disk_freed: disk.freed() });
}
