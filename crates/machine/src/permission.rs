//! Who may do what in which lane.

use tabellion_consortium::{
    NodeRole, Permission, PermissionRow, Role, permissions as consortium_permissions,
};

/// Who may publish certificates and change them: CAs what they issued, users what is theirs. Whether the CA
/// agrees, its feedback says, and not who brings it.
pub(crate) const PUBLISHERS: Permission =
    Permission::AnyOf(&[Role::CertificationAuthority, Role::CertificateUser]);

/// Who may say that bodies are needed no more: a backup node, which keeps all certificates.
pub(crate) const NOTIFIERS: Permission = Permission::NodeFor(&[NodeRole::Backup]);

/// Every action of every lane, and who may do it.
///
/// Source: X.1409 L9, IV.1, V.1 (permission control).
pub fn permissions() -> Vec<PermissionRow> {
    let row = |(action, permission): (&str, Permission)| PermissionRow {
        action: format!("certificate {action}"),
        permission,
    };
    let certificate =
        [("publish", PUBLISHERS), ("change", PUBLISHERS), ("renew", PUBLISHERS), ("notice", NOTIFIERS)]
            .map(row);
    consortium_permissions().into_iter().chain(certificate).collect()
}
