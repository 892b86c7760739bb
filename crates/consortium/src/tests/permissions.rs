use super::world::*;
use crate::*;

/// Who signs: every kind of key, with every role and without.
fn signers() -> Vec<(Owner, Vec<Role>)> {
    let account = Owner::Account("desk".parse().unwrap());
    let kinds = [Owner::Member, account, Owner::Node(node_id_of(0)), Owner::Invitation];
    let mut signers = Vec::new();
    for owner in kinds {
        signers.push((owner.clone(), Vec::new()));
        signers.extend(Role::ALL.map(|role| (owner.clone(), vec![role])));
    }
    signers
}

/// X.1409 L9, IV.1: default deny. What stands here is all that is allowed; a new action or role has to be
/// added here on purpose.
#[test]
fn nothing_is_allowed_that_this_table_does_not_allow() {
    use ActionKind::*;
    let by_member = [
        AddKey,
        RetireKey,
        Describe,
        OpenAccount,
        DescribeAccount,
        CloseAccount,
        AddAccountKey,
        RetireAccountKey,
        GrantAccountRole,
        RevokeAccountRole,
        Propose,
        Vote,
        Withdraw,
        CancelInvitation,
        Accuse,
    ];
    let mut cells = 0;
    for kind in ActionKind::ALL {
        for (owner, roles) in signers() {
            let operator = roles.contains(&Role::Operator);
            let expected = match &owner {
                Owner::Member => {
                    by_member.contains(&kind) || operator && [Invite, RemoveNode, RotateNode].contains(&kind)
                }
                Owner::Account(_) => operator && [RemoveNode, RotateNode].contains(&kind),
                Owner::Node(_) => [SetAddress, Report, Accuse].contains(&kind),
                Owner::Invitation => kind == Join,
            };
            let allowed = kind.permission().allows(&owner, &roles);
            assert_eq!(allowed, expected, "{} by a {} with {roles:?}", kind.name(), owner.kind());
            cells += 1;
        }
    }
    assert_eq!(cells, 21 * 4 * 10);
}

#[test]
fn a_submitter_is_judged_as_the_matrix_says() {
    let world = World::new(4, 4);
    let member = submitter(&world.state, &member_key_of(0).id()).unwrap();
    for kind in ActionKind::ALL {
        for (owner, roles) in signers() {
            let by = Submitter { owner, roles, ..member.clone() };
            let judged = by.require(&kind.permission()).is_ok();
            assert_eq!(judged, kind.permission().allows(&by.owner, &by.roles), "{}", kind.name());
        }
    }
}

#[test]
fn the_matrix_is_written_for_readers() {
    let text = permission_matrix(&permissions());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2 + ActionKind::ALL.len());
    assert!(lines.contains(&"| consortium propose | yes | no | no | no |"), "{text}");
    assert!(lines.contains(&"| consortium rotate-node | operator | operator | no | no |"), "{text}");
    assert!(lines.contains(&"| consortium accuse | yes | no | yes | no |"), "{text}");
    let publish = PermissionRow {
        action: "certificate publish".to_owned(),
        permission: Permission::AnyOf(&[Role::CertificationAuthority, Role::CertificateUser]),
    };
    let cell = "certification-authority, certificate-user";
    assert!(
        permission_matrix(&[publish])
            .ends_with(&format!("| certificate publish | {cell} | {cell} | no | no |\n"))
    );
}
