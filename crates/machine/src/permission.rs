//! Who may do what in which lane.

use tabellion_consortium::{
    NodeRole, Permission, PermissionRow, Role, permissions as consortium_permissions,
};
use tabellion_pki::Action;

/// Who may publish certificates and change them: CAs what they issued, users what is theirs. Whether the CA
/// agrees, its feedback says, and not who brings it.
pub(crate) const PUBLISHERS: Permission =
    Permission::AnyOf(&[Role::CertificationAuthority, Role::CertificateUser]);

/// Who may say that bodies are needed no more: a backup node, which keeps all certificates.
pub(crate) const NOTIFIERS: Permission = Permission::NodeFor(&[NodeRole::Backup]);
/// Who may relay from foreign ledgers: proxy nodes, and whoever does the same with a key of its own. What
/// they bring is proved; the right only says who is charged for it.
pub(crate) const RELAYS: Permission =
    Permission::AnyOfOrNode(&[Role::CertificationAuthority, Role::CertificateUser, Role::Operator]);

/// Who may do an action of the certificate lane.
pub(crate) fn of_certificate_action(action: &Action) -> Permission {
    match action {
        Action::Publish(_) | Action::Change(_) | Action::Renew(_) => PUBLISHERS,
        Action::Notice(_) => NOTIFIERS,
        Action::Relay(_) => RELAYS,
    }
}

/// Every action of every lane, and who may do it.
///
/// Source: X.1409 L9, IV.1, V.1 (permission control).
pub fn permissions() -> Vec<PermissionRow> {
    let row = |(action, permission): (&str, Permission)| PermissionRow {
        action: format!("certificate {action}"),
        permission,
    };
    let certificate = [
        ("publish", PUBLISHERS),
        ("change", PUBLISHERS),
        ("renew", PUBLISHERS),
        ("notice", NOTIFIERS),
        ("relay", RELAYS),
    ]
    .map(row);
    consortium_permissions().into_iter().chain(certificate).collect()
}
