//! What the pages of alerts are put together from. Rendered on the server alone.

pub mod action; // forms of one button, and short ones
pub mod chart; // a metric with its threshold, and what the rule made of it
pub mod draft; // a rule as a form's fields, and as YAML
pub mod level; // a value on its rail, with threshold and worst
pub mod runbook; // what to do, beside the incident
pub mod shape; // the state as a shape and a word
pub mod strip; // the last 24 hours of all rules
pub mod words; // amounts, names and times as the pages say them
