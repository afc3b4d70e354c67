// Shows /openapi.json: each address with what it takes and answers.

/** An element with a text and children; text never becomes markup. */
function element(name, text = "", ...children) {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...children);
  return made;
}

/** The schema behind a reference. */
function resolved(description, schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? description.components.schemas[name] : schema;
}

function typeOf(schema) {
  const one = schema.oneOf?.find((each) => each.type !== "null") ?? schema;
  const types = [one.type ?? "value"].flat().filter((type) => type !== "null");
  return one.items ? `list of ${typeOf(one.items)}` : types.join(" or ");
}

function fields(schema) {
  const table = element("table");
  table.append(element("caption", "The body, as JSON"));
  const head = element("tr");
  for (const name of ["Name", "Type", "What it is"]) {
    const cell = element("th", name);
    cell.scope = "col";
    head.append(cell);
  }
  table.append(element("thead", "", head));
  const body = element("tbody");
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const needed = schema.required?.includes(name) ? " (needed)" : "";
    const first = element("td", "", element("code", name), needed);
    body.append(element("tr", "", first, element("td", typeOf(field)), element("td", field.description ?? "")));
  }
  table.append(body);
  return table;
}

async function show() {
  const place = document.getElementById("paths");
  try {
    const response = await fetch("/openapi.json");
    const description = await response.json();
    for (const [path, methods] of Object.entries(description.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const section = element("section");
        section.append(element("h2", "", element("code", `${method.toUpperCase()} ${path}`)));
        section.append(element("p", operation.summary ?? ""));
        const asked = operation.requestBody?.content?.["application/json"]?.schema;
        if (asked) {
          const scroll = element("div", "", fields(resolved(description, asked)));
          scroll.className = "scroll";
          section.append(scroll);
        }
        const answers = element("ul");
        for (const [status, answer] of Object.entries(operation.responses ?? {})) {
          answers.append(element("li", `${status}: ${answer.description}`));
        }
        section.append(answers);
        place.append(section);
      }
    }
  } catch (error) {
    const problem = element("p", `The description cannot be read: ${error.message}`);
    problem.className = "problem";
    place.append(problem);
  }
}

show();
