// The fields of all types in this folder are described in tradewind_protocol.operator.

export type Page<Item> = { items: Item[]; total: number; limit: number; offset: number };
