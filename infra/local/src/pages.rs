//! Pages for people: the API's documentation, rendered here from its `OpenAPI` document, and one for
//! each problem. No script, nothing from elsewhere: the whole of the well-known viewers' megabytes
//! would serve to run one request, for which there is `curl`.

use std::fmt::Write as _;

use ringfence_http::Code;
use serde_json::Value;

/// The pages' style sheet.
pub(crate) const STYLE: &str = include_str!("style.css");

const METHODS: [&str; 5] = ["get", "put", "patch", "post", "delete"];

/// How deep the fields of a schema are shown.
const MAX_DEPTH: usize = 4;

/// Every operation of a document: path, method, operation.
pub(crate) fn operations(document: &Value) -> impl Iterator<Item = (&str, &'static str, &Value)> {
    document["paths"]
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(path, item)| {
            METHODS
                .into_iter()
                .filter_map(|method| Some((path.as_str(), method, item.get(method)?)))
        })
}

/// The documentation.
pub(crate) fn docs(document: &Value) -> String {
    let mut menu = String::new();
    let mut body = String::new();
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = text(&tag["name"]);
        let _ = write!(
            menu,
            "<h2><a href=\"#tag-{0}\">{0}</a></h2><ul>",
            escaped(name)
        );
        let _ = write!(
            body,
            "<h2 id=\"tag-{0}\">{0}</h2><p>{1}</p>",
            escaped(name),
            escaped(text(&tag["description"]))
        );
        for (path, method, operation) in operations(document) {
            if operation["tags"]
                .as_array()
                .is_some_and(|tags| tags.iter().any(|tag| text(tag) == name))
            {
                let id = anchor(method, path);
                let _ = write!(
                    menu,
                    "<li><a href=\"#{id}\">{}</a></li>",
                    escaped(text(&operation["summary"]))
                );
                render_operation(&mut body, document, &id, path, method, operation);
            }
        }
        menu.push_str("</ul>");
    }
    let info = &document["info"];
    let head = format!(
        "<h1>{} <small>{}</small></h1>{}<p>Send an API key with each request: \
         <code>Authorization: Bearer rfk_…</code>, or as the password of Basic authentication. \
         For programs: <a href=\"/openapi.json\">/openapi.json</a>. Errors: <a href=\"/problems\">/problems</a>.</p>",
        escaped(text(&info["title"])),
        escaped(text(&info["version"])),
        paragraphs(text(&info["description"])),
    );
    frame(
        "Ringfence API",
        &format!(
            "<nav><a href=\"#top\">Ringfence API</a>{menu}</nav><main id=\"top\">{head}{body}</main>"
        ),
    )
}

/// One problem.
pub(crate) fn problem(code: Code) -> String {
    frame(
        code.title(),
        &format!(
            "<main><p><a href=\"/problems\">Problems</a></p><h1>{}</h1>\
             <p><code>{}</code>, HTTP status {}</p><p>What to do: {}</p></main>",
            escaped(code.title()),
            escaped(code.as_str()),
            code.status().as_u16(),
            escaped(code.next()),
        ),
    )
}

/// All problems.
pub(crate) fn problems() -> String {
    let mut rows = String::new();
    for code in Code::ALL {
        let _ = write!(
            rows,
            "<tr><td><a href=\"/problems/{0}\"><code>{0}</code></a></td><td>{1}</td><td>{2}</td><td>{3}</td></tr>",
            escaped(code.as_str()),
            code.status().as_u16(),
            escaped(code.title()),
            escaped(code.next()),
        );
    }
    frame(
        "Problems",
        &format!(
            "<main><p><a href=\"/docs\">API</a></p><h1>Problems</h1><p>What an error's <code>type</code> \
             can be.</p><table><tr><th>type</th><th>status</th><th>what happened</th><th>what to do</th></tr>\
             {rows}</table></main>"
        ),
    )
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body>{body}</body></html>\n",
        escaped(title)
    )
}

fn render_operation(
    out: &mut String,
    document: &Value,
    id: &str,
    path: &str,
    method: &str,
    operation: &Value,
) {
    let _ = write!(
        out,
        "<section id=\"{id}\"><h3>{}</h3><p class=\"path\"><b class=\"{method}\">{}</b> <code>{}</code></p>{}",
        escaped(text(&operation["summary"])),
        method.to_uppercase(),
        escaped(path),
        paragraphs(text(&operation["description"])),
    );
    if let Some(parameters) = operation["parameters"]
        .as_array()
        .filter(|list| !list.is_empty())
    {
        out.push_str("<h4>Parameters</h4><table><tr><th>name</th><th>in</th><th></th></tr>");
        for parameter in parameters {
            let _ = write!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                escaped(text(&parameter["name"])),
                escaped(text(&parameter["in"])),
                inline(text(&parameter["description"])),
            );
        }
        out.push_str("</table>");
    }
    if let Some(request) = operation.get("requestBody") {
        out.push_str("<h4>Body</h4>");
        out.push_str(&paragraphs(text(&request["description"])));
        render_content(out, document, &request["content"]);
    }
    out.push_str("<h4>Answers</h4>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let is_problem = response["content"]
            .get("application/problem+json")
            .is_some();
        let _ = write!(
            out,
            "<p><b>{}</b> {}{}</p>",
            escaped(status),
            inline(text(&response["description"])),
            if is_problem {
                " <small>(a <a href=\"/problems\">problem</a>)</small>"
            } else {
                ""
            },
        );
        if !is_problem {
            render_content(out, document, &response["content"]);
        }
    }
    out.push_str("</section>");
}

