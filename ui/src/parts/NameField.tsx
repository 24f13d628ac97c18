import { useState } from "react";

import { TextField } from "./fields";

type Rule = { pattern: string; longest: number; help: string; wrong: string };

/** Rules of names, as the APIs have them. */
const RULES = {
  lowerCase: {
    pattern: String.raw`[a-z0-9]([a-z0-9\-]*[a-z0-9])?`,
    longest: 50,
    help: "Lower-case letters, digits and hyphens.",
    wrong: "Use lower-case letters, digits and hyphens only, and no hyphen at the beginning or the end.",
  },
  user: {
    pattern: String.raw`[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?`,
    longest: 50,
    help: "Letters, digits and hyphens.",
    wrong: "Use letters, digits and hyphens only, and no hyphen at the beginning or the end.",
  },
  ofAgents: {
    pattern: String.raw`[A-Za-z0-9][A-Za-z0-9._@:\/\-]*`,
    longest: 250,
    help: "Letters, digits and . _ @ : / -",
    wrong: "Use letters, digits and . _ @ : / - only, and begin with a letter or a digit.",
  },
} satisfies Record<string, Rule>;

type Props = {
  name: string;
  set: (name: string) => void;
  label?: string;
  rule?: keyof typeof RULES;
  note?: string; // what else there is to know of it, said after the rule
  placeholder?: string;
  autoComplete?: string;
};

/** The name of what is created, with its rule. A name that breaks the rule is marked as soon as the field is left. */
export function NameField({ name, set, label = "Name", rule = "lowerCase", note = "", placeholder, autoComplete = "off" }: Props) {
  const [left, setLeft] = useState(false);
  const { pattern, longest, help, wrong } = RULES[rule];
  const isWrong = left && name !== "" && !new RegExp(`^(?:${pattern})$`, "u").test(name);
  return (
    <TextField
      label={label}
      required
      maxLength={longest}
      pattern={pattern}
      title={help}
      placeholder={placeholder}
      autoComplete={autoComplete}
      autoCapitalize="none"
      value={name}
      set={set}
      onBlur={() => setLeft(true)}
      problem={isWrong ? wrong : ""}
      help={[help, note].filter(Boolean).join(" ")}
    />
  );
}
