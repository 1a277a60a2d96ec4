//! The audit log: who changed what. One row a change, never altered afterwards.

use super::Actor;
use serde::Serialize;
use serde_json::Value;

/// What was done. A new kind of change is a variant here, and is written in the transaction that makes the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    AddAnnotation,
    RemoveAnnotation,
    AddLoadTest,
    /// By retention: the newest 500 are kept.
    DeleteLoadTest,
    CreateKey,
    RevokeKey,
    ChangeLimits,
    SignOut,
    AddAlertRule,
    ChangeAlertRule,
    DeleteAlertRule,
    AcknowledgeIncident,
    NoteIncident,
    /// Whether it was real.
    JudgeIncident,
    ResolveIncident,
    PublishIncident,
    AddSilence,
    EndSilence,
    AddMaintenance,
    EndMaintenance,
}

impl Action {
    /// In the table and on the wire: what it is about, then what was done to it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::AddAnnotation => "annotation.add",
            Action::RemoveAnnotation => "annotation.remove",
            Action::AddLoadTest => "load_test.add",
            Action::DeleteLoadTest => "load_test.delete",
            Action::CreateKey => "key.create",
            Action::RevokeKey => "key.revoke",
            Action::ChangeLimits => "limits.change",
            Action::SignOut => "sign_in.end",
            Action::AddAlertRule => "alert_rule.add",
            Action::ChangeAlertRule => "alert_rule.change",
            Action::DeleteAlertRule => "alert_rule.delete",
            Action::AcknowledgeIncident => "incident.acknowledge",
            Action::NoteIncident => "incident.note",
            Action::JudgeIncident => "incident.judge",
            Action::ResolveIncident => "incident.resolve",
            Action::PublishIncident => "incident.publish",
            Action::AddSilence => "silence.add",
            Action::EndSilence => "silence.end",
            Action::AddMaintenance => "maintenance.add",
            Action::EndMaintenance => "maintenance.end",
        }
    }
}

/// One change. `old` and `new` hold what changed and never a secret: they are shown to every admin, and kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub action: Action,
    /// Which one, such as `key/0123456789abcdef` or `limits/NODE`.
    pub object: String,
    /// `None`: it did not exist before.
    pub old: Option<Value>,
    /// `None`: it does not exist any more.
    pub new: Option<Value>,
}

/// A change that is not in PostgreSQL itself: its audit row waits in the write-behind buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Unix milliseconds.
    pub at: i64,
    pub actor: Actor,
    pub change: Change,
}

/// A stored row, as the API answers it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditRow {
    /// In the order in which rows were stored. A row that waited for PostgreSQL has a later id than its `at` suggests.
    pub id: i64,
    /// Unix milliseconds.
    pub at: i64,
    pub actor: AuditActor,
    pub action: String,
    pub object: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// The actor at that time: a key's name is as it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditActor {
    pub kind: String,
    pub name: String,
    /// The key's id.
    pub key: Option<String>,
    pub user: Option<String>,
    pub address: Option<String>,
    pub role: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditList {
    /// Newest first.
    pub rows: Vec<AuditRow>,
    /// There are older rows: `before` of the next request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

impl AuditList {
    /// `rows`: one more than `most`, if there are that many.
    pub fn page(mut rows: Vec<AuditRow>, most: usize) -> AuditList {
        let has_more = rows.len() > most;
        rows.truncate(most);
        AuditList { next: rows.last().filter(|_| has_more).map(|row| row.id), rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64) -> AuditRow {
        let (kind, name) = ("server".into(), "server".into());
        let actor = AuditActor { kind, name, key: None, user: None, address: None, role: None };
        let action = Action::DeleteLoadTest.as_str().into();
        AuditRow { id, at: 0, actor, action, object: "load-test/1".into(), old: None, new: None }
    }

    #[test]
    fn a_page_names_the_next_one_only_where_there_are_older_rows() {
        let check = |count: i64, most, ids: &[i64], next| {
            let list = AuditList::page((1..=count).rev().map(row).collect(), most);
            assert_eq!(
                (list.rows.iter().map(|row| row.id).collect::<Vec<_>>(), list.next),
                (ids.to_vec(), next)
            );
        };
        check(0, 2, &[], None);
        check(2, 2, &[2, 1], None);
        check(3, 2, &[3, 2], Some(2));
    }
}
