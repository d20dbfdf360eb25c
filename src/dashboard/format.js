// Numbers, durations and times for people. Text is English; digits and zones follow the reader's machine.

const NONE = "–";
let clockOffset = 0;

/** Learns the service's clock from a response: ages must not depend on the reader's clock. */
export function learnClock(serverTime) {
  const time = Date.parse(serverTime);
  if (!Number.isNaN(time)) clockOffset = time - Date.now();
}

/** Now by the service's clock, in milliseconds. */
export function now() {
  return Date.now() + clockOffset;
}

export function number(value) {
  return Number.isFinite(value) ? value.toLocaleString("en-US") : NONE;
}

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

export function bytes(value) {
  if (!Number.isFinite(value)) return NONE;
  const units = ["B", "kB", "MB", "GB"];
  let rank = 0;
  for (; value >= 1000 && rank < units.length - 1; rank += 1) value /= 1000;
  return `${rank === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[rank]}`;
}

export function percent(value) {
  if (!Number.isFinite(value)) return NONE;
  // Rounded down: 99.96 % must not look like 100 %.
  return `${value === 100 ? "100" : (Math.floor(value * 10) / 10).toFixed(1)} %`;
}

/** A duration: 340 ms, 1.2 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(ms) {
  if (!Number.isFinite(ms)) return NONE;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  return pair(ms, [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]]);
}

function pair(ms, units) {
  const at = Math.max(units.findIndex(([size]) => ms >= size), 0);
  const [size, name] = units[at];
  const whole = Math.floor(ms / size);
  const next = units[at + 1];
  const rest = next ? Math.floor((ms - whole * size) / next[0]) : 0;
  return rest > 0 ? `${whole} ${name} ${rest} ${next[1]}` : `${whole} ${name}`;
}

/** How far away a time is: "3 min ago", "in 2 h 5 min". */
export function relative(time) {
  const distance = Date.parse(time) - now();
  if (Number.isNaN(distance)) return NONE;
  const length = Math.abs(distance);
  if (length < 1000) return "now";
  // From ten minutes on, seconds are noise.
  const rounded = length < 600_000 ? length : length - (length % 60_000);
  const words = length < 60_000 ? `${Math.floor(length / 1000)} s` : duration(rounded);
  return distance > 0 ? `in ${words}` : `${words} ago`;
}

const formats = new Map();

function format(zone, options) {
  const key = JSON.stringify([zone, options]);
  if (!formats.has(key)) {
    formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
  }
  return formats.get(key);
}

/** A time in the reader's zone: without the day if it is today, otherwise with it. */
export function clock(time, zone) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return NONE;
  const day = format(zone, { year: "numeric", month: "short", day: "numeric" });
  const today = day.format(date) === day.format(now());
  const of = today ? {} : { weekday: "short", day: "numeric", month: "short" };
  return format(zone, { ...of, hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(date);
}

/** A scheduled time: day of the week and minute, "Tue 18:00". */
export function slot(time, zone) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return NONE;
  return format(zone, { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(date).replace(",", "");
}

/** Today in a zone, by the service's clock: "2026-11-26". */
export function dayIn(zone) {
  const options = { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" };
  const parts = new Intl.DateTimeFormat("en-GB", options).formatToParts(now());
  return ["year", "month", "day"].map((name) => parts.find(({ type }) => type === name).value).join("-");
}

/** A range of days, both included: "2026-11-02 to 2026-11-06"; a single one by itself. */
export function days({ from, to }) {
  return from === to ? from : `${from} to ${to}`;
}

/** Everything about a time, for a tooltip. */
export function exact(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  const local = format(undefined, { dateStyle: "full", timeStyle: "long" }).format(date);
  return `${local} (${date.toISOString()})`;
}

/** The reader's zone, "Europe/Berlin". */
export function localZone() {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** A zone's city: "New York". */
export function city(zone) {
  return zone.split("/").at(-1).replaceAll("_", " ");
}
