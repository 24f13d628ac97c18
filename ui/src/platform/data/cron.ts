// Cron expressions as words, where they are simple: "0 3 * * 0" is "Sundays at 03:00 UTC".

const DAYS = ["Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"];
const SIMPLE = /^(\d{1,2}) (\d{1,2}) (\*|\d{1,2}) \* (\*|[0-7](?:[-,][0-7])*)$/u;
const HOURLY = /^(\d{1,2}) \* \* \* \*$/u;

/** When it is, in words; nothing for one that has no short ones. */
export function cronInWords(expression: string): string | undefined {
  const text = expression.trim().replace(/\s+/gu, " ");
  const hourly = HOURLY.exec(text);
  if (hourly) {
    return Number(hourly[1]) < 60 ? `each hour, at minute ${Number(hourly[1])}` : undefined;
  }
  const [, minute = "", hour = "", day = "", weekdays = ""] = SIMPLE.exec(text) ?? [];
  if (minute === "" || Number(minute) > 59 || Number(hour) > 23) {
    return undefined;
  }
  const at = `at ${hour.padStart(2, "0")}:${minute.padStart(2, "0")} UTC`;
  if (day !== "*") {
    return weekdays === "*" && Number(day) >= 1 && Number(day) <= 31 ? `on day ${Number(day)} of each month ${at}` : undefined;
  }
  return `${days(weekdays)} ${at}`;
}

function days(weekdays: string): string {
  if (weekdays === "*") {
    return "every day";
  }
  return weekdays
    .split(",")
    .map((part) => {
      const [first = "", last] = part.split("-");
      return last === undefined ? DAYS[Number(first)] : `${DAYS[Number(first)]} to ${DAYS[Number(last)]}`;
    })
    .join(", ");
}
