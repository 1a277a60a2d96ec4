//! YAML as texts, lists and maps, each with its line.
//!
//! Every scalar stays the text that was written: `1%` is not a string by luck and `0.10` not a float, so that numbers
//! are exact and `no` is never a switch. The limits hold before anything is stored. Aliases are refused: ten lines of
//! them can stand for a billion values, and a file of rules does without.

use super::Fault;
use crate::text::said::plainly;
use granit_parser::{Event, Options, Parser, ScalarStyle};

pub const MAX_BYTES: usize = 256 * 1024;
pub const MAX_DEPTH: usize = 8;
pub const MAX_VALUES: usize = 20_000;

#[derive(Debug)]
pub struct Node {
    pub line: u32,
    pub value: Value,
}

#[derive(Debug)]
pub enum Value {
    Text(String),
    List(Vec<Node>),
    /// In the file's order, and a key as often as it stands there.
    Map(Vec<Entry>),
}

#[derive(Debug)]
pub struct Entry {
    pub key: String,
    pub line: u32,
    pub value: Node,
}

/// A list or map that is not closed yet.
enum Open {
    List(u32, Vec<Node>),
    Map(u32, Vec<Entry>, Option<(String, u32)>),
}

/// `None`: the file is empty.
pub fn parse(text: &str) -> Result<Option<Node>, Fault> {
    if text.len() > MAX_BYTES {
        return Err(Fault::new(1, "", format!("the file is larger than {} KiB", MAX_BYTES / 1024)));
    }
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut values = 0;
    for step in Parser::new_from_str_with_options(text, options()) {
        let (event, span) = step.map_err(|error| {
            Fault::new(line(error.marker().line()), "", format!("not YAML: {}", plainly(error.info())))
        })?;
        let line = line(span.start.line());
        let refuse = |why: &str| Err(Fault::new(line, "", why));
        if matches!(event, Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..)) {
            values += 1;
            if values > MAX_VALUES {
                return refuse(&format!("more than {MAX_VALUES} values"));
            }
            if root.is_some() {
                return refuse("one document a file; `---` begins a second one");
            }
            if event.anchor_id().is_some() {
                return refuse(
                    "anchors (`&name`) and aliases (`*name`) are not allowed; write the value out",
                );
            }
            if event.tag().is_some() {
                return refuse("tags (`!name`) are not allowed");
            }
        }
        let node = match event {
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                return refuse(
                    "anchors (`&name`) and aliases (`*name`) are not allowed; write the value out",
                );
            }
            // YAML's three ways to write nothing.
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&*text, "" | "~" | "null") => {
                Node { line, value: Value::Text(String::new()) }
            }
            Event::Scalar(text, ..) => Node { line, value: Value::Text(text.into_owned()) },
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= MAX_DEPTH => {
                return refuse(&format!("more than {MAX_DEPTH} levels of lists and maps"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(line, Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(line, Vec::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(line, items)) => Node { line, value: Value::List(items) },
                Some(Open::Map(line, entries, _)) => Node { line, value: Value::Map(entries) },
                None => continue,
            },
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => match (key.take(), node.value) {
                (Some((key, at)), value) => {
                    entries.push(Entry { key, line: at, value: Node { line: node.line, value } });
                }
                (None, Value::Text(text)) => *key = Some((text, node.line)),
                (None, _) => return Err(Fault::new(node.line, "", "a key must be a text")),
            },
        }
    }
    // An empty document is one empty scalar.
    Ok(root.filter(|node| !matches!(&node.value, Value::Text(text) if text.is_empty())))
}

fn options() -> Options {
    granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        emit_comments: false,
    }
}

fn line(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}
