import { Problem } from '../../protocol/problem.ts'
import type { SigningAlg } from '../../protocol/resource.ts'
import type { KeyRotation, KeyRotationAnswer, TokenKeyView } from '../../protocol/token-key.ts'
import type { Context } from '../context.ts'
import { newSigningKey } from '../keys/new-signing-key.ts'
import { followTime } from '../keys/rotate-keys.ts'
import {
  firstNext,
  type KeyStanding,
  MOST_PUBLISHED,
  publishedUntil,
  secondsAfter,
  signingKey,
} from '../keys/rotation.ts'
import {
  activateSigningKey,
  insertActiveKey,
  insertNextKey,
  listSigningKeys,
  lockRotation,
  readPublishedKeys,
  type SigningKeyRecord,
} from '../store/signing-keys.ts'
import type { Outcome } from './act.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'
import { timePlace, timePosition } from './time-cursor.ts'

/** An HTTP cache may serve the JWKS of before for its max-age of 300 s; the lead is to be twice that. */
const CACHED_LEAD = 600
const SHORT_LEAD =
  'APIs that fetch the JWKS through an HTTP cache may not see the new key in time: give a publish_lead of 600 or more.'

/** Publishes a new key that signs after its lead, inside `act`. Throws Problem `conflict` where too many are published. */
export async function rotateTokenKey(tx: Context, body: KeyRotation): Promise<Outcome<KeyRotationAnswer>> {
  const made = await newSigningKey(tx.sealer, body.alg)
  await lockRotation(tx)
  const now = tx.now()
  await followTime(tx, now)
  const planned = plan(await readPublishedKeys(tx.db), body, now)
  const active_at = secondsAfter(now, body.publish_lead)
  await insertNextKey(tx, { ...made, now, active_at })
  const { replaces } = planned
  const details = { kid: made.kid, publish_lead: body.publish_lead, active_at: planned.active_at, replaces }
  return { status: 201, body: { ...planned, kid: made.kid }, audit: { details } }
}

/** What `rotateTokenKey` would answer now. Reads only; throws what it throws. */
export async function previewRotation(ctx: Context, body: KeyRotation): Promise<KeyRotationAnswer> {
  return plan(await readPublishedKeys(ctx.db), body, ctx.now())
}

/**
 * Another key signs at once, for one that was stolen, inside the revocation: the waiting one, which every API knows by
 * now, else a new one. Only under the lock of rotation.
 */
export async function replaceTokenKey(tx: Context, alg: SigningAlg, now: Date): Promise<{ next_kid: string }> {
  const next = firstNext(await readPublishedKeys(tx.db), alg)
  if (next) {
    await activateSigningKey(tx, next.kid, now)
    return { next_kid: next.kid }
  }
  const made = await newSigningKey(tx.sealer, alg)
  await insertActiveKey(tx.db, { ...made, now })
  return { next_kid: made.kid }
}

export async function getTokenKeys(
  ctx: Context,
  page: { cursor?: string; limit: number },
): Promise<Page<TokenKeyView>> {
  const { cursorKey } = ctx.keys
  const before = page.cursor === undefined ? {} : { before: timePlace(decodeCursor(cursorKey, 'keys', page.cursor)) }
  const rows = await listSigningKeys(ctx, { ...before, limit: page.limit + 1 })
  const position = (row: SigningKeyRecord) => timePosition(row.created_at, row.kid)
  const { items, next_cursor } = pageOf(cursorKey, 'keys', rows, page.limit, position)
  return { items: items.map(keyView), next_cursor }
}

function plan(keys: readonly KeyStanding[], body: KeyRotation, now: Date): KeyRotationAnswer {
  if (keys.length >= MOST_PUBLISHED) {
    throw new Problem(
      'conflict',
      'Too many keys are published; wait until one of them has left the JWKS, 31 minutes after it was replaced.',
      'too_many_published',
    )
  }
  const { alg, publish_lead, dry_run } = body
  const active_at = secondsAfter(now, publish_lead)
  const replaced = signingKey(keys, alg, active_at)
  return {
    dry_run,
    kid: null,
    alg,
    publish_lead,
    active_at: active_at.toISOString(),
    replaces: replaced?.kid ?? null,
    replaced_until: replaced ? publishedUntil(active_at).toISOString() : null,
    ...(publish_lead < CACHED_LEAD && { note: SHORT_LEAD }),
  }
}

function keyView({ kid, alg, state, created_at, active_at, retiring_at, retired_at }: SigningKeyRecord): TokenKeyView {
  const until = state === 'retiring' && retiring_at ? publishedUntil(retiring_at) : undefined
  return {
    kid,
    alg,
    state,
    created_at: created_at.toISOString(),
    active_at: active_at?.toISOString() ?? null,
    retiring_at: retiring_at?.toISOString() ?? null,
    retired_at: retired_at?.toISOString() ?? null,
    published_until: until?.toISOString() ?? null,
  }
}
