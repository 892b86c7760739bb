//! What the fuzz targets share: the laws that they hold decoders to, and the ledger of the frozen vectors.
//!
//! A target reads arbitrary bytes. What decodes must encode to the same bytes; whatever is done with it must
//! not panic; and a proof that holds must be one of the vectors' own, since nobody else has the validators'
//! keys.
mod laws;
mod world;

pub use laws::same_bytes_again;
pub use world::{World, outlined, whole_state, world};
