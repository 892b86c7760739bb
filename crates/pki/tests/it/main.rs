//! Tests of certificate verification through the crate's face: what a validator node runs is what is tested.
mod cache;
mod evidence;
mod facts;
mod form;
mod mutated;
mod path;
mod pkits;
mod pkits_cases;
mod real;
mod support;
