//! Who may do what in which lane.

use tabellion_consortium::{Permission, PermissionRow, Role, permissions as consortium_permissions};

/// Who may publish certificates and change them: CAs what they issued, users what is theirs. Whether the CA
/// agrees, its feedback says, and not who brings it.
pub(crate) const PUBLISHERS: Permission =
    Permission::AnyOf(&[Role::CertificationAuthority, Role::CertificateUser]);

/// Every action of every lane, and who may do it.
///
/// Source: X.1409 L9, IV.1, V.1 (permission control).
pub fn permissions() -> Vec<PermissionRow> {
    let row =
        |action: &str| PermissionRow { action: format!("certificate {action}"), permission: PUBLISHERS };
    let certificate = ["publish", "change", "renew"].map(row);
    consortium_permissions().into_iter().chain(certificate).collect()
}
