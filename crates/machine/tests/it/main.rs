//! What the machine makes, held against what the world was told.

mod vectors;
