// The hash of everything that a bundle is built from. `scripts/ui_check.py` computes the same without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ui = fileURLToPath(new URL("..", import.meta.url));
const shared = ["package-lock.json", "package.json", "scripts/sources.js", "tsconfig.json"];

function below(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((each) =>
    each.isDirectory() ? below(join(folder, each.name)) : [join(folder, each.name)],
  );
}

/** `config`: the bundle's Vite file. `without`: a folder below src that the bundle has nothing of. */
export function sourcesHash(config, without = undefined) {
  const sources = below(join(ui, "src")).filter((path) => /\.tsx?$/u.test(path));
  const names = [...sources.map((path) => relative(ui, path).split(sep).join("/")), ...shared, config];
  const hash = createHash("sha256");
  for (const name of names.filter((each) => without === undefined || !each.startsWith(without)).sort()) {
    hash.update(`${name}\0`).update(readFileSync(join(ui, name))).update("\0");
  }
  return hash.digest("hex");
}
