//! The engine's adapter in a simulated network, and over TLS on loopback.
#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agreement;
mod epochs;
mod equivocation;
mod guard;
mod joining;
mod loopback;
mod machine;
mod shelf;
mod watcher;
mod world;
