import { sql } from 'kysely'
import type { Context } from '../context.ts'
import type { ReplayKind } from './schema.ts'
import { together } from './together.ts'

/** One single use: who signed (client_id or jkt), and until when a copy could still be accepted. */
export type ReplayClaim = {
  readonly kind: ReplayKind
  readonly owner: string
  readonly jti: string
  readonly expires_at: Date
}

/** Asked for together with what a mint rests on (store/standing.ts). */
const CLAIM = 10

/**
 * Claims single uses inside the caller's transaction; what RETURNING does not name was taken before (RFC 9449
 * section 11.1, RFC 7523 section 3). Sorted, so that two batches never wait for each other crosswise; of two requests of
 * one batch the first has it. @returns the kinds that were already taken
 */
export const claimReplays = together(CLAIM, async (tx: Context, asked: readonly (readonly ReplayClaim[])[]) => {
  const claims = asked
    .flat()
    .toSorted((a, b) => compare(a.kind, b.kind) || compare(a.owner, b.owner) || compare(a.jti, b.jti))
  if (claims.length === 0) return asked.map((): readonly ReplayKind[] => [])
  const { rows } = await sql<Pick<ReplayClaim, 'kind' | 'owner' | 'jti'>>`
    insert into replay (kind, owner, jti, expires_at)
      select * from unnest(${claims.map(claim => claim.kind)}::text[], ${claims.map(claim => claim.owner)}::text[],
        ${claims.map(claim => claim.jti)}::text[], ${claims.map(claim => claim.expires_at)}::timestamptz[])
      on conflict do nothing returning kind, owner, jti`.execute(tx.db)
  const fresh = new Set(rows.map(keyOf))
  return asked.map((own): readonly ReplayKind[] =>
    own.filter(claim => !fresh.delete(keyOf(claim))).map(({ kind }) => kind),
  )
})

function keyOf({ kind, owner, jti }: Pick<ReplayClaim, 'kind' | 'owner' | 'jti'>): string {
  return JSON.stringify([kind, owner, jti])
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
