//! Load and measurement over REST: publishing and asking for statuses, set against what the machine could do
//! at most.
//!
//! Absent: the node. The same drivers run against a network on this machine and against one elsewhere.
mod figures;
mod issuing_ca;
mod limit;
mod proofs;
mod publish;
mod status;
mod tls;

pub use figures::{Latency, Percentiles};
pub use issuing_ca::{BenchCa, BenchError, IssuingCa};
pub use limit::{PhysicalLimit, physical_limit};
pub use proofs::{ProofReport, bench_proofs};
pub use publish::{PublishLoad, PublishReport, bench_publish};
pub use status::{StatusLoad, StatusReport, bench_status};
pub use tls::{TlsCost, TlsEnd, bench_tls};
