// One script for Airflow's UI. React, the router and Chakra are the host page's own: it puts them on `globalThis`
// before it loads a plugin, so the page looks like Airflow because it is made of the same parts, and stays small.
import { defineConfig } from "vite";

import { sourcesHash } from "./scripts/sources.js";

const out = new URL("../packages/provider/src/tradewind_provider/ui/", import.meta.url).pathname;

// Written after everything else: minifying takes comments away.
const namesItsSources = {
  name: "names-its-sources",
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle)) {
      file.code = `/*! Tradewind Remote Agents. Apache-2.0. built from ${sourcesHash("vite.config.js", "src/platform/")} */\n${file.code}`;
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
    lib: { entry: "src/main.tsx", formats: ["umd"], name: "AirflowPlugin", fileName: () => "remote-agents.js" },
    rolldownOptions: {
      external: ["react", "react-dom", "react/jsx-runtime", "react-router-dom", "@chakra-ui/react"],
      output: {
        globals: {
          react: "React",
          "react-dom": "ReactDOM",
          "react/jsx-runtime": "ReactJSXRuntime",
          "react-router-dom": "ReactRouterDOM",
          "@chakra-ui/react": "ChakraUI",
        },
      },
    },
  },
});
