export type Page<Item> = { items: Item[]; total: number; limit: number; offset: number };
