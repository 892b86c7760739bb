//! Members, roles and parameters of a consortium.
