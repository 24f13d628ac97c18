import { createSystem, defaultConfig, defineConfig } from "@chakra-ui/react";

const shade = (light: string, dark: string) => ({ value: { _light: light, _dark: dark } });

// The parts that are shared with Airflow's page ask for the palette `brand`, which Airflow's theme has.
const config = defineConfig({
  globalCss: {
    "html, body, #root": { height: "100%" },
    body: { bg: "bg", color: "fg", fontSize: "sm" },
    ":focus-visible": { outlineOffset: "2px" },
  },
  theme: {
    semanticTokens: {
      colors: {
        brand: {
          solid: shade("{colors.blue.700}", "{colors.blue.600}"),
          contrast: shade("white", "white"),
          fg: shade("{colors.blue.700}", "{colors.blue.300}"),
          muted: shade("{colors.blue.100}", "{colors.blue.900}"),
          subtle: shade("{colors.blue.50}", "{colors.blue.950}"),
          emphasized: shade("{colors.blue.200}", "{colors.blue.800}"),
          border: shade("{colors.blue.300}", "{colors.blue.700}"),
          focusRing: shade("{colors.blue.600}", "{colors.blue.400}"),
        },
      },
    },
  },
});

export const system = createSystem(defaultConfig, config);
