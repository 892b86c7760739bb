//! The ledger's format: identifiers, encoding, transactions, blocks, trees, proofs.
