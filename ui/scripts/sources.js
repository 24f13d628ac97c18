// The hash of everything the bundle is built from. `scripts/ui_check.py` computes the same without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ui = fileURLToPath(new URL("..", import.meta.url));
const single = ["package-lock.json", "package.json", "scripts/sources.js", "tsconfig.json", "vite.config.js"];

function below(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((each) =>
    each.isDirectory() ? below(join(folder, each.name)) : [join(folder, each.name)],
  );
}

export function sourcesHash() {
  const names = [...below(join(ui, "src")).map((path) => relative(ui, path).split(sep).join("/")), ...single];
  const hash = createHash("sha256");
  for (const name of names.sort()) {
    hash.update(`${name}\0`).update(readFileSync(join(ui, name))).update("\0");
  }
  return hash.digest("hex");
}
