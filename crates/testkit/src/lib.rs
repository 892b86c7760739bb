//! Seeded plans and properties, fault store, replay.
