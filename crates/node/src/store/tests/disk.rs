//! A disk that fills up, loses power and tears writes, all by a seed.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;
use tabellion_ledger::sha256_parts;

/// A change that a power cut may lose or tear.
#[derive(Clone, Debug)]
enum Unsynced {
    Length(usize),
    Write(usize, Vec<u8>),
}

#[derive(Clone, Debug, Default)]
struct Medium {
    /// What a power cut leaves for certain.
    durable: Vec<u8>,
    /// What reads see.
    current: Vec<u8>,
    unsynced: Vec<Unsynced>,
    /// Bytes that can still be written; `None` for enough. A sparse file takes room when it is written, not
    /// before.
    room: Option<usize>,
    /// Operations that change the disk until the power goes; `None` for never.
    power: Option<u64>,
    /// Once the power is gone, nothing works.
    dead: bool,
}

/// A file on the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<Medium>>);

fn power_cut() -> io::Error {
    io::Error::other("the power is gone")
}

impl Medium {
    fn spend(&mut self) -> io::Result<()> {
        if self.dead {
            return Err(power_cut());
        }
        if let Some(left) = &mut self.power {
            *left = left.saturating_sub(1);
            self.dead = *left == 0;
        }
        if self.dead { Err(power_cut()) } else { Ok(()) }
    }

    fn take_room(&mut self, bytes: usize) -> io::Result<()> {
        let Some(room) = &mut self.room else { return Ok(()) };
        *room = room.checked_sub(bytes).ok_or(io::ErrorKind::StorageFull)?;
        Ok(())
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Unsynced) {
    match change {
        Unsynced::Length(length) => bytes.resize(*length, 0),
        Unsynced::Write(offset, data) => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
    }
}

impl Disk {
    /// The power goes at the `operations`-th change from now on.
    pub(super) fn cut_power_after(&self, operations: u64) {
        self.0.lock().unwrap().power = Some(operations);
    }

    /// Room for this many bytes more.
    pub(super) fn leave_room(&self, bytes: usize) {
        self.0.lock().unwrap().room = Some(bytes);
    }

    /// The disk after the power came back: of what was not synced, each change is there, not there, or torn.
    pub(super) fn after_power_cut(&self, seed: u64) -> Self {
        let mut medium = self.0.lock().unwrap();
        medium.dead = true;
        let mut bytes = medium.durable.clone();
        for (number, change) in medium.unsynced.iter().enumerate() {
            let chance = sha256_parts(&[&seed.to_be_bytes(), &number.to_be_bytes()]);
            match (chance[0] % 3, change) {
                (0, _) => {}
                (1, Unsynced::Write(offset, data)) => {
                    let kept = usize::from(u16::from_be_bytes([chance[1], chance[2]])) % (data.len() + 1);
                    apply(&mut bytes, &Unsynced::Write(*offset, data[..kept].to_vec()));
                }
                _ => apply(&mut bytes, change),
            }
        }
        let medium = Medium { durable: bytes.clone(), current: bytes, ..Medium::default() };
        Self(Arc::new(Mutex::new(medium)))
    }

    /// The disk after the process ended and room was made: what was written is there.
    pub(super) fn after_restart(&self) -> Self {
        let current = self.0.lock().unwrap().current.clone();
        let medium = Medium { durable: current.clone(), current, ..Medium::default() };
        Self(Arc::new(Mutex::new(medium)))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let medium = self.0.lock().unwrap();
        if medium.dead {
            return Err(power_cut());
        }
        let start = usize::try_from(offset).unwrap();
        let bytes = medium.current.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut medium = self.0.lock().unwrap();
        medium.spend()?;
        let length = usize::try_from(len).unwrap();
        medium.current.resize(length, 0);
        medium.unsynced.push(Unsynced::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut medium = self.0.lock().unwrap();
        medium.spend()?;
        for change in std::mem::take(&mut medium.unsynced) {
            apply(&mut medium.durable, &change);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut medium = self.0.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        // The write under way when the power goes may be torn too.
        let change = Unsynced::Write(offset, data.to_vec());
        if let Err(error) = medium.spend() {
            medium.unsynced.push(change);
            return Err(error);
        }
        medium.take_room(data.len())?;
        apply(&mut medium.current, &change);
        medium.unsynced.push(change);
        Ok(())
    }
}