fn render_content(out: &mut String, document: &Value, content: &Value) {
    for (media_type, content) in content.as_object().into_iter().flatten() {
        let _ = write!(out, "<p><code>{}</code></p>", escaped(media_type));
        let mut rows = String::new();
        render_fields(&mut rows, document, &content["schema"], "", 0);
        if !rows.is_empty() {
            let _ = write!(
                out,
                "<table><tr><th>field</th><th>type</th><th></th></tr>{rows}</table>"
            );
        }
        let examples = content["examples"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, one)| &one["value"]);
        for example in content.get("example").into_iter().chain(examples) {
            let shown = match example {
                Value::String(text) => text.clone(),
                other => serde_json::to_string_pretty(other).unwrap_or_default(),
            };
            let _ = write!(out, "<pre>{}</pre>", escaped(&shown));
        }
    }
}

fn render_fields(out: &mut String, document: &Value, schema: &Value, prefix: &str, depth: usize) {
    let schema = resolved(document, schema);
    if depth == MAX_DEPTH {
        return;
    }
    if let Some(items) = schema.get("items") {
        return render_fields(out, document, items, &format!("{prefix}[]."), depth + 1);
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let full = format!("{prefix}{name}").replace(".[]", "[]");
        let target = resolved(document, field);
        let about = match text(&field["description"]) {
            "" => text(&target["description"]),
            own => own,
        };
        let _ = write!(
            out,
            "<tr><td><code>{}</code>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&full),
            if required.contains(&name.as_str()) {
                ""
            } else {
                " <small>optional</small>"
            },
            escaped(&type_of(target)),
            inline(about),
        );
        render_fields(out, document, target, &format!("{full}."), depth + 1);
    }
}

/// What a `$ref` points at, and the one branch of a `oneOf` that is not null.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..8 {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            schema = target
                .strip_prefix('#')
                .and_then(|at| document.pointer(at))
                .unwrap_or(&Value::Null);
        } else if let Some(branch) = schema["oneOf"].as_array().and_then(|branches| {
            branches
                .iter()
                .find(|branch| text(&branch["type"]) != "null")
        }) {
            schema = branch;
        } else {
            break;
        }
    }
    schema
}

fn type_of(schema: &Value) -> String {
    let mut name = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        other => text(other).to_owned(),
    };
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&str> = words
            .iter()
            .map(text)
            .filter(|word| !word.is_empty())
            .collect();
        name = words.join(", ");
    }
    if let Some(format) = schema["format"].as_str() {
        let _ = write!(name, " ({format})");
    }
    name
}

fn anchor(method: &str, path: &str) -> String {
    let path: String = path
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("{method}{path}")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Paragraphs of Markdown, as far as doc comments use it: code in backticks.
fn paragraphs(markdown: &str) -> String {
    let mut html = String::new();
    for paragraph in markdown
        .split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty())
    {
        let _ = write!(html, "<p>{}</p>", inline(paragraph));
    }
    html
}

fn inline(markdown: &str) -> String {
    let mut html = String::new();
    for (place, part) in markdown.split('`').enumerate() {
        if place % 2 == 0 {
            html.push_str(&escaped(part));
        } else {
            let _ = write!(html, "<code>{}</code>", escaped(part));
        }
    }
    html
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_names_every_operation_and_lets_no_markup_through() {
        let document = json!({
            "info": {"title": "T", "version": "1", "description": "One `two` <three>."},
            "tags": [{"name": "calls", "description": "About calls"}],
            "paths": {"/v1/calls/{call}": {"get": {
                "tags": ["calls"], "summary": "Read <b>a call</b>", "description": "First.\n\nSecond.",
                "parameters": [{"name": "call", "in": "path", "description": "Its `id`"}],
                "responses": {"200": {"description": "It", "content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/Call"}, "example": {"from": "<x>"},
                }}}},
            }}},
            "components": {"schemas": {"Call": {"type": "object", "required": ["legs"], "properties": {
                "legs": {"type": "array", "items": {"properties": {"from": {"type": ["string", "null"]}}}},
            }}}},
        });
        let page = docs(&document);
        assert!(page.contains("<code>/v1/calls/{call}</code>"));
        assert!(page.contains("Read &lt;b&gt;a call&lt;/b&gt;") && !page.contains("<b>a call"));
        assert!(page.contains("<p>First.</p><p>Second.</p>"));
        assert!(page.contains("Its <code>id</code>"));
        assert!(page.contains("<code>legs[].from</code>") && page.contains("string or null"));
        assert!(page.contains("&lt;x&gt;"));
        assert!(!page.contains("<script"));
    }
}
