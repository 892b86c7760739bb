//! All services as one deterministic state machine.
