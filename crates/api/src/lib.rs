//! The faces of a node: REST over a view of the machine.
