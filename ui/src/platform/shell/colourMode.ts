// Light or dark: what the person chose on this machine, else what the system says.

export type ColourMode = "light" | "dark";

const KEY = "theme"; // as Airflow calls it

export function chosenColourMode(): ColourMode {
  const chosen = localStorage.getItem(KEY);
  if (chosen === "light" || chosen === "dark") {
    return chosen;
  }
  return globalThis.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function applyColourMode(mode: ColourMode): void {
  const { classList, style } = document.documentElement;
  classList.remove("light", "dark");
  classList.add(mode);
  style.colorScheme = mode;
}

export function chooseColourMode(mode: ColourMode): void {
  localStorage.setItem(KEY, mode);
  applyColourMode(mode);
}
