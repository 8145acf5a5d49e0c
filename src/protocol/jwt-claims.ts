import type { JsonValue } from './json.ts'

/** A `jti` that we keep: 1 to 256 printable ASCII characters. */
export const JTI = /^[\x20-\x7e]{1,256}$/

/** Whether `aud` names this one audience and no other, as text or as an array of one (RFC 7519 section 4.1.3, RFC 10070). */
export function isSoleAudience(aud: JsonValue | undefined, audience: string): boolean {
  return Array.isArray(aud) ? aud.length === 1 && aud[0] === audience : aud === audience
}
