//! `tabellion key`

use std::path::Path;

use serde::Serialize;
use tabellion_client::{Protection, SigningKey, write_key_file};
use tabellion_ledger::KeyId;

use crate::cli::KeyCommand;
use crate::context::{Context, ask_passphrase};
use crate::failure::{Code, Done, Failure};
use crate::output::Output;

/// Characters of a passphrase: below that, guessing is cheap even at a second per try.
const PASSPHRASE_CHARS_MIN: usize = 8;

/// Runs a command on keys.
pub fn run(command: KeyCommand, context: &Context, output: Output) -> Done {
    match command {
        KeyCommand::New { file, algorithm, plain } => new(&file, algorithm.into(), plain, context, output),
        KeyCommand::Show { file } => {
            let path = match &file {
                Some(file) => file.as_path(),
                None => context.key_path()?,
            };
            show(path, &context.open_key(path)?, output);
            Ok(())
        }
    }
}

fn new(
    path: &Path,
    algorithm: tabellion_ledger::Algorithm,
    plain: bool,
    context: &Context,
    output: Output,
) -> Done {
    if path.exists() {
        return Err(tabellion_client::KeyFileError::Exists(path.to_owned()).into());
    }
    let protection =
        if plain { Protection::PlainText } else { Protection::Passphrase(new_passphrase(context)?) };
    let key = SigningKey::generate(algorithm).map_err(|error| Failure::of(Code::Error, &error))?;
    write_key_file(path, &key, &protection)?;
    if plain {
        output.warn(format!("{} is not encrypted: whoever reads it has the key", path.display()));
    }
    output.say(format!("The key is in {}. Its public half, for the consortium:", path.display()));
    show(path, &key, output);
    Ok(())
}

fn new_passphrase(context: &Context) -> Result<String, Failure> {
    let passphrase = match context.passphrase_from_file()? {
        Some(passphrase) => passphrase,
        None => {
            let missing = || {
                let message = "a new key file wants a passphrase, and there is no terminal to ask on";
                Failure::new(Code::Usage, message)
                    .hint("name a file that holds it with --passphrase-file FILE, or do not encrypt: --plain")
            };
            let first = ask_passphrase("New passphrase: ").ok_or_else(missing)?;
            let again = ask_passphrase("Again: ").ok_or_else(missing)?;
            if first != again {
                return Err(Failure::new(Code::Error, "the two passphrases differ; no key was made"));
            }
            first
        }
    };
    if passphrase.chars().count() < PASSPHRASE_CHARS_MIN {
        let message =
            format!("the passphrase has fewer than {PASSPHRASE_CHARS_MIN} characters; no key was made");
        return Err(
            Failure::new(Code::Error, message).hint("several words are easy to keep and hard to guess")
        );
    }
    Ok(passphrase)
}

#[derive(Serialize)]
struct Shown {
    file: String,
    algorithm: String,
    key: KeyId,
    public_key_pem: String,
}

fn show(path: &Path, key: &SigningKey, output: Output) {
    let shown = Shown {
        file: path.display().to_string(),
        algorithm: key.algorithm().to_string(),
        key: key.id(),
        public_key_pem: pem::encode(&pem::Pem::new("PUBLIC KEY", key.public().to_spki())),
    };
    output.value(&shown);
    output.line(format!("key        {}", shown.key));
    output.line(format!("algorithm  {}", shown.algorithm));
    output.line(shown.public_key_pem.trim_end());
}
