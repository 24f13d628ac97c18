import type { OptionView, VariableView } from "../../../../generated/platform";

/** What a layer of options and variables belongs to: its path of the API, its word, and whether the person may change it. */
export type Layer = { path: string; word: "cluster" | "workspace" | "deployment"; mayChange: boolean };

type Entry = Pick<OptionView | VariableView, "origin" | "locked">;

/** Whether the layer itself sets it, so that it can be removed there. */
export const isOwn = (layer: Layer, entry: Entry) => entry.origin === layer.word;

/** Whether an outer layer forbids this one to say otherwise. */
export const isLocked = (layer: Layer, entry: Entry) => entry.locked && !isOwn(layer, entry);

/** Whether layers inside of it exist, which a lock is for. */
export const hasInner = (layer: Layer) => layer.word !== "deployment";
