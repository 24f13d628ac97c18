import { ChakraProvider } from "@chakra-ui/react";
import createCache from "@emotion/cache";
import { CacheProvider } from "@emotion/react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router-dom";

import { applyColourMode, chosenColourMode } from "./shell/colourMode";
import { Platform } from "./Platform";
import { system } from "./theme";

// The policy of the page allows style elements with this response's nonce only. A browser hides the attribute from scripts
// of others; the property is there.
const nonce = document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce;
const styles = createCache({ key: "tw", ...(nonce ? { nonce } : {}) });
const root = document.querySelector("#root");

applyColourMode(chosenColourMode());
if (root !== null) {
  createRoot(root).render(
    <CacheProvider value={styles}>
      <ChakraProvider value={system}>
        <BrowserRouter>
          <Platform />
        </BrowserRouter>
      </ChakraProvider>
    </CacheProvider>,
  );
}
