import type { Refused } from "../../data/api";

/** What the API says about one field of the body; nothing where it says nothing about it. */
export const errorOf = (error: Refused | undefined, field: string): string | undefined =>
  error?.fields.find((each) => each.where === `body.${field}`)?.what;

/** Whether each of its errors is about one of these fields, where the page shows it. */
export const isShownBy = (error: Refused, fields: string[]): boolean =>
  error.fields.length > 0 && error.fields.every((each) => fields.some((field) => each.where === `body.${field}`));
