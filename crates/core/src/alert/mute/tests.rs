use super::*;

const MINUTE: i64 = 60_000;
const RULES: [&str; 2] = ["Errors", "Errors_Slow"];

fn silence(rule: &str, ends_at: Option<i64>) -> Silence {
    Silence {
        id: 1,
        rule: rule.into(),
        starts_at: 10 * MINUTE,
        ends_at,
        until_resolved: ends_at.is_none(),
        reason: "a deploy".into(),
        author: "ada".into(),
        ended_at: None,
        mutes: Vec::new(),
    }
}

fn maintenance(rule: &str) -> Maintenance {
    Maintenance {
        id: 7,
        rule: rule.into(),
        reason: "new disks".into(),
        author: "ada".into(),
        starts_at: Some(10 * MINUTE),
        ends_at: Some(20 * MINUTE),
        cron: None,
        duration: None,
        zone: None,
        active: false,
        next_from: None,
        next_to: None,
    }
}

fn muted(rule: &str, minute: i64, silences: &[Silence], upkeep: &[Maintenance]) -> Option<MutedBy> {
    let upkeep: Vec<Upkeep> = upkeep.iter().filter_map(Upkeep::stored).collect();
    muted_by(rule, Some("Errors"), minute * MINUTE, silences, &upkeep, |_| false)
}

#[test]
fn case_24_a_silence_mutes_from_its_start_to_its_end() {
    let silences = [silence("Errors", Some(20 * MINUTE))];
    let check = |rule, minute, expected| {
        assert_eq!(muted(rule, minute, &silences, &[]).is_some(), expected, "{rule} {minute}");
    };
    check("Errors", 9, false);
    check("Errors", 10, true);
    check("Errors", 19, true);
    check("Errors", 20, false);
    check("Other", 15, false);
    let expected = MutedBy::Silence {
        id: 1,
        ends_at: Some(20 * MINUTE),
        author: "ada".into(),
        reason: "a deploy".into(),
    };
    assert_eq!(muted("Errors", 15, &silences, &[]), Some(expected));
}

#[test]
fn a_silence_of_all_or_until_resolved_ends_when_it_was_ended() {
    let all = [silence(ALL, Some(20 * MINUTE))];
    assert!(muted("Other", 15, &all, &[]).is_some());
    let mut until = [silence("Errors", None)];
    assert!(muted("Errors", 99_999, &until, &[]).is_some());
    until[0].ended_at = Some(30 * MINUTE);
    assert!(muted("Errors", 29, &until, &[]).is_some());
    assert_eq!(muted("Errors", 30, &until, &[]), None);
}

#[test]
fn the_longest_silence_is_named_and_a_silence_before_maintenance() {
    let mut silences = [silence(ALL, Some(20 * MINUTE)), silence("Errors", Some(40 * MINUTE))];
    silences[1].id = 2;
    let found = muted("Errors", 15, &silences, &[maintenance(ALL)]);
    assert!(matches!(found, Some(MutedBy::Silence { id: 2, .. })), "{found:?}");
    let found = muted("Errors", 15, &[], &[maintenance(ALL)]);
    let expected = MutedBy::Maintenance { id: 7, ends_at: 20 * MINUTE, reason: "new disks".into() };
    assert_eq!(found, Some(expected));
    assert_eq!(muted("Errors", 20, &[], &[maintenance(ALL)]), None);
    assert_eq!(muted("Errors", 15, &[], &[maintenance("Other")]), None);
}

#[test]
fn a_child_is_muted_while_its_parent_fires() {
    let of =
        |fires: bool, parent| muted_by("Errors_Slow", parent, 0, &[], &[], |name| fires && name == "Errors");
    assert_eq!(of(true, Some("Errors")), Some(MutedBy::Dependency { rule: "Errors".into() }));
    assert_eq!(of(false, Some("Errors")), None);
    assert_eq!(of(true, Some("Other")), None);
    assert_eq!(of(true, None), None);
}

