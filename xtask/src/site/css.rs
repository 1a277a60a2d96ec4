//! One minified file from `style/main.css` and what it imports. Nothing is rewritten for old browsers:
//! the pages ask for one that knows nesting and layers.

use std::fs;
use std::path::Path;

use lightningcss::stylesheet::{MinifyOptions, ParserOptions, PrinterOptions, StyleSheet};

use crate::steps::{Failure, Outcome, fail};

pub fn bundle(main: &Path) -> Outcome<String> {
    let text = inlined(main)?;
    minified(&text)
}

/// The imports in their place. One line each, `@import "tokens.css" layer(tokens);` with or without the
/// layer, and none in an imported file: a bundler for all that CSS allows is three times the size of this program.
fn inlined(main: &Path) -> Outcome<String> {
    let folder = main.parent().unwrap_or(Path::new("."));
    let mut whole = String::new();
    for line in read(main)?.lines() {
        let Some(import) = line.trim().strip_prefix("@import ") else {
            whole.push_str(line);
            whole.push('\n');
            continue;
        };
        let Some((name, layer)) = parts(import) else {
            return fail(format!(
                "{}: `{line}` is not an import as this build knows it: `@import \"file.css\" layer(name);`.",
                main.display()
            ));
        };
        let path = folder.join(name);
        let text = read(&path)?;
        if text.contains("@import") {
            return fail(format!("{}: only {} may import.", path.display(), main.display()));
        }
        // Alone each file must be right as well: an open brace would swallow the next one.
        minified(&text).map_err(|Failure(why)| Failure(format!("{}: {why}", path.display())))?;
        match layer {
            Some(layer) => whole.push_str(&format!("@layer {layer} {{\n{text}\n}}\n")),
            None => whole.push_str(&format!("{text}\n")),
        }
    }
    Ok(whole)
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path)
        .map_err(|error| Failure(format!("{} could not be read: {error}.", path.display())))
}

/// `"tokens.css" layer(tokens);` -> `tokens.css` and `tokens`.
fn parts(import: &str) -> Option<(&str, Option<&str>)> {
    let (name, rest) = import.trim().strip_suffix(';')?.strip_prefix('"')?.split_once('"')?;
    match rest.trim() {
        "" => Some((name, None)),
        layer => Some((name, Some(layer.strip_prefix("layer(")?.strip_suffix(')')?))),
    }
}

fn minified(text: &str) -> Outcome<String> {
    let said = |error: String| Failure(format!("the CSS could not be read: {error}."));
    let mut sheet = StyleSheet::parse(text, ParserOptions::default()).map_err(|e| said(e.to_string()))?;
    sheet.minify(MinifyOptions::default()).map_err(|e| said(e.to_string()))?;
    let options = PrinterOptions { minify: true, ..PrinterOptions::default() };
    Ok(sheet.to_css(options).map_err(|e| said(e.to_string()))?.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(main: &str, expected: Result<&str, &str>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("main.css"), main).unwrap();
        fs::write(folder.path().join("a.css"), "a { i { margin: 0px } }").unwrap();
        fs::write(folder.path().join("bad.css"), "a } {").unwrap();
        match (bundle(&folder.path().join("main.css")), expected) {
            (Ok(css), expected) => assert_eq!(Ok(css.as_str()), expected),
            (Err(Failure(why)), Err(part)) => assert!(why.contains(part), "{why}"),
            (Err(Failure(why)), Ok(_)) => panic!("{why}"),
        }
    }

    #[test]
    fn imports_become_one_file() {
        check(
            "@import \"a.css\" layer(base);\nb { color: red }",
            Ok("@layer base{a{& i{margin:0}}}b{color:red}"),
        );
        check("@import \"a.css\";", Ok("a{& i{margin:0}}"));
    }

    #[test]
    fn a_mistake_names_its_file() {
        check("@import \"missing.css\";", Err("missing.css could not be read"));
        check("@import \"bad.css\";", Err("bad.css: the CSS could not be read"));
        check("@import url(a.css) print;", Err("is not an import"));
    }
}
