//! Tests of certificate verification through the crate's face: what a validator node runs is what is tested.
mod form;
mod pkits;
mod pkits_cases;
mod support;
