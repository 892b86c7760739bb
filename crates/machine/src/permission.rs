//! Who may do what in which lane.

use tabellion_consortium::{Permission, PermissionRow, Role, permissions as consortium_permissions};

/// Who may publish: CAs what they issued, users what is theirs.
pub(crate) const PUBLISHERS: Permission =
    Permission::AnyOf(&[Role::CertificationAuthority, Role::CertificateUser]);

/// Every action of every lane, and who may do it.
///
/// Source: X.1409 L9, IV.1, V.1 (permission control).
pub fn permissions() -> Vec<PermissionRow> {
    let publish = PermissionRow { action: "certificate publish".to_owned(), permission: PUBLISHERS };
    consortium_permissions().into_iter().chain([publish]).collect()
}
