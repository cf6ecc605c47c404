//! Reads a page of results strictly, and compares what it shows with the JSON in it.

use std::collections::BTreeMap;

use serde_json::Value;

/// An element, or text.
#[derive(Debug)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
}

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) tag: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) children: Vec<Node>,
}

/// Elements that have no end.
const VOID: [&str; 4] = ["meta", "link", "br", "img"];

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Whether it has the class.
    pub(crate) fn is(&self, class: &str) -> bool {
        self.attribute("class").unwrap_or_default().split(' ').any(|name| name == class)
    }

    /// Everything that is written in it.
    pub(crate) fn text(&self) -> String {
        let parts = self.children.iter().map(|node| match node {
            Node::Text(text) => text.clone(),
            Node::Element(element) => element.text(),
        });
        parts.collect()
    }

    /// Its elements, and theirs.
    pub(crate) fn all(&self) -> Vec<&Element> {
        let mut found = vec![self];
        for node in &self.children {
            if let Node::Element(element) = node {
                found.extend(element.all());
            }
        }
        found
    }

    pub(crate) fn with_class(&self, class: &str) -> Vec<&Element> {
        self.all().into_iter().filter(|element| element.is(class)).collect()
    }

    fn number(&self, attribute: &str) -> Option<f64> {
        Some(self.attribute(attribute)?.parse().unwrap())
    }
}

/// The one element of a document. Every tag has to be closed, in order, every attribute to have a
/// value in double quotes or none, and every `&` to begin a reference.
pub(crate) fn parse(html: &str) -> Element {
    let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a doctype").trim();
    let root = Element { tag: "document".into(), attributes: BTreeMap::new(), children: vec![] };
    let mut open = vec![root];
    while !rest.is_empty() {
        let innermost = open.last_mut().unwrap();
        if let Some(closing) = rest.strip_prefix("</") {
            let (tag, after) = closing.split_once('>').unwrap();
            let element = open.pop().unwrap();
            assert_eq!(element.tag, tag, "closed in the wrong order");
            open.last_mut().unwrap().children.push(Node::Element(element));
            rest = after;
        } else if rest.starts_with('<') {
            let (element, after) = opening(rest);
            rest = after;
            if VOID.contains(&element.tag.as_str()) {
                innermost.children.push(Node::Element(element));
            } else {
                let raw = matches!(element.tag.as_str(), "script" | "style");
                open.push(element);
                if raw {
                    let tag = open.last().unwrap().tag.clone();
                    let at = rest.find(&format!("</{tag}>")).expect("the end of a raw element");
                    let text = rest[..at].to_owned();
                    open.last_mut().unwrap().children.push(Node::Text(text));
                    rest = &rest[at..];
                }
            }
        } else {
            let at = rest.find('<').unwrap_or(rest.len());
            innermost.children.push(Node::Text(unescaped(&rest[..at])));
            rest = &rest[at..];
        }
    }
    let document = open.pop().unwrap();
    assert!(open.is_empty(), "{} is not closed", document.tag);
    let [Node::Element(_)] = &document.children[..] else { panic!("one element is expected") };
    let Some(Node::Element(html)) = document.children.into_iter().next() else { unreachable!() };
    html
}

/// The element that begins here, and what follows its tag.
fn opening(text: &str) -> (Element, &str) {
    let name_end = text.find([' ', '>']).unwrap();
    let tag = text[1..name_end].to_owned();
    assert!(tag.chars().all(|c| c.is_ascii_alphanumeric()), "{tag:?} is no tag");
    let mut attributes = BTreeMap::new();
    let mut rest = text[name_end..].trim_start();
    while !rest.starts_with('>') {
        let end = rest.find(['=', ' ', '>']).unwrap();
        let name = rest[..end].to_owned();
        let mut value = String::new();
        rest = &rest[end..];
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let (text, after) = quoted.split_once('"').unwrap();
            assert!(!text.contains('<'), "an attribute that is not escaped: {text}");
            value = unescaped(text);
            rest = after;
        }
        assert!(attributes.insert(name.clone(), value).is_none(), "{name} twice in {tag}");
        rest = rest.trim_start();
    }
    (Element { tag, attributes, children: vec![] }, &rest[1..])
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once(';').expect("a reference after &");
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "nbsp" => '\u{a0}',
            other => panic!("&{other};"),
        });
        plain.push_str(after);
    }
    plain
}

