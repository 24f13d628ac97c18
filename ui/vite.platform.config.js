// One script for the platform's pages, with everything in it: the platform is no guest in another page.
import { defineConfig } from "vite";

import { sourcesHash } from "./scripts/sources.js";

const out = new URL("../packages/platform/src/tradewind_platform/ui/", import.meta.url).pathname;

// Written after everything else: minifying takes comments away.
const namesItsSources = {
  name: "names-its-sources",
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type === "chunk") {
        file.code = `/*! Tradewind platform. Apache-2.0. Parts of others: third-party-licenses.md. built from ${sourcesHash("vite.platform.config.js")} */\n${file.code}`;
      }
    }
  },
};

export default defineConfig({
  plugins: [namesItsSources],
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  oxc: { jsx: { runtime: "automatic", development: false } },
  build: {
    target: "es2022",
    outDir: process.env.TRADEWIND_UI_OUT ?? out,
    emptyOutDir: false,
    copyPublicDir: false,
    minify: true,
    license: { fileName: "third-party-licenses.md" },
    // Libraries mark modules for servers that draw React; nothing is drawn there here.
    rolldownOptions: { checks: { moduleLevelDirective: false } },
    lib: { entry: "src/platform/main.tsx", formats: ["iife"], name: "TradewindPlatform", fileName: () => "platform.js" },
  },
});
