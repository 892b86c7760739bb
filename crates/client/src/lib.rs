//! The DLT client library: keys, signing, submitting, light client, proof checks.
