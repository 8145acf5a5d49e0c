/**
 * Ids of version 7 (RFC 9562 section 5.7) begin with their time in milliseconds: a time is a range of ids, so that
 * what is found by id is found by time too.
 */

/** The smallest id of an instant: everything at or after it has an id that is not smaller. */
export function firstTimeIdAt(at: Date): string {
  const hex = Math.max(0, at.getTime()).toString(16).padStart(12, '0').slice(-12)
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}

/** The instant in an id of version 7; undefined for any other text. */
export function timeOfId(id: string): Date | undefined {
  const [, high, low] = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.exec(id) ?? []
  return high === undefined || low === undefined ? undefined : new Date(Number.parseInt(high + low, 16))
}
