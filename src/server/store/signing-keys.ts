import type { Kysely, Selectable } from 'kysely'
import type { Database, SigningKeyTable } from './schema.ts'

export type SigningKeyRow = Pick<Selectable<SigningKeyTable>, 'kid' | 'alg' | 'state' | 'public_jwk' | 'private_sealed'>

const PUBLISHED = ['next', 'active', 'retiring'] as const

/** The keys the JWKS shows, in a stable order. At most a handful: served by the primary key. */
export async function readPublishedKeys(db: Kysely<Database>): Promise<SigningKeyRow[]> {
  return await db
    .selectFrom('signing_key')
    .select(['kid', 'alg', 'state', 'public_jwk', 'private_sealed'])
    .where('purpose', '=', 'token')
    .where('state', 'in', PUBLISHED)
    .orderBy('alg')
    .orderBy('kid')
    .limit(64)
    .execute()
}

/** Inserts the first key of an algorithm. Of two nodes that start at once, signing_key_one_active lets one win. */
export async function insertFirstKey(
  db: Kysely<Database>,
  row: Pick<Selectable<SigningKeyTable>, 'kid' | 'alg' | 'public_jwk'> & { private_sealed: Buffer; now: Date },
): Promise<void> {
  await db
    .insertInto('signing_key')
    .values({
      kid: row.kid,
      purpose: 'token',
      alg: row.alg,
      state: 'active',
      public_jwk: JSON.stringify(row.public_jwk),
      private_sealed: row.private_sealed,
      created_at: row.now,
      active_at: row.now,
      retiring_at: null,
      retired_at: null,
    })
    .onConflict(conflict => conflict.doNothing())
    .execute()
}