/// The JSON in the page.
pub(crate) fn report(page: &Element) -> Value {
    let element = page.all().into_iter().find(|e| e.attribute("id") == Some("report")).unwrap();
    assert_eq!(element.attribute("type"), Some("application/json"));
    serde_json::from_str(&element.text()).unwrap()
}

/// What is at a path in the JSON; it has to be there, if only as `null`.
fn at<'a>(json: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(json, |value, step| {
        let found = match value {
            Value::Array(items) => items.get(step.parse::<usize>().unwrap()),
            value => value.get(step),
        };
        found.unwrap_or_else(|| panic!("{path} is not in the JSON"))
    })
}

/// What an element with a path has to say.
fn expected(json: &Value, element: &Element) -> String {
    let value = at(json, element.attribute("data-path").unwrap());
    let number = |value: &Value| value.as_f64().unwrap();
    let over = element.attribute("data-over").map(|path| number(at(json, path)));
    let label = element.attribute("data-label").unwrap_or_default();
    match element.attribute("data-kind") {
        Some("stretch") => {
            let (start, end) = (number(&value[0]) / 1e3, number(&value[1]) / 1e3);
            format!("{label}: {start:.3} to {end:.3} ms ({:.3} ms)", end - start)
        }
        Some("length") => format!("{label}: {:.3} ms", number(value) / 1e3),
        Some("part") => {
            let share = number(value) * 100.0 / over.unwrap();
            format!("{label}: {:.3} ms, {share:.1} %", number(value) * 1e3)
        }
        Some("bin") => {
            let bin: usize = element.attribute("data-bin").unwrap().parse().unwrap();
            let bound = |bin: usize| number(&value["from"]) + number(&value["width"]) * bin as f64;
            match value["counts"].get(bin) {
                Some(n) => format!("{label}: {:.3} to {:.3} ms, {n}", bound(bin), bound(bin + 1)),
                None => format!("{label}: above {:.3} ms, {}", bound(bin), value["above"]),
            }
        }
        Some(other) => panic!("unknown kind {other}"),
        None if value.is_null() => "\u{2013}".to_owned(),
        None => match element.number("data-decimals") {
            None => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            Some(decimals) => {
                let times = element.number("data-times").unwrap_or(1.0);
                let shown = number(value) * times / over.unwrap_or(1.0);
                format!("{shown:.0$}", decimals as usize)
            }
        },
    }
}

/// Compares every number in the page with the JSON; returns how many were compared.
#[track_caller]
pub(crate) fn check_numbers(page: &Element, json: &Value) -> usize {
    let body = page.all().into_iter().find(|element| element.tag == "body").unwrap();
    check_element(body, json)
}

#[track_caller]
fn check_element(element: &Element, json: &Value) -> usize {
    if element.tag == "script" {
        return 0;
    }
    if let Some(path) = element.attribute("data-path") {
        let title = element.attribute("title").map(str::to_owned);
        let shown = title.unwrap_or_else(|| element.text());
        assert_eq!(shown, expected(json, element), "{path}");
        return 1;
    }
    let names_its_source = element.attributes.contains_key("data-static");
    let mut compared = 0;
    for node in &element.children {
        match node {
            Node::Element(child) => compared += check_element(child, json),
            Node::Text(text) => {
                let has_number = text.contains(|c: char| c.is_ascii_digit());
                assert!(!has_number || names_its_source, "whose number is this: {text:?}");
            }
        }
    }
    compared
}
