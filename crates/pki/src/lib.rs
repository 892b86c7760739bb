//! X.509 certificate management (X.1409 clause 8 and Annex A).
