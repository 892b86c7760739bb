//! The built binary, run as a user runs it.
mod keys;
mod ledger;
mod network;
mod node;
mod offline;
mod processes;
mod run;
mod wrong_inputs;
