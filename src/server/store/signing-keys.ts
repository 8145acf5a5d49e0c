import type { Kysely, Selectable } from 'kysely'
import type { Context } from '../context.ts'
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

/** Inserts the active key of an algorithm. Of two nodes that start at once, signing_key_one_active lets one win. */
export async function insertActiveKey(
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

/** One of our own keys in any state, locked until the transaction ends (primary key). */
export async function lockSigningKey(
  tx: Context,
  kid: string,
): Promise<Pick<SigningKeyRow, 'kid' | 'alg' | 'state'> | undefined> {
  return await tx.db
    .selectFrom('signing_key')
    .select(['kid', 'alg', 'state'])
    .where('kid', '=', kid)
    .forUpdate()
    .executeTakeFirst()
}

/** For good: the key leaves the JWKS, and its private part is erased. Only under the exclusive gate. */
export async function compromiseSigningKey(tx: Context, kid: string, now: Date): Promise<void> {
  await tx.db
    .updateTable('signing_key')
    .set({ state: 'compromised', private_sealed: null, retired_at: now })
    .where('kid', '=', kid)
    .execute()
}
