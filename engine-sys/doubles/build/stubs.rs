//! Classes that override every pure virtual function of an interface of TensorRT's headers with one
//! that aborts, so that the stand-ins write down only what they really do, whatever the version.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A header with a class `StubNAME` for each of the `classes` that `header` declares in
/// `namespace`.
pub(crate) fn generate(header: &Path, namespace: &str, classes: &[&str]) -> String {
    println!("cargo::rerun-if-changed={}", header.display());
    let text =
        fs::read_to_string(header).unwrap_or_else(|error| panic!("{}: {error}", header.display()));
    let text = without_comments(&text);
    let file = header.file_name().expect("a header has a name").display();
    let mut out = format!(
        "#pragma once\n#pragma GCC system_header\n#include <NvInfer.h>\n#include <{file}>\n\
         namespace fake {{\n[[noreturn]] void unsupported(char const* method);\n}}\n\
         namespace {namespace} {{\n"
    );
    for class in classes {
        let body = body(&text, class)
            .unwrap_or_else(|| panic!("{} has no class {class}", header.display()));
        writeln!(out, "class Stub{class} : public {class} {{\npublic:").expect("text grows");
        out.push_str(&overrides(class, body));
        out.push_str("};\n");
    }
    out.push_str("}\n");
    out
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("//").into_iter().chain(rest.find("/*")).min() {
        out.push_str(&rest[..at]);
        let end = if rest[at..].starts_with("//") { "\n" } else { "*/" };
        let end_at = rest[at..].find(end).map_or(rest.len(), |found| at + found);
        // The end of a line stays, that of a comment does not.
        rest = rest[end_at..].strip_prefix("*/").unwrap_or(&rest[end_at..]);
    }
    out.push_str(rest);
    out
}

/// What stands between the braces of the class.
fn body<'a>(text: &'a str, class: &str) -> Option<&'a str> {
    for (at, _) in text.match_indices(&format!("class {class}")) {
        let rest = &text[at + "class ".len() + class.len()..];
        let open = rest.find(['{', ';']).filter(|&open| rest[open..].starts_with('{'));
        let whole_name = rest.starts_with(|next: char| next.is_whitespace() || next == ':');
        let Some(open) = open.filter(|_| whole_name) else { continue };
        let mut depth = 0_usize;
        for (end, letter) in rest[open..].char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(&rest[open + 1..open + end]);
            }
        }
    }
    None
}

/// The class's pure virtual functions with bodies. Lines of the preprocessor stay where they are,
/// because they say which of the functions there are.
fn overrides(class: &str, body: &str) -> String {
    let mut out = String::new();
    let mut statement = String::new();
    for line in body.lines() {
        if line.trim_start().starts_with('#') {
            writeln!(out, "{}", line.trim()).expect("text grows");
            continue;
        }
        for letter in line.chars().chain(['\n']) {
            statement.push(letter);
            if matches!(letter, ';' | '}') {
                out.push_str(&override_of(class, &statement));
                statement.clear();
            } else if matches!(statement.trim(), "public:" | "protected:") {
                statement.clear();
            }
        }
    }
    out
}

/// Empty for anything but a pure virtual function.
fn override_of(class: &str, statement: &str) -> String {
    let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some(signature) = words.strip_suffix("= 0;") else { return String::new() };
    let name = signature.split('(').next().and_then(|head| head.split([' ', '*', '&']).next_back());
    let name = name.expect("a function has a name");
    if name.starts_with('~') {
        return String::new();
    }
    format!("{signature}override {{ fake::unsupported(\"{class}::{name}\"); }}\n")
}
