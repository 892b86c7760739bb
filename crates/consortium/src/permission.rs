//! Who may do what: nothing is allowed that no rule allows.

use serde::Serialize;

use crate::action::ActionKind;
use crate::member::Role;
use crate::node::NodeRole;
use crate::signing::Owner;

/// Who may do something.
///
/// Source: X.1409 L9, IV.1 (permission control).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// An active member by its own key, whatever its roles: governing.
    Member,
    /// An active member by its own key, if it has one of these roles.
    MemberWith(&'static [Role]),
    /// Whoever has one of these roles: a member by its own key, or one of its accounts.
    AnyOf(&'static [Role]),
    /// Whoever has one of these roles, as for [`Permission::AnyOf`], or a node of an active member.
    AnyOfOrNode(&'static [Role]),
    /// A node of an active member.
    Node,
    /// A node of an active member, if it is for one of these purposes.
    NodeFor(&'static [NodeRole]),
    /// An active member by its own key, or one of its nodes.
    MemberOrNode,
    /// An invitation of an active member.
    Invitation,
}

impl Permission {
    /// Roles of which one is needed, for keys of members and accounts; empty where no role is.
    pub fn roles(&self) -> &'static [Role] {
        match self {
            Self::MemberWith(roles) | Self::AnyOf(roles) | Self::AnyOfOrNode(roles) => roles,
            _ => &[],
        }
    }

    /// What a node must be for; empty where any will do.
    pub fn node_roles(&self) -> &'static [NodeRole] {
        match self {
            Self::NodeFor(roles) => roles,
            _ => &[],
        }
    }

    /// Roles of which a key of this owner needs one. A node has none: where it may, it may without.
    pub fn roles_of(&self, owner: &Owner) -> &'static [Role] {
        match owner {
            Owner::Node(_) => &[],
            _ => self.roles(),
        }
    }

    /// Which keys can have it at all, in words.
    pub fn keys(&self) -> &'static str {
        match self {
            Self::Member | Self::MemberWith(_) => "member",
            Self::AnyOf(_) => "member or account",
            Self::AnyOfOrNode(_) => "member, account or node",
            Self::Node | Self::NodeFor(_) => "node",
            Self::MemberOrNode => "member or node",
            Self::Invitation => "invitation",
        }
    }

    /// Whether a key of this owner can have it, whatever its roles.
    pub fn suits(&self, owner: &Owner) -> bool {
        match self {
            Self::Member | Self::MemberWith(_) => matches!(owner, Owner::Member),
            Self::AnyOf(_) => matches!(owner, Owner::Member | Owner::Account(_)),
            Self::AnyOfOrNode(_) => matches!(owner, Owner::Member | Owner::Account(_) | Owner::Node(_)),
            Self::Node | Self::NodeFor(_) => matches!(owner, Owner::Node(_)),
            Self::MemberOrNode => matches!(owner, Owner::Member | Owner::Node(_)),
            Self::Invitation => matches!(owner, Owner::Invitation),
        }
    }

    /// Whether a valid key of this owner, with these roles in force, has it; of a node, whatever it is for.
    pub fn allows(&self, owner: &Owner, roles: &[Role]) -> bool {
        let needed = self.roles_of(owner);
        self.suits(owner) && (needed.is_empty() || needed.iter().any(|role| roles.contains(role)))
    }
}

/// An action and who may do it: a row of the permission matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PermissionRow {
    /// The action's lane and name.
    pub action: String,
    /// Who may do it.
    pub permission: Permission,
}

/// The rows of the consortium lane; other services add theirs.
pub fn permissions() -> Vec<PermissionRow> {
    let row = |kind: ActionKind| PermissionRow {
        action: format!("consortium {}", kind.name()),
        permission: kind.permission(),
    };
    ActionKind::ALL.into_iter().map(row).collect()
}

/// The permission matrix as a table in Markdown: a row for each action, a column for each kind of key; where
/// a role decides, the cell names it.
pub fn permission_matrix(rows: &[PermissionRow]) -> String {
    let mut text = String::from(
        "| action | member's key | account's key | node's key | invitation's key |\n|---|---|---|---|---|\n",
    );
    for PermissionRow { action, permission } in rows {
        let any_name = "any".parse().expect("invariant: a name of letters");
        let any_node = crate::node::NodeId::default();
        let owners = [Owner::Member, Owner::Account(any_name), Owner::Node(any_node), Owner::Invitation];
        let needed = |owner: &Owner| -> Vec<&str> {
            match permission.node_roles() {
                [] => permission.roles_of(owner).iter().map(|role| role.name()).collect(),
                roles => roles.iter().map(|role| role.name()).collect(),
            }
        };
        let cell = |owner: &Owner| match (permission.suits(owner), needed(owner)) {
            (false, _) => "no".to_owned(),
            (true, needed) if needed.is_empty() => "yes".to_owned(),
            (true, needed) => needed.join(", "),
        };
        let cells: Vec<String> = owners.iter().map(cell).collect();
        text.push_str(&format!("| {action} | {} |\n", cells.join(" | ")));
    }
    text
}
