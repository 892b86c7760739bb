//! The consensus engine's adapter: the only crate that imports Commonware.