#[test]
fn recurring_maintenance_has_a_present_and_a_next_window() {
    let nightly = Maintenance {
        starts_at: None,
        ends_at: None,
        cron: Some("0 2 * * *".into()),
        duration: Some(3_600),
        ..maintenance(ALL)
    };
    let upkeep = Upkeep::new(&nightly, &RULES).expect("maintenance");
    let hour = 60 * MINUTE;
    assert_eq!(upkeep.present(hour), None);
    assert_eq!(upkeep.next(hour), Some((2 * hour, 3 * hour)));
    assert_eq!(upkeep.present(2 * hour), Some((2 * hour, 3 * hour)));
    assert_eq!(upkeep.next(3 * hour), Some((26 * hour, 27 * hour)));
}

#[test]
fn a_wrong_silence_or_maintenance_says_what_is_allowed() {
    let refused = |silence: Silence, field: &str, message: &str| {
        let faults = check_silence(&silence, &RULES, 10 * MINUTE).expect_err(field);
        let [(found, text)] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(*found == field && text.contains(message), "{field}: {found} {text}");
    };
    let good = silence("Errors", Some(20 * MINUTE));
    assert_eq!(check_silence(&good, &RULES, 10 * MINUTE), Ok(()));
    assert_eq!(check_silence(&silence("Errors", None), &RULES, 0), Ok(()));
    let week = 7 * 24 * 60;
    assert_eq!(check_silence(&silence(ALL, Some((10 + week) * MINUTE)), &RULES, 0), Ok(()));
    refused(silence("Errors", Some((10 + week) * MINUTE + 1)), "ends_at", "at most 7 days");
    refused(silence("Errors", Some(10 * MINUTE)), "ends_at", "after the start");
    refused(silence(ALL, None), "until_resolved", "needs an end");
    refused(Silence { until_resolved: true, ..good.clone() }, "ends_at", "or else `until_resolved`");
    refused(silence("Erors", Some(20 * MINUTE)), "rule", "did you mean `Errors`?; `*` stands for all");
    refused(Silence { reason: "  ".into(), ..good.clone() }, "reason", "1 to 500 characters");
    refused(Silence { reason: "x".repeat(501), ..good }, "reason", "1 to 500 characters");

    let refused = |of: Maintenance, field: &str, message: &str| {
        let faults = Upkeep::new(&of, &RULES).expect_err(field);
        let [(found, text)] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(*found == field && text.contains(message), "{field}: {found} {text}");
    };
    assert!(Upkeep::new(&maintenance("Errors"), &RULES).is_ok());
    refused(Maintenance { ends_at: Some(10 * MINUTE), ..maintenance(ALL) }, "ends_at", "after the start");
    refused(Maintenance { ends_at: Some(i64::MAX / 2), ..maintenance(ALL) }, "ends_at", "at most 30 days");
    refused(Maintenance { ends_at: None, ..maintenance(ALL) }, "starts_at", "a start and an end");
    refused(
        Maintenance { cron: Some("0 2 * * *".into()), ..maintenance(ALL) },
        "starts_at",
        "or else `cron`",
    );
    refused(maintenance("Other"), "rule", "unknown rule `Other`");
}

#[test]
fn a_resolve_is_owed_whenever_its_trigger_was_and_a_trigger_when_the_mute_ends() {
    let check = |fires, muted, trigger, resolve, expected| {
        assert_eq!(owed(fires, muted, trigger, resolve), expected, "{fires} {muted} {trigger} {resolve}");
    };
    check(true, false, false, false, Owed::Trigger);
    check(true, true, false, false, Owed::Nothing);
    check(true, false, true, false, Owed::Nothing);
    check(false, true, true, false, Owed::Resolve);
    check(false, false, true, false, Owed::Resolve);
    check(false, false, true, true, Owed::Nothing);
    check(false, false, false, false, Owed::Nothing);
}
