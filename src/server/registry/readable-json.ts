import { isJsonObject } from '../../protocol/json.ts'

/** A JSON value as indented lines with sorted members; numbers as they were written, hidden characters as they are. */
export function readableJson(value: unknown): string {
  return JSON.stringify(sorted(value), null, 2)
}

function sorted(value: unknown): unknown {
  if (JSON.isRawJSON(value)) return value
  if (Array.isArray(value)) return value.map(sorted)
  if (!isJsonObject(value)) return value
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]))
}
