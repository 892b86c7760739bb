//! A node: store, pool, sync and wiring.
