//! What the machine makes, held against what the world was told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod composed;
mod permissions;
mod vectors;
