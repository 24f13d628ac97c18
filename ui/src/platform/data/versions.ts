/** Less than, equal to or greater than 0, as `a` is older than, the same as or newer than `b`. "3.10.0" is newer than "3.9.1". */
export function compared(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number)) as [number[], number[]];
  const at = left.findIndex((part, index) => part !== right[index]);
  return at === -1 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
