import { type Kysely, type Selectable, sql } from 'kysely'
import type { Context } from '../context.ts'
import type { Database, KeyState, SigningKeyTable } from './schema.ts'

export type SigningKeyRow = Pick<
  Selectable<SigningKeyTable>,
  'kid' | 'alg' | 'state' | 'public_jwk' | 'private_sealed' | 'active_at' | 'retiring_at'
>
/** A key of ours as administrators see it: no part of it. */
export type SigningKeyRecord = Pick<
  Selectable<SigningKeyTable>,
  'kid' | 'alg' | 'state' | 'created_at' | 'active_at' | 'retiring_at' | 'retired_at'
>
type NewKey = Pick<Selectable<SigningKeyTable>, 'kid' | 'alg' | 'public_jwk'> & { private_sealed: Buffer }

const PUBLISHED = ['next', 'active', 'retiring'] as const
/** Key of the one advisory lock under which the states of token keys change. */
const ROTATION_LOCK = 7_166_000_006

/** Waits until nobody else changes the states of token keys; held to the end of the transaction. After the gate. */
export async function lockRotation(tx: Context): Promise<void> {
  await sql`select pg_advisory_xact_lock(${ROTATION_LOCK})`.execute(tx.db)
}

/** @returns false where another node is changing them */
export async function tryLockRotation(tx: Context): Promise<boolean> {
  const { rows } = await sql<{ granted: boolean }>`
    select pg_try_advisory_xact_lock(${ROTATION_LOCK}) as granted`.execute(tx.db)
  return rows[0]?.granted === true
}

/** The keys the JWKS shows, in a stable order. At most 60 (rotation.ts): served by the primary key. */
export async function readPublishedKeys(db: Kysely<Database>): Promise<SigningKeyRow[]> {
  return await db
    .selectFrom('signing_key')
    .select(['kid', 'alg', 'state', 'public_jwk', 'private_sealed', 'active_at', 'retiring_at'])
    .where('purpose', '=', 'token')
    .where('state', 'in', PUBLISHED)
    .orderBy('alg')
    .orderBy('kid')
    .limit(64)
    .execute()
}

/** Keys of every state, the newest first. No index: a few hundred in years. */
export async function listSigningKeys(
  ctx: Context,
  page: { before?: { at: Date; id: string }; limit: number },
): Promise<SigningKeyRecord[]> {
  const { before } = page
  return await ctx.db
    .selectFrom('signing_key')
    .select(['kid', 'alg', 'state', 'created_at', 'active_at', 'retiring_at', 'retired_at'])
    .where('purpose', '=', 'token')
    .$if(before !== undefined, query =>
      query.where(sql<boolean>`(created_at, kid) < (${before?.at ?? null}, ${before?.id ?? null})`),
    )
    .orderBy('created_at', 'desc')
    .orderBy('kid', 'desc')
    .limit(page.limit)
    .execute()
}

/** Inserts the active key of an algorithm. Of two nodes that start at once, signing_key_one_active lets one win. */
export async function insertActiveKey(db: Kysely<Database>, row: NewKey & { now: Date }): Promise<void> {
  await insertKey(db, row, 'active', row.now)
}

/** Publishes a key that signs from `active_at` on. Only under the lock of rotation. */
export async function insertNextKey(tx: Context, row: NewKey & { now: Date; active_at: Date }): Promise<void> {
  await insertKey(tx.db, row, 'next', row.active_at)
}

async function insertKey(
  db: Kysely<Database>,
  row: NewKey & { now: Date },
  state: KeyState,
  active_at: Date,
): Promise<void> {
  await db
    .insertInto('signing_key')
    .values({
      kid: row.kid,
      purpose: 'token',
      alg: row.alg,
      state,
      public_jwk: JSON.stringify(row.public_jwk),
      private_sealed: row.private_sealed,
      created_at: row.now,
      active_at,
      retiring_at: null,
      retired_at: null,
    })
    .onConflict(conflict => conflict.doNothing())
    .execute()
}

/** Whether a `kid` is one of ours, in whatever state (primary key). */
export async function isSigningKey(tx: Context, kid: string): Promise<boolean> {
  const row = await tx.db.selectFrom('signing_key').select('kid').where('kid', '=', kid).executeTakeFirst()
  return row !== undefined
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

/**
 * Keys that sign no more and are published still (primary key). `now`, never the instant at which the next one began: a
 * node of the release before signs by the row, until it is switched.
 */
export async function supersedeSigningKeys(tx: Context, kids: readonly string[], now: Date): Promise<void> {
  if (kids.length === 0) return
  await tx.db
    .updateTable('signing_key')
    .set({ state: 'retiring', retiring_at: now })
    .where('kid', 'in', kids)
    .where('state', 'in', ['active', 'next'])
    .execute()
}

/** A key that was `next` becomes the active one, `active_at` an instant in an emergency (primary key). */
export async function activateSigningKey(tx: Context, kid: string, active_at?: Date): Promise<void> {
  await tx.db
    .updateTable('signing_key')
    .set({ state: 'active', ...(active_at && { active_at }) })
    .where('kid', '=', kid)
    .where('state', '=', 'next')
    .execute()
}

/** Out of the JWKS, and the private part is erased; the public part stays for the trail (primary key). */
export async function retireSigningKey(tx: Context, kid: string, now: Date): Promise<void> {
  await tx.db
    .updateTable('signing_key')
    .set({ state: 'retired', private_sealed: null, retired_at: now })
    .where('kid', '=', kid)
    .where('state', '=', 'retiring')
    .execute()
}

/** For good: the key leaves the JWKS, and its private part is erased. Only under the exclusive gate. */
export async function compromiseSigningKey(tx: Context, kid: string, now: Date): Promise<void> {
  await tx.db
    .updateTable('signing_key')
    .set({ state: 'compromised', private_sealed: null, retired_at: now })
    .where('kid', '=', kid)
    .execute()
}
