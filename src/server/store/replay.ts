import type { Context } from '../context.ts'
import type { ReplayKind } from './schema.ts'

/** One single use: who signed (client_id or jkt), and until when a copy could still be accepted. */
export type ReplayClaim = {
  readonly kind: ReplayKind
  readonly owner: string
  readonly jti: string
  readonly expires_at: Date
}

/**
 * Claims single uses inside the caller's transaction; what RETURNING does not name was taken before (RFC 9449
 * section 11.1, RFC 7523 section 3). Sorted, so that two requests never wait for each other crosswise.
 * @returns the kinds that were already taken
 */
export async function claimReplays(tx: Context, claims: readonly ReplayClaim[]): Promise<readonly ReplayKind[]> {
  if (claims.length === 0) return []
  const sorted = claims.toSorted(
    (a, b) => compare(a.kind, b.kind) || compare(a.owner, b.owner) || compare(a.jti, b.jti),
  )
  const claimed = await tx.db
    .insertInto('replay')
    .values(sorted.map(({ kind, owner, jti, expires_at }) => ({ kind, owner, jti, expires_at })))
    .onConflict(conflict => conflict.doNothing())
    .returning(['kind', 'owner', 'jti'])
    .execute()
  const fresh = new Set(claimed.map(keyOf))
  return sorted.filter(claim => !fresh.has(keyOf(claim))).map(claim => claim.kind)
}

function keyOf({ kind, owner, jti }: Pick<ReplayClaim, 'kind' | 'owner' | 'jti'>): string {
  return JSON.stringify([kind, owner, jti])
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
