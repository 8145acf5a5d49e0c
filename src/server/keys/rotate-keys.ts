import type { SigningAlg } from '../../protocol/resource.ts'
import { auditKeyChange } from '../audit/own-events.ts'
import { type Context, transaction } from '../context.ts'
import {
  activateSigningKey,
  insertNextKey,
  readPublishedKeys,
  retireSigningKey,
  supersedeSigningKeys,
  tryLockRotation,
} from '../store/signing-keys.ts'
import { newSigningKey } from './new-signing-key.ts'
import { dueChanges, isNothing, missingNext } from './rotation.ts'

/**
 * What time asks of the token keys: rows follow the instant at which the next key began to sign, old keys go, and one
 * waits for each algorithm. Many nodes may run it at once: one lock decides, and what it guards is read behind it. Costs
 * nothing where nothing is due. Throws where a waiting key does not open here, so that somebody hears of it in time.
 */
export async function rotateKeys(ctx: Context): Promise<void> {
  const now = ctx.now()
  const seen = ctx.keys.standing()
  const isDue = !isNothing(dueChanges(seen, now))
  if (isDue) await transaction(ctx, async tx => (await tryLockRotation(tx)) && (await followTime(tx, now)))
  const missing = missingNext(seen, now)
  for (const { alg } of missing) await prepareNext(ctx, alg)
  if (isDue || missing.length > 0) await ctx.keys.refresh()
  const [unopened] = ctx.keys.unopened()
  if (unopened !== undefined) {
    throw new Error(`The next signing key ${unopened} does not open here: this node will not sign with it.`)
  }
}

/** Brings the rows up to the instant, with an audit row for each change. Only under the lock of rotation. */
export async function followTime(tx: Context, now: Date): Promise<void> {
  const { activate, supersede, retire } = dueChanges(await readPublishedKeys(tx.db), now)
  // First: signing_key_one_active.
  await supersedeSigningKeys(tx, supersede, now)
  for (const { kid, alg, replaces } of activate) {
    await activateSigningKey(tx, kid)
    await auditKeyChange(tx, 'key.activate', { alg, kid, replaces })
  }
  for (const { kid, alg } of retire) {
    await retireSigningKey(tx, kid, now)
    await auditKeyChange(tx, 'key.retire', { alg, kid })
  }
}

/** The key is made before the lock is taken: an RSA key takes its time. */
async function prepareNext(ctx: Context, alg: SigningAlg): Promise<void> {
  const made = await newSigningKey(ctx.sealer, alg)
  await transaction(ctx, async tx => {
    if (!(await tryLockRotation(tx))) return
    const now = tx.now()
    const missing = missingNext(await readPublishedKeys(tx.db), now).find(next => next.alg === alg)
    if (!missing) return
    const { active_at } = missing
    await insertNextKey(tx, { ...made, now, active_at })
    await auditKeyChange(tx, 'key.rotate', { alg, kid: made.kid, active_at: active_at.toISOString() })
  })
}
