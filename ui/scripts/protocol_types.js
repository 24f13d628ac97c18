// The messages of the platform's API as TypeScript types, made of the JSON schemas in packages/protocol before each build.
// They are not committed: the schemas are, and nothing of a type is in a bundle.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const schemas = fileURLToPath(new URL("../../packages/protocol/src/tradewind_protocol/schemas/", import.meta.url));
const out = fileURLToPath(new URL("../generated/", import.meta.url));

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(" | ");
  if (schema.allOf?.length === 1) return typeOf(schema.allOf[0]);
  switch (schema.type) {
    case "array":
      return `(${typeOf(schema.items ?? {})})[]`;
    case "object":
      return schema.properties ? objectOf(schema) : `Record<string, ${typeOf(schema.additionalProperties || {})}>`;
    case "string":
      return "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    default:
      return "unknown";
  }
}

// A request may leave out what has a default. An answer has every field.
function objectOf(schema) {
  const isRequest = schema.additionalProperties === false;
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const optional = isRequest && !(schema.required ?? []).includes(name);
    return `  ${JSON.stringify(name)}${optional ? "?" : ""}: ${typeOf(field)};`;
  });
  return `{\n${fields.join("\n")}\n}`;
}

mkdirSync(out, { recursive: true });
const known = new Map();
for (const name of ["platform", "platform_life", "deploys", "people", "organization", "clusters"]) {
  let text;
  try {
    text = readFileSync(`${schemas}${name}.json`, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") continue;
    throw error;
  }
  for (const [title, schema] of Object.entries(JSON.parse(text))) {
    for (const [inner, definition] of Object.entries(schema.$defs ?? {})) known.set(inner, known.get(inner) ?? definition);
    known.set(title, schema);
  }
}
const lines = [...known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, schema]) => `export type ${name} = ${typeOf(schema)};`);
writeFileSync(`${out}platform.d.ts`, `${lines.join("\n\n")}\n`);
