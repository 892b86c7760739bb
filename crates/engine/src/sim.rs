//! The node without transport and machine, for simulation.
//!
//! [`run`] is what production runs, generic over runtime and network. With the feature `sim` there is also a
//! whole simulated world of concrete types: a deterministic runtime, links that delay and lose, nodes that
//! crash, whose disks are slow, or that lie to their peers. It stands on parts of the engine that have no
//! stable form yet, so nothing in production may use the feature.

#[cfg(feature = "sim")]
mod disk;
#[cfg(feature = "sim")]
mod tap;
#[cfg(feature = "sim")]
mod world;

pub use crate::node::{Ends, Wire, Wires, message_bytes_max, run};
pub use crate::runtime::Runtime;
#[cfg(feature = "sim")]
pub use disk::Disk;
#[cfg(feature = "sim")]
pub use tap::Tap;
#[cfg(feature = "sim")]
pub use world::{Installation, Link, SimulatedNode, Simulation, World};
