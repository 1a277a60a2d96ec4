use super::environment;
use crate::{
    alert::file::{
        AlertFile, Place, Rule,
        burn::{BudgetBurn, OBJECTIVES},
        condition::Condition,
        number::{Number, Seconds},
        parse, parse_bytes, parse_rule,
        rule::{CONFIDENCE, Mode, Watch},
        shipped,
        subject::{Dimension, Subject},
    },
    metric::notice::Severity,
    text::{is_label, is_prose},
};
use proptest::{option, prelude::*, sample::select};

fn units(subject: Subject) -> Vec<&'static str> {
    match subject.dimension() {
        Dimension::Percent => vec!["%"],
        Dimension::Time => vec!["ms", "s"],
        Dimension::Bytes => vec!["B", "kB", "MB", "GB", "KiB", "MiB", "GiB"],
        Dimension::Count => vec![""],
    }
}

fn watch() -> impl Strategy<Value = Watch> {
    let subjects: Vec<Subject> = Subject::all().collect();
    let with_unit = select(subjects).prop_flat_map(|subject| (Just(subject), select(units(subject))));
    let condition = (with_unit, select(vec![">", ">=", "<", "<="]), 1..100_u32, 10..=86_400_u32).prop_map(
        |((subject, unit), sign, number, duration)| {
            let text = format!("{} {sign} {number}{unit}", subject.name());
            let condition = Condition::parse(&text).expect("a unit that fits");
            Watch::Condition { condition, duration: Seconds(duration), recover: None, eager: false }
        },
    );
    let burn = (select(OBJECTIVES.to_vec()), 1..19_999_999_u64, 61..604_800_u32).prop_map(
        |((_, objective), factor, long)| {
            let factor = Number::millionths(factor);
            Watch::Burn(BudgetBurn { objective, factor, long: Seconds(long), short: Seconds(60) })
        },
    );
    prop_oneof![condition, burn]
}

fn text() -> impl Strategy<Value = String> {
    // What begins or ends with a space is the same text without it.
    any::<String>().prop_map(|text| text.trim().to_owned())
}

prop_compose! {
    fn rule()(
        watch in watch(),
        severity in select(vec![Severity::Info, Severity::Warning, Severity::Critical]),
        notification in select(vec![vec![], vec!["email".to_owned()], vec!["slack".to_owned(), "email".to_owned()]]),
        keep in option::of(0..=86_400_u32),
        literal: bool,
        enabled: bool,
        description in option::of(text().prop_filter("prose", |text| !text.is_empty() && is_prose(text, 500))),
        node in option::of(text().prop_filter("a label", |text| is_label(text, 64))),
    ) -> Rule {
        Rule {
            name: String::new(),
            watch,
            severity,
            notification,
            keep_firing_for: keep.map(Seconds),
            mode: if literal { Mode::Literal } else { Mode::Robust },
            confidence: CONFIDENCE,
            depends_on: None,
            runbook: None,
            description,
            enabled,
            node,
            region: None,
        }
    }
}

proptest! {
    #[test]
    fn rules_written_back_are_equal(mut rules in prop::collection::vec(rule(), 0..5)) {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("Rule_{index}");
            rule.depends_on = index.checked_sub(1).map(|before| format!("Rule_{before}"));
        }
        let file = AlertFile { rules, ..AlertFile::default() };
        let text = file.export();
        prop_assert_eq!(parse(&text, Place::Database, environment), Ok(file), "{}", text);
    }

    #[test]
    fn one_rule_written_back_is_equal(rule in rule()) {
        let rule = Rule { name: "A".into(), ..rule };
        let text = rule.to_yaml();
        prop_assert_eq!(parse_rule(&text), Ok(rule), "{}", text);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = parse_bytes(&bytes, Place::File, environment);
    }

    #[test]
    fn no_text_of_yamls_own_signs_panics(text in "[-a:{}\\[\\]&*!|>'\"%$# \n\t,?]{0,200}") {
        let _ = parse(&text, Place::File, environment);
    }

    #[test]
    fn no_damage_to_a_good_file_panics(at: prop::sample::Index, damage: Vec<u8>) {
        let mut bytes = shipped::TEXT.as_bytes().to_vec();
        let at = at.index(bytes.len());
        let end = (at + damage.len()).min(bytes.len());
        bytes.splice(at..end, damage);
        if let Err(faults) = parse_bytes(&bytes, Place::Database, environment) {
            prop_assert!(!faults.is_empty());
        }
    }
}
